"""From data to integers: data sets, integer networks, the golden model, training, host driver."""
