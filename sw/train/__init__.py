"""Training (extra `train`): one recipe a file."""
