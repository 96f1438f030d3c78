"""Readers of math word problem files: every format ends in the same ``Problem`` records.

One module a format; each says which rows are its own (``matches``) and what is in one (``read_row``).
"""

from fdd_edge.data._gold import parse_gold
from fdd_edge.data._read import FORMATS, Dataset, Skipped, read_dataset

__all__ = ["FORMATS", "Dataset", "Skipped", "parse_gold", "read_dataset"]
