"""What a certificate says: one item for each thing that may differ, each with its figures and its verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.errors import FddError

__all__ = ["CERTIFICATE_VERSION", "ITEMS", "Bounds", "Certificate", "Item"]

CERTIFICATE_VERSION = 6
"""Raised when an item changes meaning; a certificate of another version says nothing."""

ITEMS = (
    *("bos", "eos_id", "stop_ids", "configs", "vocabulary", "chat_template", "prompt_bytes", "prompt_ids"),
    *("tensors", "own_weights", "logits", "greedy_tokens", "stops", "answers"),
)
"""Names of the items, in the order in which a text passes the layers."""


class Bounds(NamedTuple):
    """How far a file may be from its reference; the ``parity`` section of a recipe.

    Attributes:
        tensors: Relative L2 error of any quantized tensor, dequantized.
        own_weights: Relative L2 error of a row of logits about its mean, median, against the float model with the
            file's own weights.
        logits_median: Relative L2 error of a row of logits about its mean, median.
        logits_p99: The same, 99th percentile.
        kl_mean: Kullback-Leibler divergence of the file's next token from the reference's, mean, in nats.
        greedy: Share of positions with the reference's likeliest token.
        stops: Share of the reference's stops at which the file stops too.
        clear_lead: A position counts for ``greedy`` and ``stops`` where the reference's likeliest token leads by so
            many logits; 0 counts them all.
        answers: Share of prompts with the reference's answer; None only reports it.
    """

    tensors: float
    own_weights: float
    logits_median: float
    logits_p99: float
    kl_mean: float
    greedy: float
    stops: float
    clear_lead: float
    answers: float | None = None


@dataclass(frozen=True)
class Item:
    """One thing that was compared.

    Attributes:
        name: Stable name.
        passed: Whether it is exact, or within the recipe's bound.
        summary: The figures as a person reads them, one line.
        figures: The same for programs.
        first_difference: Where the two first differ, the reference's side and the file's; None if they do not.
    """

    name: str
    passed: bool
    summary: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    first_difference: Mapping[str, Any] | None = None

    @property
    def failure_message(self) -> str:
        """What is wrong, in one line: the figures, and the first difference."""
        where = ""
        if self.first_difference is not None:
            where = "; first: " + ", ".join(f"{key} {_shown(value)}" for key, value in self.first_difference.items())
        return f"{self.name}: {self.summary}{where}"


@dataclass(frozen=True)
class Certificate:
    """What holding one file against its reference gave.

    Attributes:
        artifact: Of the file: ``sha256``, ``bytes``, ``recipe``.
        reference: Of the float model: ``name``, ``sha256``.
        target: Where the file ran: ``name``, ``cpu``, ``runtime``, ``runtime_version``.
        prompts: How many there are, where they come from, their sha256.
        bounds: The recipe's.
        items: One for each of ``ITEMS``.
    """

    artifact: Mapping[str, Any]
    reference: Mapping[str, Any]
    target: Mapping[str, Any]
    prompts: Mapping[str, Any]
    bounds: Bounds
    items: tuple[Item, ...]

    @property
    def passed(self) -> bool:
        """Whether every item is there, and did."""
        return tuple(item.name for item in self.items) == ITEMS and all(item.passed for item in self.items)

    @property
    def failed(self) -> list[Item]:
        """The items that did not pass."""
        return [item for item in self.items if not item.passed]

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "version": CERTIFICATE_VERSION,
            "passed": self.passed,
            "artifact": dict(self.artifact),
            "reference": dict(self.reference),
            "target": dict(self.target),
            "prompts": dict(self.prompts),
            "bounds": self.bounds._asdict(),
            "items": {
                item.name: {"passed": item.passed, "summary": item.summary}
                | dict(item.figures)
                | {"first_difference": item.first_difference}
                for item in self.items
            },
        }

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(self.to_row(), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Read it back.

        Raises:
            FddError: The file is no certificate.
        """
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            if row["version"] != CERTIFICATE_VERSION:
                raise ValueError(f"it is of version {row['version']}")
            items = tuple(_item(name, dict(content)) for name, content in row["items"].items())
            artifact, reference, target, prompts = (
                dict(row[k]) for k in ("artifact", "reference", "target", "prompts")
            )
            return cls(artifact, reference, target, prompts, Bounds(**row["bounds"]), items)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FddError(f"{path} is no parity certificate ({error}); remove it, and make it again.") from None


def _item(name: str, content: dict[str, Any]) -> Item:
    fixed = {key: content.pop(key) for key in ("passed", "summary", "first_difference")}
    if not isinstance(fixed["passed"], bool):
        raise TypeError(f"{name} neither passed nor failed")
    return Item(name, figures=content, **fixed)


def _shown(value: Any) -> str:
    """Return a value as it stands in a line: texts quoted, so that blanks and line ends show."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 90 else text[:87] + "..."
