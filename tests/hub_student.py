"""The tiny student as the hub holds a large one: several shards, their index, and files nobody should ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

UNSAFE = {
    "pytorch_model.bin": "never fetched",
    "modeling_tiny.py": "raise SystemExit",
    "training_args.bin": "never fetched",
    "consolidated.safetensors": "not what transformers loads",
    "onnx/config.json": "{}",
    "fdd_edge.json": '{"prompt_template": "{question}"}',
}


def sharded(student: Path, work: Path) -> dict[str, bytes]:
    """Return the files of a repository, by name; ``work`` is an empty folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(student).save_pretrained(work, max_shard_size="600KB")
    AutoTokenizer.from_pretrained(student).save_pretrained(work)
    files = {path.name: path.read_bytes() for path in work.iterdir()}
    assert sum(name.endswith(".safetensors") for name in files) > 1
    files["README.md"] = b"---\nlicense: apache-2.0\n---\nA tiny student.\n"
    return files | {name: text.encode() for name, text in UNSAFE.items()}


def safe(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that a student is made of."""
    return {name: data for name, data in files.items() if name not in UNSAFE}
