"""Proves an exported file against the float model it was made from: the parity certificate (docs/parity.md)."""

from fdd_edge.parity.certificate import CERTIFICATE_VERSION, ITEMS, Bounds, Certificate, Item
from fdd_edge.parity.dequantized_weights import (
    NO_OWN_WEIGHTS,
    WRONG_WEIGHTS,
    compare_own_weights,
    rows_of,
    sample_replies,
)
from fdd_edge.parity.device_outputs import DeviceOutputs, read_file, read_rows
from fdd_edge.parity.items import judge_items
from fdd_edge.parity.reference_outputs import (
    ParityPrompt,
    ReferenceOutputs,
    Reply,
    Vocabulary,
    compute_reference,
    load_reference,
    save_reference,
)
from fdd_edge.parity.weight_comparison import FileTensor, compare_tensors, relative_error

__all__ = [
    "CERTIFICATE_VERSION",
    "ITEMS",
    "NO_OWN_WEIGHTS",
    "WRONG_WEIGHTS",
    "Bounds",
    "Certificate",
    "DeviceOutputs",
    "FileTensor",
    "Item",
    "ParityPrompt",
    "ReferenceOutputs",
    "Reply",
    "Vocabulary",
    "compare_own_weights",
    "compare_tensors",
    "compute_reference",
    "judge_items",
    "load_reference",
    "read_file",
    "read_rows",
    "relative_error",
    "rows_of",
    "sample_replies",
    "save_reference",
]
