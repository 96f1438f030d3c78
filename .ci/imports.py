"""Import every module of the installed package with the base dependencies alone.

The torch rooms are left out. The modules that wrap a runtime, and nothing else, may ask for that runtime.
"""

import importlib
import pkgutil
import sys

import fdd_edge

TORCH_ROOMS = ("fdd_edge.students", "fdd_edge.parity")
WRAPPERS = {
    "fdd_edge.ondevice.llamacpp": "llama_cpp",
    "fdd_edge.ondevice.onnxruntime_folder": "onnxruntime",
    "fdd_edge.ondevice.onnxruntime_model": "onnxruntime",
    "fdd_edge.ondevice.onnxruntime_seq2seq": "onnxruntime",
    "fdd_edge.ondevice.vocabulary": "tokenizers",
    "fdd_edge.ondevice.chat": "jinja2",
    "fdd_edge.teachers.language_model._client": "httpx2",
}

assert "site-packages" in fdd_edge.__path__[0], fdd_edge.__path__
names = [m.name for m in pkgutil.walk_packages(fdd_edge.__path__, "fdd_edge.") if not m.name.startswith(TORCH_ROOMS)]
assert len(names) > 50, names
for name in names:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if WRAPPERS.get(name) != error.name:
            raise
heavy = {"torch", "transformers", "llama_cpp", "gguf", "onnxruntime", "openai"} & set(sys.modules)
assert not heavy, heavy
sys.stdout.write(f"{len(names)} modules looked at\n")
