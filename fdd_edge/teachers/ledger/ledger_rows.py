"""What the ledger says about a run, as rows: the run's own attempts, and the replies that it found there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, Self

from fdd_edge.errors import FddError
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.ledger._schema import connect, connect_to_read

__all__ = ["LedgerRow", "read_copy", "restore", "rows_of_run", "write_copy"]

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
        reserved_at: When it was begun, UTC.
        sent_at: When it was sent, UTC.
        ended_at: When its end was written down, UTC.
        most_tokens: What it can have cost, where the endpoint does not say what it did; 0 if nothing.
        most_cost: Likewise.
        reply: What the model wrote.
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
    reserved_at: str | None = None
    sent_at: str | None = None
    ended_at: str | None = None
    most_tokens: int | None = None
    most_cost: float | None = None
    reply: str | None = None

    @classmethod
    def from_row(cls, row: dict[str, object]) -> Self:
        """Return the row of a copy; what a later version adds is left out."""
        return cls(**{name: row[name] for name in _NAMES if name in row})  # type: ignore[arg-type]

    @property
    def paid(self) -> bool:
        """Whether this run had to pay for it, as far as is known: a reply, of use or not, or one that never came."""
        return not self.found and (self.state == "done" or self.output_tokens is not None or self.in_doubt)

    @property
    def in_doubt(self) -> bool:
        """Whether it was sent, and nobody knows if a reply was written that did not arrive."""
        is_without_end = self.state == "sent" or (self.state == "failed" and bool(self.most_tokens))
        return not self.found and is_without_end and self.output_tokens is None

    @property
    def spend(self) -> Spend:
        """What the run has paid for it; where nobody has said how much, the most that it can be."""
        if not self.paid:
            return Spend(0, 0, 0.0)
        known = self.output_tokens is not None
        tokens = (self.input_tokens or 0) + (self.output_tokens or 0) if known else self.most_tokens
        return Spend(1, tokens or 0, (self.cost if known else self.most_cost) or 0.0)


_NAMES = tuple(field.name for field in fields(LedgerRow))
_OF_ATTEMPT = tuple(
    name for name in _NAMES if name not in ("found", "round", "teacher", "purpose", "problem_id", "draw")
)
_OF_ASKER = ("round", "teacher", "purpose", "problem_id", "draw")
_OF_ANOTHER_RUN = ""
"""In the place of a run of which a copy only says that it had paid."""


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
    connection = connect_to_read(path)
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


def restore(path: Path, run: str, rows: Sequence[LedgerRow]) -> int:
    """Put the rows of a run's copies into a ledger that lacks them, as on another machine; return how many.

    Raises:
        FddError: The ledger cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        restored = sum(_restore(connection, run, row) for row in rows if row.reserved_at is not None)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise FddError(f"{path}, the ledger of paid calls, cannot be written: {error}.") from None
    finally:
        connection.close()
    return restored


def _restore(connection: sqlite3.Connection, run: str, row: LedgerRow) -> bool:
    """Insert a row unless it is there; return whether it was not."""
    asker = tuple(getattr(row, name) for name in _OF_ASKER)
    who = " AND ".join(f"{{table}}.{name} = ?" for name in ("run", *_OF_ASKER))
    if row.found:
        used = connection.execute(
            f"SELECT 1 FROM uses JOIN attempts ON attempts.id = attempt WHERE key = ? AND {who.format(table='uses')}",
            (row.key, run, *asker),
        )
        if used.fetchone():
            return False
        there = connection.execute("SELECT id FROM attempts WHERE key = ? AND state = 'done'", (row.key,)).fetchone()
        attempt = there[0] if there else _insert(connection, _OF_ANOTHER_RUN, row)
        connection.execute("INSERT INTO uses VALUES (?, ?, ?, ?, ?, ?, ?)", (run, *asker, attempt))
        return True
    there = connection.execute(
        f"SELECT 1 FROM attempts WHERE key = ? AND reserved_at IS ? AND {who.format(table='attempts')}",
        (row.key, row.reserved_at, run, *asker),
    ).fetchone()
    if there is None:
        _insert(connection, run, row)
    return there is None


def _insert(connection: sqlite3.Connection, run: str, row: LedgerRow) -> int:
    names = [name for name in (*_OF_ATTEMPT, *_OF_ASKER) if name != "id"]
    values = {name: getattr(row, name) for name in names} | {"run": run, "body": "{}"}
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    added = connection.execute(f"INSERT INTO attempts ({columns}) VALUES ({marks})", tuple(values.values()))
    assert added.lastrowid is not None
    return added.lastrowid
