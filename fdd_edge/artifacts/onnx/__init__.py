"""ONNX: the decoder graph, its quantization and the folder around it."""

from fdd_edge.artifacts.onnx.describe import OnnxFacts, describe_onnx
from fdd_edge.artifacts.onnx.folder import write_folder
from fdd_edge.artifacts.onnx.graph import build_graph
from fdd_edge.artifacts.onnx.int8 import quantize_int8

__all__ = ["OnnxFacts", "build_graph", "describe_onnx", "quantize_int8", "write_folder"]
