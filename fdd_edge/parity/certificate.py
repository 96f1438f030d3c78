"""The parity certificate: one item per thing that may differ, each with its figures and its result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.parity_bounds import Bounds
from fdd_edge.result_base import Result
from fdd_edge.runs.atomic import write_atomic
from fdd_edge.runs.fingerprint import Json

__all__ = ["CERTIFICATE_FILE", "CERTIFICATE_VERSION", "ITEMS", "Certificate", "Figures", "Item"]

CERTIFICATE_FILE = "parity.json"
"""Name of the certificate next to a model file."""

CERTIFICATE_VERSION = 6
"""Raised when an item changes its meaning; certificates of other versions are ignored."""

ITEMS = (
    *("bos", "eos_id", "stop_ids", "configs", "vocabulary", "chat_template", "prompt_bytes", "prompt_ids"),
    *("tensors", "own_weights", "logits", "greedy_tokens", "stops", "answers"),
)
"""Names of the items, in the order in which a text passes through the layers."""

_LONGEST_VALUE = 90

Figures = Mapping[str, Json]
"""Named values of a certificate: figures, or the sides of a difference."""


@dataclass(frozen=True)
class Item:
    """One thing that was compared.

    Attributes:
        name: Stable name.
        passed: Whether both sides are equal, or within the recipe's bound.
        summary: The figures in one line for people.
        figures: The same for programs.
        first_difference: The first difference, with the reference's side and the file's; None if there is none.
    """

    name: str
    passed: bool
    summary: str
    figures: Figures = field(default_factory=dict)
    first_difference: Figures | None = None

    @property
    def failure_message(self) -> str:
        """One line that says what is wrong: the figures, and the first difference."""
        first = ""
        if self.first_difference is not None:
            first = "; first: " + ", ".join(f"{key} {_shown(value)}" for key, value in self.first_difference.items())
        return f"{self.name}: {self.summary}{first}"


@dataclass(frozen=True)
class Certificate(Result):
    """The result of comparing a file with its reference.

    Attributes:
        artifact: The file: ``sha256``, ``bytes``, ``recipe``.
        reference: The float model: ``name``, ``sha256``.
        target: Where the file ran: ``name``, ``cpu``, ``runtime``, ``runtime_version`` and others.
        prompts: Number of prompts that were answered and encoded, and their sha256.
        bounds: The recipe's.
        items: One for each of ``ITEMS``.
    """

    artifact: Figures
    reference: Figures
    target: Figures
    prompts: Figures
    bounds: Bounds
    items: tuple[Item, ...]

    @property
    def passed(self) -> bool:
        """Whether every item is there and passed."""
        return tuple(item.name for item in self.items) == ITEMS and all(item.passed for item in self.items)

    @property
    def failed(self) -> list[Item]:
        """The items that did not pass."""
        return [item for item in self.items if not item.passed]

    def to_dict(self) -> dict[str, Json]:
        """Return the JSON object, as in the file and as ``fdd-edge parity --json`` prints it."""
        return {
            "version": CERTIFICATE_VERSION,
            "passed": self.passed,
            "artifact": dict(self.artifact),
            "reference": dict(self.reference),
            "target": dict(self.target),
            "prompts": dict(self.prompts),
            "bounds": asdict(self.bounds),
            "items": {
                item.name: {
                    "passed": item.passed,
                    "summary": item.summary,
                    **item.figures,
                    "first_difference": item.first_difference,
                }
                for item in self.items
            },
        }

    def to_text(self) -> str:
        """Return the text of its file."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_atomic(path, self.to_text())

    def __repr__(self) -> str:
        return f"Certificate(recipe={self.artifact.get('recipe')!r}, passed={self.passed})"

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [{"item": item.name, "passed": item.passed, "summary": item.summary} for item in self.items]

    def _shown(self) -> Iterable[tuple[str, object]]:
        yield "recipe", self.artifact.get("recipe")
        yield "reference", self.reference.get("name")
        yield from ((item.name, item.summary if item.passed else f"FAILED: {item.summary}") for item in self.items)

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Read it back.

        Raises:
            FddError: The file is not a certificate of this version.
        """
        try:
            row = parse_json(path.read_text(encoding="utf-8"))
            if row["version"] != CERTIFICATE_VERSION:
                raise ValueError(f"its version is {row['version']}, not {CERTIFICATE_VERSION}")
            items = tuple(_item(name, content) for name, content in row["items"].items())
            artifact, reference, target, prompts = (
                dict(row[k]) for k in ("artifact", "reference", "target", "prompts")
            )
            return cls(artifact, reference, target, prompts, Bounds(**row["bounds"]), items)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FddError(f"{path} is not a parity certificate ({error}); delete it and make it again.") from None


def _item(name: str, content: Mapping[str, Any]) -> Item:
    """Read an item back; every key that is not one of its own is a figure."""
    passed, summary, first = (content[key] for key in ("passed", "summary", "first_difference"))
    if not isinstance(passed, bool):
        raise TypeError(f"the result of {name} is {passed!r}")
    figures = {key: value for key, value in content.items() if key not in ("passed", "summary", "first_difference")}
    return Item(name, passed, summary, figures, first)


def _shown(value: Json) -> str:
    """Return a value for a message: texts are quoted, so that spaces and line ends are visible."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
