"""Readers of math word problem files: every format ends in the same ``Problem`` records.

One module a format; each says which rows are its own (``matches``) and what is in one (``read_row``).
"""

from fdd_edge.data._gold import parse_gold
from fdd_edge.data._read import FORMATS, Dataset, Skipped, read_dataset
from fdd_edge.data.splits import choose_files

__all__ = ["FORMATS", "Dataset", "Skipped", "choose_files", "parse_gold", "read_dataset"]
