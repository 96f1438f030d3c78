"""Readers for files of math word problems: every format becomes the same ``Problem`` records.

There is one module per built-in format, with ``matches`` (is this row mine?) and ``read_row``. A format of another
package is named ``module:function`` (docs/plugins.md).
"""

from fdd_edge.data._content import STDIN, is_stream
from fdd_edge.data._data_file import DataFile, open_data
from fdd_edge.data._formats import FORMATS, load_format
from fdd_edge.data._gold import parse_gold
from fdd_edge.data._item import BrokenRowError, Format, Item, Row, id_of, join_question, text_of, texts_of, value_of
from fdd_edge.data._read import Dataset, Skipped, describe_skipped, read_dataset, read_leniently, read_list
from fdd_edge.data.columns import Columns
from fdd_edge.data.splits import choose_files

__all__ = [
    "FORMATS",
    "STDIN",
    "BrokenRowError",
    "Columns",
    "DataFile",
    "Dataset",
    "Format",
    "Item",
    "Row",
    "Skipped",
    "choose_files",
    "describe_skipped",
    "id_of",
    "is_stream",
    "join_question",
    "load_format",
    "open_data",
    "parse_gold",
    "read_dataset",
    "read_leniently",
    "read_list",
    "text_of",
    "texts_of",
    "value_of",
]
