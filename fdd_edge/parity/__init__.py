"""Proves an exported file against the float model it was made from."""

from fdd_edge.parity.greedy import GreedyParity, compare_greedy

__all__ = ["GreedyParity", "compare_greedy"]
