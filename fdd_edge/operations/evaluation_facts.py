"""How an evaluation was made: what its ``summary.json`` says besides the figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from fdd_edge import __version__
from fdd_edge.ondevice.protocol import TargetInfo
from fdd_edge.operations.asking import Asking
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json

__all__ = ["EvaluationFacts", "facts_of", "hash_problems"]


@dataclass(frozen=True)
class EvaluationFacts:
    """What was asked, how, and by which software; empty where an earlier version did not write it.

    Attributes:
        artifact: ``name``, ``sha256`` and ``bytes`` of the model file.
        settings: The prompt with its worked examples, how answers are found, the token limit and the other settings of
            decoding.
        data: ``n`` and ``problems_sha256`` of the problems; of a set that was named, also its ``name``, ``path``,
            ``sha256``, ``format`` and ``limit``.
        versions: Of fdd-edge, of the runtime, and of Python on the device.
        fingerprint: Hash of file, problems, target and settings; empty inside a run, whose manifest has it.
    """

    artifact: Mapping[str, Json] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, Json] = field(default_factory=dict)
    versions: Mapping[str, Json] = field(default_factory=dict)
    fingerprint: str = ""

    def to_row(self) -> dict[str, Json]:
        """Return the keys that it adds to ``summary.json``."""
        return {key: value for key, value in asdict(self).items() if value}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read them back; what is missing, or is not what this version writes, is empty."""
        empty = cls()
        return cls(
            **{f.name: row[f.name] for f in fields(cls) if isinstance(row.get(f.name), type(getattr(empty, f.name)))}
        )


def facts_of(asking: Asking, problems: Iterable[Problem], info: TargetInfo, named: EvaluationFacts) -> EvaluationFacts:
    """Return the facts of an evaluation.

    Args:
        asking: How it asked, with the threads of the target.
        problems: What it asked.
        info: The device, and the prompt that it used.
        named: What only the caller knows: the model file, the data set, the fingerprint.
    """
    found = list(problems)
    settings = asdict(asking.decoding) | {
        "flash_attention": info.flash_attention,
        "prompt": info.prompt,
        "num_fewshot": len(asking.examples),
        "answer": asking.answer,
        "samples": asking.num_return_sequences,
        "seed": asking.seed,
    }
    data = {**named.data, "n": len(found), "problems_sha256": hash_problems(found)}
    versions = {"fdd_edge": __version__, info.runtime: info.runtime_version, "python": info.python}
    return EvaluationFacts(named.artifact, settings, data, versions, named.fingerprint)


def hash_problems(problems: Iterable[Problem]) -> str:
    """Return the sha256 of the ids, questions and gold answers of problems, in their order."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(json.dumps([problem.id, problem.question, problem.answer]).encode() + b"\n")
    return digest.hexdigest()
