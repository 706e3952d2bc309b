"""Benchmarks, run by hand: each prints machine, versions and date, and writes JSON next to it."""
