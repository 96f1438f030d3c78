"""ONNX: the decoder graph, its quantization and the folder around it."""

from fdd_edge.artifacts.onnx.configs import wrong_keys
from fdd_edge.artifacts.onnx.describe import OnnxFacts, describe_onnx, onnx_bytes
from fdd_edge.artifacts.onnx.folder import write_folder
from fdd_edge.artifacts.onnx.graph import build_graph
from fdd_edge.artifacts.onnx.int8 import quantize_int8
from fdd_edge.artifacts.onnx.make import kinds_by, make_graph
from fdd_edge.artifacts.onnx.tensors import onnx_tensors, quantized_weights, stored_weights
from fdd_edge.artifacts.onnx.twin import rounds_activations, write_float_twin

__all__ = [
    "OnnxFacts",
    "build_graph",
    "describe_onnx",
    "kinds_by",
    "make_graph",
    "onnx_bytes",
    "onnx_tensors",
    "quantize_int8",
    "quantized_weights",
    "rounds_activations",
    "stored_weights",
    "write_float_twin",
    "write_folder",
    "wrong_keys",
]
