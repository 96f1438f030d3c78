"""The files around an ONNX graph: tokenizer, configs, and the card that stores what a GGUF stores as metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.chat_template import chat_template_for
from fdd_edge.artifacts.onnx.configs import GENAI
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.ondevice.families import CARD
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.runs.fingerprint import Json
from fdd_edge.safetensors_folder import count_parameters

__all__ = ["TOKENIZER_FILES", "write_folder", "write_labelled_folder"]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def write_labelled_folder(out: Path, student: Path, vocab: Path, recipe: str, labels: ArtifactLabels) -> None:
    """Complete the folder of a graph with what its labels say.

    Args:
        out: Holds the graph.
        student: The Hugging Face folder that the graph was made from.
        vocab: The student's vocabulary file, which determines the ids that end a reply.
        recipe: Name of the recipe.
        labels: What is stored about the model.
    """
    with open_vocab(vocab) as device:
        chat_template = chat_template_for(labels, device) or device.chat_template
        eos_ids, adds_bos = device.eos_ids, device.adds_bos
    card: dict[str, Json] = {
        "recipe": recipe,
        "name": labels.name,
        "base": labels.base,
        "license": labels.license,
        "round": labels.round,
        "quantization_aware": labels.quantization_aware,
        "prompt_template": labels.prompt_template,
        "adds_bos": adds_bos,
        "parameters": count_parameters(student),
    }
    write_folder(out, student, card=card, eos_ids=eos_ids, chat_template=chat_template)


def write_folder(
    folder: Path, student: Path, *, card: Mapping[str, Json], eos_ids: Sequence[int], chat_template: str | None
) -> None:
    """Complete the folder of a graph, so that onnxruntime-genai, optimum and the runner can load it.

    The tokenizer is the student's own, byte for byte: the builder would save another one.

    Args:
        folder: Holds the graph, and a decoder's ``genai_config.json``.
        student: The Hugging Face folder that the graph was made from.
        card: What the runner needs to know about the model.
        eos_ids: Ids that end a reply; stored in every config, so that all readers use the same.
        chat_template: Jinja source, or None for none.
    """
    for name in TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)
        if (student / name).is_file():
            shutil.copy2(student / name, folder / name)
    config = _load(student / "config.json")
    _save(folder / "config.json", config)
    ids = list(eos_ids)
    generation = {key: config.get(key) for key in ("bos_token_id", "decoder_start_token_id", "pad_token_id")}
    generation |= {"eos_token_id": ids if len(ids) != 1 else ids[0]}
    _save(folder / "generation_config.json", {k: v for k, v in generation.items() if v is not None})
    if (folder / GENAI).is_file():
        genai = _load(folder / GENAI)
        genai["model"]["eos_token_id"] = generation["eos_token_id"]
        _save(folder / GENAI, genai)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer_config = _load(folder / "tokenizer_config.json")
    tokenizer_config.pop("chat_template", None)  # only one place for it: the file that every reader looks at first
    _save(folder / "tokenizer_config.json", tokenizer_config)
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    _save(folder / CARD, {k: v for k, v in card.items() if v is not None} | {"stop_ids": ids})
    # onnx writes external data with access for the user alone; make the weights as readable as the configs.
    mode = (folder / CARD).stat().st_mode
    for path in folder.iterdir():
        path.chmod(mode)


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    return content


def _save(path: Path, content: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
