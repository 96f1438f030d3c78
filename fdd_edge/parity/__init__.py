"""Proves an exported file against the float model it was made from: the parity certificate (docs/parity.md)."""

from fdd_edge.parity.certificate import CERTIFICATE_VERSION, ITEMS, Bounds, Certificate, Item
from fdd_edge.parity.items import judge_items
from fdd_edge.parity.own_weights import NO_OWN_WEIGHTS, WRONG_WEIGHTS, compare_own_weights, few_replies, rows_of
from fdd_edge.parity.reading import Reading, read_file, read_rows
from fdd_edge.parity.record import Asked, Record, Reply, Vocabulary, load_record, record_reference, save_record
from fdd_edge.parity.tensors import FileTensor, compare_tensors, relative_error

__all__ = [
    "CERTIFICATE_VERSION",
    "ITEMS",
    "NO_OWN_WEIGHTS",
    "WRONG_WEIGHTS",
    "Asked",
    "Bounds",
    "Certificate",
    "FileTensor",
    "Item",
    "Reading",
    "Record",
    "Reply",
    "Vocabulary",
    "compare_own_weights",
    "compare_tensors",
    "few_replies",
    "judge_items",
    "load_record",
    "read_file",
    "read_rows",
    "record_reference",
    "relative_error",
    "rows_of",
    "save_record",
]
