"""What the stages of a run do, told from where their outputs are: for the hours of a plan, and for people who wait."""

from __future__ import annotations

from typing import NamedTuple

from fdd_edge.runs.stage_files import NON_EASY, POOL

__all__ = ["COLLECTING", "ROUND", "UNTUNED_FOLDER", "StageWords", "describe_stage"]

ROUND = "round-"
"""What the name of a round's folder begins with."""

UNTUNED_FOLDER = "untuned"
"""The folder of the student before training."""

COLLECTING = "collecting problems"
"""What stages do that read problems, or put together what a round is trained on."""

_KINDS = {
    "adapter": "training",
    "merged": "export",
    "artifacts": "export",
    "imatrix.gguf": "export",
    "parity": "certificates",
    "eval": "evaluation",
    "evolved": "teacher",
}
"""What the stages of a round do, by the first part of their output's path inside it."""

_WORDS = {
    "data": COLLECTING,
    "adapter": "training",
    "merged": "merging",
    "imatrix.gguf": "measuring which weights matter",
    "split": "labelling",
    "evolved": "writing new problems",
    "curated": "checking new problems",
    "own": "collecting its own programs",
}
"""The same in words; of the outputs that are named after an artifact, ``_named`` tells."""


class StageWords(NamedTuple):
    """What a stage does.

    Attributes:
        folder: The round's folder, or the untuned student's; empty for what belongs to the whole run.
        kind: ``training``, ``export``, ``certificates``, ``evaluation``, ``teacher`` or ``rest``.
        words: What it does, such as ``exporting gguf-q4_0``.
    """

    folder: str
    kind: str
    words: str


def describe_stage(name: str) -> StageWords:
    """Return what a stage does, given its output's path inside the run folder."""
    first, *rest = name.split("/")
    if not rest:
        is_validation = first == "validation.jsonl"
        return StageWords("", "teacher" if is_validation else "rest", COLLECTING)
    is_first_data = rest[0] == "data" and first == f"{ROUND}00"  # teachers write the programs that are missing
    kind = "teacher" if is_first_data else _KINDS.get(rest[0], "rest")
    in_part = first == UNTUNED_FOLDER or first.startswith(ROUND)
    return StageWords(first if in_part else "", kind, _WORDS.get(rest[0]) or _named(rest))


def _named(path: list[str]) -> str:
    """Return what is done to an artifact: it is exported, compared with its float model, measured or asked."""
    artifact = path[-1].rpartition(".")[0] or path[-1]
    match path:
        case ["artifacts", recipe]:
            return f"exporting {recipe}"
        case ["parity", "reference.safetensors"]:
            return "the float model's replies"
        case ["parity", _]:
            return f"certificate of {artifact}"
        case ["eval", target, recipe, "bench.json"]:
            return f"benchmark of {_on(recipe, target)}"
        case ["eval", _, _, dataset] if dataset in (POOL, NON_EASY):
            return "labelling"
        case ["eval", _, _, _]:
            return "evaluation"
        case ["eval", target, "attention.json"]:
            return f"choosing the attention of {target}"
        case ["eval", target, _]:
            return f"measuring the speed of {target}"
    return "working"


def _on(recipe: str, target: str) -> str:
    return recipe if target == "local" else f"{recipe} on {target}"
