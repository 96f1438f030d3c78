"""Compares an exported file with the float model it was made from: the parity certificate (docs/parity.md)."""

from fdd_edge.parity.certificate import CERTIFICATE_FILE, CERTIFICATE_VERSION, ITEMS, Certificate, Item
from fdd_edge.parity.checked_here import certificate_made_here, keep_certificate, was_checked_here
from fdd_edge.parity.dequantized_weights import (
    NO_OWN_WEIGHTS,
    WRONG_WEIGHTS,
    compare_own_weights,
    float_rows,
    rows_of,
    sample_replies,
)
from fdd_edge.parity.device_outputs import DeviceOutputs, read_file, read_rows
from fdd_edge.parity.items import compare_outputs
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply, Vocabulary, load_reference, save_reference
from fdd_edge.parity.reference_replies import (
    FEW_PROMPTS,
    MAX_NEW_TOKENS,
    ParityPrompt,
    answer_waiting,
    compute_reference_outputs,
)
from fdd_edge.parity.settled import few_suffice
from fdd_edge.parity.weight_comparison import (
    FileTensor,
    compare_tensors,
    has_quantized,
    has_same_weights,
    relative_error,
)

__all__ = [
    "CERTIFICATE_FILE",
    "CERTIFICATE_VERSION",
    "FEW_PROMPTS",
    "ITEMS",
    "MAX_NEW_TOKENS",
    "NO_OWN_WEIGHTS",
    "WRONG_WEIGHTS",
    "Certificate",
    "DeviceOutputs",
    "FileTensor",
    "Item",
    "ParityPrompt",
    "ReferenceOutputs",
    "Reply",
    "Vocabulary",
    "answer_waiting",
    "certificate_made_here",
    "compare_outputs",
    "compare_own_weights",
    "compare_tensors",
    "compute_reference_outputs",
    "few_suffice",
    "float_rows",
    "has_quantized",
    "has_same_weights",
    "keep_certificate",
    "load_reference",
    "read_file",
    "read_rows",
    "relative_error",
    "rows_of",
    "sample_replies",
    "save_reference",
    "was_checked_here",
]
