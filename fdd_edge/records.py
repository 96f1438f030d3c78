"""The JSON lines that link the stages on the host: what a problem is, and when two answers are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from fdd_edge.errors import FddError

__all__ = ["Origin", "Problem", "hash_problems", "read_jsonl", "read_problems", "same_answer", "write_jsonl"]

Origin = Literal["seed", "complex", "similar"]
Number = int | float

_REQUIRED = ("id", "question", "answer", "source", "origin")
_TEXTS = ("id", "question", "source", "program", "parent_id", "teacher")
_COUNTS = ("depth", "round", "n_ops")
_MAY_BE_NULL = ("program", "parent_id", "teacher", "n_ops")


@dataclass(frozen=True)
class Problem:
    """A math word problem, with the program that solves it where one is known.

    Attributes:
        id: Unique within a run.
        question: The text a student is asked.
        answer: The gold answer.
        source: The data set or teacher it comes from.
        program: The rationale in normal form; None in a test set.
        origin: ``seed``, or the branch of the feedback that wrote it.
        parent_id: The problem it was evolved from.
        depth: Number of evolutions since the seed problem.
        round: The round whose feedback wrote it; 0 for seed problems.
        n_ops: Arithmetic operations of the program.
        teacher: Who wrote the program.
        extra: Fields this version does not know; kept when the record is written again.
    """

    id: str
    question: str
    answer: Number
    source: str
    program: str | None = None
    origin: Origin = "seed"
    parent_id: str | None = None
    depth: int = 0
    round: int = 0
    n_ops: int | None = None
    teacher: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a problem from one JSON object; unknown fields go to ``extra``.

        Raises:
            KeyError: A required field is missing; the argument is its name.
            TypeError: A field has another type than the record says.
        """
        for name in _REQUIRED:
            if name not in row:
                raise KeyError(name)
        _check_types(row)
        known = {f.name for f in fields(cls)} - {"extra"}
        return cls(
            **{k: v for k, v in row.items() if k in known},
            extra={k: v for k, v in row.items() if k not in known},
        )

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object of this record; fields that are None are left out."""
        row = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        return {k: v for k, v in row.items() if v is not None} | dict(self.extra)


def _check_types(row: Mapping[str, Any]) -> None:
    if isinstance(row["answer"], bool) or not isinstance(row["answer"], int | float):
        raise TypeError("answer must be a number")
    if row["origin"] not in get_args(Origin):
        raise TypeError(f"origin must be one of {', '.join(get_args(Origin))}")
    given = {name: row[name] for name in (*_TEXTS, *_COUNTS) if name in row}
    for name, value in given.items():
        if value is None and name in _MAY_BE_NULL:
            continue
        if name in _TEXTS and not isinstance(value, str):
            raise TypeError(f"{name} must be a string")
        if name in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise TypeError(f"{name} must be a whole number from 0 on")


def same_answer(predicted: Number, gold: Number) -> bool:
    """Say whether a predicted answer counts as the gold one.

    A whole gold answer must be what the prediction rounds to, and within 1e-6 of it, relative;
    any other may differ by 1e-4, relative, or 1e-6.
    """
    try:
        difference = abs(predicted - gold)
    except OverflowError:
        # An integer beyond the range of floats is no fraction's neighbour.
        return False
    if float(gold).is_integer():
        return difference <= 1e-6 * max(1.0, abs(gold)) and round(predicted) == gold
    return difference <= max(1e-4 * abs(gold), 1e-6)


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a JSON lines file; blank lines are passed over.

    Raises:
        FddError: The file is missing, or a line is not a JSON object; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FddError(f"{path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FddError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise FddError(f"{path}:{number} is not valid JSON: {error}.") from None
        if not isinstance(row, dict):
            raise FddError(f"{path}:{number} is not a JSON object.")
        yield number, row


def read_problems(path: Path) -> list[Problem]:
    """Read the problem records of one stage's file.

    Raises:
        FddError: A line is broken or lacks a field; names file and line.
    """
    problems = []
    for number, row in read_jsonl(path):
        try:
            problems.append(Problem.from_row(row))
        except KeyError as error:
            raise FddError(f"{path}:{number} lacks the field {error.args[0]!r}.") from None
        except TypeError as error:
            raise FddError(f"{path}:{number}: {error}.") from None
    return problems


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines whole or not at all: to a sibling first, which then takes the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    with partial.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    partial.replace(path)


def hash_problems(problems: Iterable[Problem]) -> str:
    """Return the sha256 of problem records, in their order."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(json.dumps(problem.to_row(), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
