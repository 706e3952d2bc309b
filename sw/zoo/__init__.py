"""Trained networks that ship with the project."""
