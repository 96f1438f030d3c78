"""Proves an exported file against the float model it was made from: the parity certificate (docs/parity.md)."""

from fdd_edge.parity.certificate import CERTIFICATE_VERSION, ITEMS, Bounds, Certificate, Item
from fdd_edge.parity.items import judge_items
from fdd_edge.parity.reading import Reading, read_file
from fdd_edge.parity.record import Asked, Record, Reply, Vocabulary, load_record, record_reference, save_record
from fdd_edge.parity.tensors import FileTensor, compare_tensors, relative_error

__all__ = [
    "CERTIFICATE_VERSION",
    "ITEMS",
    "Asked",
    "Bounds",
    "Certificate",
    "FileTensor",
    "Item",
    "Reading",
    "Record",
    "Reply",
    "Vocabulary",
    "compare_tensors",
    "judge_items",
    "load_record",
    "read_file",
    "record_reference",
    "relative_error",
    "save_record",
]
