"""What the command lines have in common."""
import argparse


class Parser(argparse.ArgumentParser):
    """A parser whose errors are the user's: one sentence, and exit code 1."""
    def error(self, message):
        self.exit(1, f"error: {message}; see --help\n")
