"""The ledger of calls to language models: every attempt, its reply, its tokens and its price; nothing is paid twice.

A database of the standard library, in the user's cache folder and shared by all runs. A reply is known by what was
asked, of whom, and which draw it is, so that a later run, or the same one after it was killed, finds it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from fdd_edge.cache import cache_folder
from fdd_edge.errors import FddError
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request, Usage
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.language_model.prices import Quote
from fdd_edge.teachers.ledger._schema import connect
from fdd_edge.teachers.ledger._writer import Writer

__all__ = ["Asker", "Ledger", "default_ledger", "key_of"]

T = TypeVar("T")

_ASKED = "run, round, teacher, purpose, problem_id, draw"
"""The columns that both tables have."""

_OF_ATTEMPT = f"key, {_ASKED}, base_url, model, body, reserved_at"
_MARKS = ", ".join("?" * len(_OF_ATTEMPT.split(",")))
"""The columns of a new attempt, and a placeholder for each."""

_MOST_NAMES = 500
"""Placeholders in one statement; SQLite has a limit."""


@dataclass(frozen=True)
class Asker:
    """On whose behalf calls are made.

    Attributes:
        run: The id of the run.
        round: The number of its round.
        teacher: The name that the config gives to the model.
    """

    run: str
    round: int
    teacher: str


def default_ledger() -> Path:
    """Return the path of the user's ledger."""
    return cache_folder("ledger") / "calls.sqlite"


def key_of(base_url: str, request: Request) -> str:
    """Return the sha256 of what a reply depends on, in hex: what is asked, of whom, and which draw it is."""
    asked = {"base_url": base_url.rstrip("/"), "body": request.body, "draw": request.draw}
    return hashlib.sha256(_canonical(asked).encode()).hexdigest()


class Ledger:
    """The ledger, open for one asker. Its methods return when what they write is on disk."""

    def __init__(self, path: Path, asker: Asker) -> None:
        """Open the database, or make it.

        Raises:
            FddError: It cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._asker = path, asker
        self._writer = Writer(lambda: connect(path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    async def find(self, base_url: str, requests: Iterable[Request]) -> list[Answered | None]:
        """Return the reply to each request that was ever committed, and note that it was used here."""
        keyed = [(key_of(base_url, request), request) for request in requests]

        def look_up(connection: sqlite3.Connection) -> list[Answered | None]:
            known = dict(_known(connection, [key for key, _ in keyed]))
            uses = [(known[key][0], request) for key, request in keyed if key in known]
            connection.executemany(
                f"INSERT OR IGNORE INTO uses ({_ASKED}, attempt)"
                " SELECT ?, ?, ?, ?, ?, ?, id FROM attempts WHERE id = ? AND run != ?",
                [(*self._who(request), attempt, self._asker.run) for attempt, request in uses],
            )
            return [known[key][1] if key in known else None for key, _ in keyed]

        return await self._run(look_up)

    async def has_answered(self, base_url: str, model: str) -> bool:
        """Return whether the ledger has a reply to this run of a model."""
        asked = (self._asker.run, base_url.rstrip("/"), model)

        def look_up(connection: sqlite3.Connection) -> bool:
            return (
                connection.execute(
                    "SELECT 1 FROM attempts WHERE run = ? AND base_url = ? AND model = ? AND state = 'done' LIMIT 1",
                    asked,
                ).fetchone()
                is not None
            )

        return await self._run(look_up)

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> dict[str, int]:
        """Return how many draws earlier rounds of this run asked for, by problem."""
        asker = self._asker

        def count(connection: sqlite3.Connection) -> dict[str, int]:
            rows = connection.execute(
                "SELECT problem_id, MAX(draw) + 1 FROM"
                f" (SELECT {_ASKED} FROM attempts UNION ALL SELECT {_ASKED} FROM uses)"
                " WHERE run = ? AND round < ? AND teacher = ? AND purpose = ? GROUP BY problem_id",
                (asker.run, asker.round, asker.teacher, purpose),
            )
            return dict(rows)

        found = await self._run(count)
        return {name: found[name] for name in problem_ids if name in found}

    async def wait(self, base_url: str, model: str, requests: Iterable[Request], quote: Quote | None) -> None:
        """Note that replies to requests will be imported, and what they will cost; twice is as good as once."""
        price = None if quote is None else _canonical(asdict(quote.price))
        source = None if quote is None else quote.source
        rows = [(self._row(base_url, model, request), key_of(base_url, request)) for request in requests]

        def insert(connection: sqlite3.Connection) -> None:
            connection.executemany(
                f"INSERT INTO attempts (state, {_OF_ATTEMPT}, price, price_source) SELECT 'waiting', {_MARKS}, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE key = ? AND state = 'waiting')",
                [(*row, price, source, key) for row, key in rows],
            )

        await self._run(insert)

    async def waiting_bodies(self) -> dict[str, Mapping[str, Any]]:
        """Return the body of every request of this run that waits for its reply, by key."""
        rows = await self._run(
            lambda connection: connection.execute(
                "SELECT key, body FROM attempts WHERE run = ? AND state = 'waiting'", (self._asker.run,)
            ).fetchall()
        )
        return {key: json.loads(body) for key, body in rows}

    async def reserve(self, base_url: str, model: str, request: Request, most: Spend | None = None) -> int:
        """Begin an attempt; return its number.

        Args:
            base_url: Who is asked.
            model: The model that is asked for.
            request: What is asked.
            most: What it can cost; None if it costs nothing.
        """
        row = (*self._row(base_url, model, request), *((0, 0.0) if most is None else most[1:]))

        def insert(connection: sqlite3.Connection) -> int:
            added = connection.execute(
                f"INSERT INTO attempts (state, {_OF_ATTEMPT}, most_tokens, most_cost)"
                f" VALUES ('reserved', {_MARKS}, ?, ?)",
                row,
            )
            assert added.lastrowid is not None
            return added.lastrowid

        return await self._run(insert)

    async def sent(self, attempt: int) -> None:
        """Note that an attempt is about to be sent: from here on it may have to be paid."""
        await self._update(attempt, state="sent", sent_at=_now())

    async def done(self, attempt: int, answered: Answered, *, cost: float | None, price_source: str | None) -> None:
        """Commit a reply."""
        await self._update(
            attempt,
            state="done",
            ended_at=_now(),
            reply=answered.text,
            finish_reason=answered.finish_reason,
            answered_by=answered.model,
            latency=answered.latency,
            **_spent(answered.usage, cost, price_source),
        )

    async def failed(
        self,
        attempt: int,
        fault: CallFault,
        usage: Usage | None = None,
        *,
        cost: float | None = None,
        price_source: str | None = None,
        may_be_paid: bool = False,
    ) -> None:
        """Note that an attempt brought no reply that can be used.

        Args:
            attempt: Its number.
            fault: Why.
            usage: Tokens that were paid all the same, if the endpoint says so.
            cost: Their price.
            price_source: Where the price is from.
            may_be_paid: Whether a reply may have been written that did not arrive.
        """
        is_free = usage is None and not may_be_paid
        await self._update(
            attempt,
            state="failed",
            ended_at=_now(),
            fault=fault.reason,
            detail=fault.detail,
            **_spent(usage, cost, price_source),
            **({"most_tokens": 0, "most_cost": 0.0} if is_free else {}),
        )

    async def _update(self, attempt: int, **values: str | int | float | None) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        await self._run(
            lambda connection: connection.execute(
                f"UPDATE attempts SET {columns} WHERE id = ?", (*values.values(), attempt)
            )
        )

    async def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._writer(operation)
        except sqlite3.Error as error:
            raise FddError(f"{self._path}, the ledger of paid calls, cannot be written: {error}.") from None

    def _row(self, base_url: str, model: str, request: Request) -> tuple[str | int, ...]:
        """Return the values of ``_OF_ATTEMPT``."""
        key, body = key_of(base_url, request), _canonical(request.body)
        return key, *self._who(request), base_url.rstrip("/"), model, body, _now()

    def _who(self, request: Request) -> tuple[str, int, str, str, str, int]:
        asker = self._asker
        return asker.run, asker.round, asker.teacher, request.purpose, request.problem_id, request.draw


def _spent(usage: Usage | None, cost: float | None, price_source: str | None) -> dict[str, str | int | float | None]:
    """Return what an attempt cost, by column."""
    tokens = (None, None, None) if usage is None else usage
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "cost", "price_source")
    return dict(zip(names, (*tokens, cost, price_source), strict=True))


def _known(connection: sqlite3.Connection, keys: list[str]) -> Iterator[tuple[str, tuple[int, Answered]]]:
    """Yield key, number and reply of the committed attempts; of several with the same key the first comes last."""
    for start in range(0, len(keys), _MOST_NAMES):
        chunk = keys[start : start + _MOST_NAMES]
        marks = ", ".join("?" * len(chunk))
        for row in connection.execute(
            "SELECT key, id, reply, finish_reason, answered_by, latency, input_tokens, cached_input_tokens,"
            f" output_tokens FROM attempts WHERE state = 'done' AND key IN ({marks}) ORDER BY id DESC",
            chunk,
        ):
            key, attempt, reply, reason, model, latency, asked, cached, written = row
            usage = None if asked is None else Usage(asked, cached, written)
            yield key, (attempt, Answered(reply, reason, usage, model, latency))


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
