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
from fdd_edge.progress import warn
from fdd_edge.records import parse_jsonl, read_jsonl
from fdd_edge.result_base import Result
from fdd_edge.teachers.language_model._calls import Answered
from fdd_edge.teachers.language_model._response import read_response
from fdd_edge.teachers.language_model.teacher_options import Price
from fdd_edge.teachers.ledger._schema import connect

__all__ = ["ImportedReplies", "import_replies"]


_OF_REQUEST = "key, run, round, teacher, purpose, problem_id, draw, base_url, model, body, price, price_source"


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
    """Put the replies of a batch into the ledger; a file may come in parts, cut off, and twice.

    Raises:
        FddError: The file cannot be read, a line is not a result of a batch, or the ledger cannot be written.
    """
    rows = _whole_rows(results)
    if not ledger.is_file():
        raise FddError(f"Nothing waits for replies: {ledger} does not exist.")
    connection = connect(ledger)
    counts: Counter[str] = Counter()
    runs: set[str] = set()
    try:
        connection.execute("BEGIN IMMEDIATE")
        for number, row in rows:
            counts[_import(connection, _key_of(row, f"{results}:{number}"), row, runs)] += 1
        waiting = sum(_count_waiting(connection, run) for run in runs)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise FddError(f"{ledger}, the ledger of paid calls, cannot be written: {error}.") from None
    finally:
        connection.close()
    return ImportedReplies(counts["imported"], counts["known"], counts["failed"], counts["unknown"], waiting)


def _whole_rows(results: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows of a file; a last line that was cut off, as by a download that ended early, is left out."""
    whole, _, last = results.read_bytes().rpartition(b"\n") if results.is_file() else (b"", b"", b"")
    if whole.strip() and last.strip() and not _is_json(last):
        try:
            rows = list(parse_jsonl(whole.decode("utf-8"), results))
        except UnicodeDecodeError:
            pass  # the cut is not all that is wrong
        else:
            number = whole.count(b"\n") + 2
            warn(f"{results}:{number} is cut off, so it was left out; import the file again when it is whole.")
            return rows
    return list(read_jsonl(results))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _key_of(row: Mapping[str, Any], where: str) -> str:
    """Return the key of a result of a batch.

    Raises:
        FddError: It is not one.
    """
    key = row.get("custom_id")
    if not isinstance(key, str):
        raise FddError(f"{where} is not a result of a batch: it has no custom_id.")
    if not ({"response", "error"} & row.keys()):
        is_request = "body" in row
        raise FddError(
            f"{where} is not a result of a batch: it has neither a response nor an error. "
            + ("These are the requests, not the replies; import the file that the service wrote." if is_request else "")
        )
    return key


def _import(connection: sqlite3.Connection, key: str, row: Mapping[str, Any], runs: set[str]) -> str:
    """Import one result; return what became of it.

    A good reply is taken for any request without one, whatever became of it: a line of an earlier file may have failed
    that a later one answers.
    """
    found = connection.execute(
        "SELECT id, state, run, price, price_source FROM attempts WHERE key = ?"
        " ORDER BY state = 'waiting' DESC, state = 'done' DESC, id DESC LIMIT 1",
        (key,),
    ).fetchone()
    if found is None:
        return "unknown"
    attempt, state, run, price, source = found
    if state == "done":
        return "known"
    runs.add(run)
    response = row.get("response")
    body = None
    if isinstance(response, Mapping) and response.get("status_code", 200) in (200, "200"):
        body = response.get("body")
    answered = read_response(body, latency=0.0)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    if not isinstance(answered, Answered):
        detail = json.dumps(row.get("error") or body or response)[:200]
        connection.execute(
            "UPDATE attempts SET state = 'failed', ended_at = ?, fault = 'batch', detail = ?"
            " WHERE id = ? AND state = 'waiting'",
            (now, detail, attempt),
        )
        return "failed"
    if state != "waiting":
        attempt = _repeated(connection, attempt, now)
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


def _repeated(connection: sqlite3.Connection, attempt: int, now: str) -> int:
    """Add an attempt like one that brought nothing, and keep that one as it is; return the new one's number."""
    added = connection.execute(
        f"INSERT INTO attempts ({_OF_REQUEST}, state, reserved_at) SELECT {_OF_REQUEST}, 'waiting', ?"
        " FROM attempts WHERE id = ?",
        (now, attempt),
    )
    assert added.lastrowid is not None
    return added.lastrowid


def _count_waiting(connection: sqlite3.Connection, run: str) -> int:
    (n,) = connection.execute("SELECT COUNT(*) FROM attempts WHERE run = ? AND state = 'waiting'", (run,)).fetchone()
    return int(n)
