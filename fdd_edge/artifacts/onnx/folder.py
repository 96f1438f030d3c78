"""The files around an ONNX graph: tokenizer, configs, and the card that says what a GGUF says in its metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.onnx.configs import GENAI
from fdd_edge.ondevice.model_files import CARD

__all__ = ["TOKENIZER_FILES", "write_folder"]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def write_folder(
    folder: Path, student: Path, *, card: Mapping[str, Any], stop_ids: Sequence[int], chat_template: str | None
) -> None:
    """Complete the folder of a graph, so that it loads in onnxruntime-genai, in optimum and in the runner.

    The tokenizer is the student's own, byte for byte: the builder would save another one.

    Args:
        folder: Holds the graph, and a decoder's ``genai_config.json``.
        student: The Hugging Face folder that the graph was made from.
        card: What the runner is to know of the model.
        stop_ids: What ends a reply; every reader of the folder is told the same.
        chat_template: Jinja source, or None for none.
    """
    for name in TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)
        if (student / name).is_file():
            shutil.copy2(student / name, folder / name)
    config = _load(student / "config.json")
    _save(folder / "config.json", config)
    ids: Any = list(stop_ids)
    generation = {key: config.get(key) for key in ("bos_token_id", "decoder_start_token_id", "pad_token_id")}
    generation |= {"eos_token_id": ids if len(ids) != 1 else ids[0]}
    _save(folder / "generation_config.json", {k: v for k, v in generation.items() if v is not None})
    if (folder / GENAI).is_file():
        genai = _load(folder / GENAI)
        genai["model"]["eos_token_id"] = generation["eos_token_id"]
        _save(folder / GENAI, genai)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    told = _load(folder / "tokenizer_config.json")
    told.pop("chat_template", None)  # one place for it: the file that everybody reads first
    _save(folder / "tokenizer_config.json", told)
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    _save(folder / CARD, {k: v for k, v in card.items() if v is not None} | {"stop_ids": ids})
    # onnx writes external data for the user alone; whoever may read the configs may read the weights.
    mode = (folder / CARD).stat().st_mode
    for path in folder.iterdir():
        path.chmod(mode)


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _save(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
