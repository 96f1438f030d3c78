"""What the ledger says about a run, as rows: the run's own attempts, and the replies that it found there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, Self

from fdd_edge.errors import FddError
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.teachers.ledger._schema import connect

__all__ = ["LedgerRow", "read_copy", "rows_of_run", "write_copy"]

State = Literal["reserved", "sent", "waiting", "done", "failed"]


@dataclass(frozen=True)
class LedgerRow:
    """One attempt to ask a language model, or one reply that was there already.

    Attributes:
        id: Its number in the ledger.
        key: Hash of what was asked, of whom, and which draw it is.
        state: ``waiting`` ones are in the file of a batch; ``reserved`` and ``sent`` are those that the process did
            not live to see the end of.
        found: Whether the reply was there already, paid by another run.
        round: The round that asked.
        teacher: The name that the config gives to the model.
        purpose: ``rationale``, ``complexify`` or ``similar``.
        problem_id: The problem that it is about.
        draw: Which of several replies to the same question.
        base_url: Who was asked.
        model: The model that was asked for.
        answered_by: The model as the endpoint names it.
        finish_reason: Why the model stopped.
        input_tokens: Tokens of the prompt, if the endpoint counts them.
        cached_input_tokens: Those of them that the provider had stored.
        output_tokens: Tokens of the reply.
        cost: In the currency of the price; None if no price is known.
        price_source: ``config``, or the price list and its version.
        latency: Seconds.
        fault: Why an attempt failed.
        detail: The same in words.
        sent_at: When it was sent, UTC.
    """

    id: int
    key: str
    state: State
    found: bool
    round: int
    teacher: str
    purpose: str
    problem_id: str
    draw: int
    base_url: str
    model: str
    answered_by: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    price_source: str | None = None
    latency: float | None = None
    fault: str | None = None
    detail: str | None = None
    sent_at: str | None = None

    @classmethod
    def from_row(cls, row: dict[str, object]) -> Self:
        """Return the row of a copy; what a later version adds is left out."""
        return cls(**{name: row[name] for name in _NAMES if name in row})  # type: ignore[arg-type]

    @property
    def paid(self) -> bool:
        """Whether this run had to pay for it, as far as is known: a reply, or one that nobody received."""
        return not self.found and self.state in ("done", "sent")


_NAMES = tuple(field.name for field in fields(LedgerRow))
_OF_ATTEMPT = tuple(
    name for name in _NAMES if name not in ("found", "round", "teacher", "purpose", "problem_id", "draw")
)
_OF_ASKER = ("round", "teacher", "purpose", "problem_id", "draw")


def rows_of_run(path: Path, run: str) -> list[LedgerRow]:
    """Return what a ledger holds about a run, in the order in which it was asked; none if there is no ledger.

    Raises:
        FddError: It cannot be read.
    """
    if not path.exists():
        return []
    attempt = ", ".join(f"attempts.{name}" for name in _OF_ATTEMPT)
    own, found = (", ".join(f"{table}.{name}" for name in _OF_ASKER) for table in ("attempts", "uses"))
    query = (
        f"SELECT 0, {attempt}, {own} FROM attempts WHERE run = :run UNION ALL "
        f"SELECT 1, {attempt}, {found} FROM uses JOIN attempts ON attempts.id = uses.attempt WHERE uses.run = :run"
    )
    connection = connect(path)
    try:
        rows = [
            LedgerRow(**dict(zip(("found", *_OF_ATTEMPT, *_OF_ASKER), (bool(row[0]), *row[1:]), strict=True)))
            for row in connection.execute(query, {"run": run})
        ]
    except sqlite3.Error as error:
        raise FddError(f"{path}, the ledger of paid calls, cannot be read: {error}.") from None
    finally:
        connection.close()
    return sorted(rows, key=lambda row: (row.round, row.id))


def write_copy(path: Path, rows: Sequence[LedgerRow]) -> None:
    """Write rows as JSON lines: a run's own copy of its part of the ledger."""
    write_jsonl(path, ({name: value for name, value in asdict(row).items() if value is not None} for row in rows))


def read_copy(path: Path) -> Iterator[LedgerRow]:
    """Read a run's copy.

    Raises:
        FddError: A line is broken; names file and line.
    """
    for number, row in read_jsonl(path):
        try:
            yield LedgerRow.from_row(row)
        except TypeError:
            raise FddError(f"{path}:{number} is not a row of a ledger.") from None
