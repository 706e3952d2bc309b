"""The generators: a network becomes a plan, the plan a chain of Amaranth components."""
