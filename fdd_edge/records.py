"""The JSON lines that link the stages on the host: what a problem is, and when two answers are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from fdd_edge.errors import FddError
from fdd_edge.runs.atomic import replacing
from fdd_edge.runs.fingerprint import Json

__all__ = [
    "PROBLEM_FIELDS",
    "RUN_MARKS",
    "Origin",
    "Problem",
    "ProblemSet",
    "parse_jsonl",
    "read_jsonl",
    "read_problems",
    "same_answer",
    "write_jsonl",
]

Origin = Literal["seed", "complex", "similar", "own"]
Number = int | float

_REQUIRED = ("id", "question", "answer", "source", "origin")
_TEXTS = (
    "id", "question", "source", "program", "written", "parent_id", "teacher", "solution", "reason", "against", "detail",
)  # fmt: skip
_COUNTS = ("depth", "round", "n_ops")
_MAPPINGS = ("teacher_notes", "declined")
_MOST_REPEATS = 100
"""A larger number would be a mistake, and fill the memory."""
_MAY_BE_NULL = ("program", "parent_id", "teacher", "n_ops")


@dataclass(frozen=True)
class Problem:
    """A math word problem, with the program that solves it if one is known.

    Attributes:
        id: Unique within a run.
        question: The text a student is asked.
        answer: The gold answer.
        source: The data set or teacher it comes from.
        program: The rationale in normal form; None in a test set.
        written: The program as it was written, in normal form, if the terse form of it is trained on.
        origin: ``seed``, or the branch of the feedback that wrote it.
        parent_id: The problem it was evolved from.
        depth: Number of evolutions since the seed problem.
        round: The round whose feedback wrote it; 0 for seed problems.
        n_ops: Arithmetic operations of the program.
        teacher: Who wrote the program.
        solution: A worked solution in words, such as GSM8K's with its calculator notes.
        teacher_notes: What the teacher that wrote the problem needs to write another one from it.
        renumbered: Whether it differs from its parent only in numbers and names.
        repeat: How often it occurs in an epoch of training.
        pass_rate: Share of right answers when it was last labelled.
        reason: Why it was rejected; None for an accepted problem.
        against: The problem that it was too similar to, if that is the reason.
        detail: What exactly was wrong, if the reason alone does not say it.
        declined: Why each teacher wrote no program for it, by teacher, if that is the reason.
        extra: Fields this version does not know; kept when the record is written again.
    """

    id: str
    question: str
    answer: Number
    source: str
    program: str | None = None
    written: str | None = None
    origin: Origin = "seed"
    parent_id: str | None = None
    depth: int = 0
    round: int = 0
    n_ops: int | None = None
    teacher: str | None = None
    solution: str | None = None
    teacher_notes: Mapping[str, Any] = field(default_factory=dict)
    renumbered: bool = False
    repeat: int = 1
    pass_rate: float | None = None
    reason: str | None = None
    against: str | None = None
    detail: str | None = None
    declined: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a problem from one JSON object; unknown fields go to ``extra``.

        Raises:
            KeyError: A required field is missing; the argument is its name.
            TypeError: A field has a type that does not fit the record.
        """
        for name in _REQUIRED:
            if name not in row:
                raise KeyError(name)
        _check_types(row)
        return cls(
            **{k: v for k, v in row.items() if k in PROBLEM_FIELDS},
            extra={k: v for k, v in row.items() if k not in PROBLEM_FIELDS},
        )

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object of this record; optional fields that hold their default are left out."""
        row = {name: getattr(self, name) for name in PROBLEM_FIELDS}
        return {k: v for k, v in row.items() if k in _ALWAYS or v not in (None, {}, _DEFAULTS.get(k))} | dict(
            self.extra
        )


PROBLEM_FIELDS = tuple(f.name for f in fields(Problem) if f.name != "extra")
"""Every field of the record; a data set's own fields of these names are not kept."""

RUN_MARKS = frozenset({"written", "renumbered", "repeat", "pass_rate", "reason", "against", "detail", "declined"})
"""The fields that a run sets on its problems: in anybody else's file they mean nothing."""

_ALWAYS = (*_REQUIRED, "depth", "round")
_DEFAULTS: dict[str, bool | int] = {"renumbered": False, "repeat": 1}


class ProblemSet(tuple[Problem, ...]):
    """Problems in a fixed order, known by the hash of their records."""

    __slots__ = ()

    def fingerprint(self) -> str:
        """Return the sha256 of the records, in hex."""
        digest = hashlib.sha256()
        for problem in self:
            digest.update(json.dumps(problem.to_row(), sort_keys=True).encode() + b"\n")
        return digest.hexdigest()


def _check_types(row: Mapping[str, Any]) -> None:
    if isinstance(row["answer"], bool) or not isinstance(row["answer"], int | float):
        raise TypeError("answer must be a number")
    if row["origin"] not in get_args(Origin):
        raise TypeError(f"origin must be one of {', '.join(get_args(Origin))}")
    for name in (*_TEXTS, *_COUNTS, *_MAPPINGS):
        if name in row and not (row[name] is None and name in _MAY_BE_NULL):
            _check_type(name, row[name])
    if not isinstance(row.get("renumbered", False), bool):
        raise TypeError("renumbered must be true or false")
    if not _is_count(repeat := row.get("repeat", 1)) or not 1 <= repeat <= _MOST_REPEATS:
        raise TypeError(f"repeat must be a whole number from 1 to {_MOST_REPEATS}")
    if "pass_rate" in row and (isinstance(row["pass_rate"], bool) or not isinstance(row["pass_rate"], int | float)):
        raise TypeError("pass_rate must be a number")


def _check_type(name: str, value: object) -> None:
    if name in _TEXTS and not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    if name in _COUNTS and not _is_count(value):
        raise TypeError(f"{name} must be a non-negative integer")
    if name in _MAPPINGS and not isinstance(value, dict):
        raise TypeError(f"{name} must be an object")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def same_answer(predicted: Number, gold: Number) -> bool:
    """Return whether a predicted answer counts as the gold one.

    The prediction must round to a whole gold answer and lie within 1e-6 of it, relative; for any other gold answer it
    may differ by 1e-4, relative, or 1e-6.
    """
    try:
        difference = abs(predicted - gold)
    except OverflowError:
        # An integer beyond the range of floats is not close to any fraction.
        return False
    if float(gold).is_integer():
        return difference <= 1e-6 * max(1.0, abs(gold)) and round(predicted) == gold
    return difference <= max(1e-4 * abs(gold), 1e-6)


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a JSON lines file; blank lines are skipped.

    Raises:
        FddError: The file is missing, or a line is not a JSON object; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FddError(f"{path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FddError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    yield from parse_jsonl(text, path)


def parse_jsonl(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of JSON lines that were read from a file; blank lines are skipped.

    Raises:
        FddError: A line is not a JSON object; names file and line.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise FddError(f"{path}:{number} is not valid JSON: {error}.") from None
        except RecursionError:
            raise FddError(f"{path}:{number} is nested too deeply.") from None
        if not isinstance(row, dict):
            raise FddError(f"{path}:{number} is not a JSON object.")
        yield number, row


def read_problems(path: Path) -> list[Problem]:
    """Read the problem records of a file.

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
    """Write JSON lines atomically."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
