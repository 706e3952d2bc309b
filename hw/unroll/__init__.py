"""A constant matrix times a vector as a graph of adders, and the search for a small one."""
