"""ONNX models: the graph, its quantization and the folder around it."""

from fdd_edge.artifacts.onnx.build import kinds_by, make_graph
from fdd_edge.artifacts.onnx.dequantized_graph import rounds_activations, write_dequantized
from fdd_edge.artifacts.onnx.folder import write_folder
from fdd_edge.artifacts.onnx.graph import build_graph
from fdd_edge.artifacts.onnx.int8 import quantize_int8
from fdd_edge.artifacts.onnx.onnx_facts import describe_onnx, onnx_bytes
from fdd_edge.artifacts.onnx.onnx_recipe import OnnxRecipe
from fdd_edge.artifacts.onnx.stored_weights import onnx_tensors, quantized_weights, stored_weights

__all__ = [
    "OnnxRecipe",
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
    "write_dequantized",
    "write_folder",
]
