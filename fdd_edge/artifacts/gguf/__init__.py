"""GGUF files: vocabulary, float file, quantization and description. Format: docs/gguf.md of ggml."""

from fdd_edge.artifacts.gguf.folder_from_gguf import write_folder_from_gguf
from fdd_edge.artifacts.gguf.gguf_facts import describe_gguf
from fdd_edge.artifacts.gguf.imatrix_file import open_imatrix, read_imatrix, write_imatrix
from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab
from fdd_edge.artifacts.gguf.quantize import quantize_gguf
from fdd_edge.artifacts.gguf.quantized_file import QuantizedFile
from fdd_edge.artifacts.gguf.reader import stored_tensors
from fdd_edge.artifacts.gguf.same_types import write_with_tensors
from fdd_edge.artifacts.gguf.size_estimate import predict_quantized, types_by
from fdd_edge.artifacts.gguf.vocab_from_folder import write_vocab_from_folder
from fdd_edge.artifacts.gguf.vocab_tables import copy_vocab, read_vocab
from fdd_edge.artifacts.gguf.write import (
    check_architecture,
    gguf_tensors,
    hf_names,
    write_float_gguf,
)

__all__ = [
    "DeviceVocab",
    "QuantizedFile",
    "check_architecture",
    "copy_vocab",
    "describe_gguf",
    "gguf_tensors",
    "hf_names",
    "open_imatrix",
    "predict_quantized",
    "quantize_gguf",
    "read_imatrix",
    "read_vocab",
    "stored_tensors",
    "types_by",
    "write_float_gguf",
    "write_folder_from_gguf",
    "write_imatrix",
    "write_vocab_from_folder",
    "write_with_tensors",
]
