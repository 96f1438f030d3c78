"""GGUF: vocabulary, float file, quantization and description. Format: ggml's docs/gguf.md."""

from fdd_edge.artifacts.gguf.describe import GgufFacts, describe_gguf
from fdd_edge.artifacts.gguf.quantize import quantize_gguf
from fdd_edge.artifacts.gguf.reader import StoredTensor, stored_tensors
from fdd_edge.artifacts.gguf.vocab import DeviceVocab, copy_vocab, read_vocab, write_vocab_from_folder
from fdd_edge.artifacts.gguf.write import gguf_tensors, write_float_gguf

__all__ = [
    "DeviceVocab",
    "GgufFacts",
    "StoredTensor",
    "copy_vocab",
    "describe_gguf",
    "gguf_tensors",
    "quantize_gguf",
    "read_vocab",
    "stored_tensors",
    "write_float_gguf",
    "write_vocab_from_folder",
]
