"""Training, one recipe a file: `python -m sw.train mnist-bnn`. The only folder that needs torch."""
