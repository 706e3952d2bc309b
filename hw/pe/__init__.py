"""Processing elements: the arithmetic of each number system."""
