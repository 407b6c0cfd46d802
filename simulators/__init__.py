"""Simulated plants: the independent ground truth. Imports nothing of the product."""
