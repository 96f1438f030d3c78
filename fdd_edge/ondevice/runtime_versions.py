"""The versions of the runtimes that boards are set up with."""

__all__ = ["RUNTIME_VERSIONS"]

RUNTIME_VERSIONS = {"llama-cpp-python": "0.3.36", "onnxruntime": "1.31.1", "tokenizers": "0.22.2"}
"""By package. Every board must have these versions, so that boards set up on different days give the same answers."""
