"""Replies that come as a file: the results of a batch, in OpenAI's format and in any order."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.records import read_jsonl
from fdd_edge.result_base import Result
from fdd_edge.teachers.language_model._calls import Answered
from fdd_edge.teachers.language_model._response import read_response
from fdd_edge.teachers.language_model.teacher_options import Price
from fdd_edge.teachers.ledger._schema import connect

__all__ = ["ImportedReplies", "import_replies"]


@dataclass(frozen=True)
class ImportedReplies(Result):
    """What became of a file of replies.

    Attributes:
        imported: Replies that were waited for.
        known: Those that the ledger had already.
        failed: Requests that the batch did not answer; they are open again.
        unknown: Replies that nobody here waits for.
        waiting: Requests of the same batches that still have no reply.
    """

    imported: int
    known: int
    failed: int
    unknown: int
    waiting: int


def import_replies(ledger: Path, results: Path) -> ImportedReplies:
    """Put the replies of a batch into the ledger; a file may come in parts, and twice.

    Raises:
        FddError: The file cannot be read, a line is not a result of a batch, or the ledger cannot be written.
    """
    rows = [(number, row) for number, row in read_jsonl(results)]
    if not ledger.is_file():
        raise FddError(f"Nothing waits for replies: {ledger} does not exist.")
    connection = connect(ledger)
    counts: Counter[str] = Counter()
    runs: set[str] = set()
    try:
        connection.execute("BEGIN IMMEDIATE")
        for number, row in rows:
            key = row.get("custom_id")
            if not isinstance(key, str):
                raise FddError(f"{results}:{number} is not a result of a batch: it has no custom_id.")
            counts[_import(connection, key, row, runs)] += 1
        waiting = sum(_count_waiting(connection, run) for run in runs)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise FddError(f"{ledger}, the ledger of paid calls, cannot be written: {error}.") from None
    finally:
        connection.close()
    return ImportedReplies(counts["imported"], counts["known"], counts["failed"], counts["unknown"], waiting)


def _import(connection: sqlite3.Connection, key: str, row: Mapping[str, Any], runs: set[str]) -> str:
    """Import one result; return what became of it."""
    found = connection.execute(
        "SELECT id, run, price, price_source FROM attempts WHERE key = ? AND state = 'waiting'", (key,)
    ).fetchone()
    if found is None:
        is_known = connection.execute("SELECT 1 FROM attempts WHERE key = ? AND state = 'done'", (key,)).fetchone()
        return "known" if is_known else "unknown"
    attempt, run, price, source = found
    runs.add(run)
    response = row.get("response")
    body = response.get("body") if isinstance(response, Mapping) and response.get("status_code", 200) == 200 else None
    answered = read_response(body, latency=0.0)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    if not isinstance(answered, Answered):
        detail = json.dumps(row.get("error") or body or response)[:200]
        connection.execute(
            "UPDATE attempts SET state = 'failed', ended_at = ?, fault = 'batch', detail = ? WHERE id = ?",
            (now, detail, attempt),
        )
        return "failed"
    usage = answered.usage
    cost = None if price is None or usage is None else Price(**json.loads(price)).cost(usage)
    connection.execute(
        "UPDATE attempts SET state = 'done', ended_at = ?, reply = ?, finish_reason = ?, answered_by = ?, latency = ?,"
        " input_tokens = ?, cached_input_tokens = ?, output_tokens = ?, cost = ?, price_source = ? WHERE id = ?",
        (
            *(now, answered.text, answered.finish_reason, answered.model, answered.latency),
            *((None, None, None) if usage is None else usage),
            *(cost, None if cost is None else source, attempt),
        ),
    )
    return "imported"


def _count_waiting(connection: sqlite3.Connection, run: str) -> int:
    (n,) = connection.execute("SELECT COUNT(*) FROM attempts WHERE run = ? AND state = 'waiting'", (run,)).fetchone()
    return int(n)
