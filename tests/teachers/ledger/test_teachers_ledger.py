"""The ledger: what was paid is found again, by whoever asks the same."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Request, Usage
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.ledger import Asker, Ledger, key_of
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, read_copy, restore, rows_of_run, write_copy

URL = "http://127.0.0.1:8000/v1"
ANSWERED = Answered("answer = 3", "stop", Usage(120, 100, 8), "model-2026", 0.25)


def request(text: str = "How many?", draw: int = 0, **options: float) -> Request:
    body = {"model": "model", "messages": [{"role": "user", "content": text}], **options}
    return Request(body, "rationale", "p1", draw)


def use(path: Path, what: Callable[[Ledger], Awaitable[object]], run: str = "run") -> object:
    async def within() -> object:
        async with Ledger(path, Asker(run, 0, "mini")) as ledger:
            return await what(ledger)

    return asyncio.run(within())


async def ask(ledger: Ledger, *requests: Request) -> None:
    for one in requests:
        attempt = await ledger.reserve(URL, "model", one)
        await ledger.sent(attempt)
        await ledger.done(attempt, ANSWERED, cost=0.5, price_source="config")


def test_a_reply_is_found_by_the_same_run_and_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "calls.sqlite"
    use(path, lambda ledger: ask(ledger, request()))
    for run in ("run", "other"):
        assert use(path, lambda ledger: ledger.find(URL, [request("Else?"), request()]), run) == [None, ANSWERED]
    (own,) = rows_of_run(path, "run")
    (found,) = rows_of_run(path, "other")
    assert (own.paid, own.found, own.cost) == (True, False, 0.5)
    assert (found.paid, found.found, found.id) == (False, True, own.id)


def test_what_a_reply_depends_on() -> None:
    same = Request({**request().body, "messages": list(request().body["messages"])}, "similar", "p2", 0)
    assert key_of(URL, request()) == key_of(f"{URL}/", same)
    others = (request("Else?"), request(draw=1), request(temperature=0.5))
    keys = {key_of(URL, one) for one in (request(), *others)} | {key_of("http://127.0.0.1:8001/v1", request())}
    assert len(keys) == 5


def test_an_attempt_that_failed_is_no_reply(tmp_path: Path) -> None:
    async def fail(ledger: Ledger) -> None:
        attempt = await ledger.reserve(URL, "model", request())
        await ledger.sent(attempt)
        await ledger.failed(attempt, CallFault("bad_request", "too long"))

    path = tmp_path / "calls.sqlite"
    use(path, fail)
    assert use(path, lambda ledger: ledger.find(URL, [request()])) == [None]
    (row,) = rows_of_run(path, "run")
    assert (row.state, row.fault, row.detail, row.paid) == ("failed", "bad_request", "too long", False)


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.teachers.ledger.test_teachers_ledger import *

async def main():
    async with Ledger(Path(sys.argv[1]), Asker("run", 0, "mini")) as ledger:
        await ask(ledger, request("committed"))
        await ledger.sent(await ledger.reserve(URL, "model", request("in flight")))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_killed_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    root = Path(__file__).parents[3]
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert killed.returncode == -signal.SIGKILL
    asked = [request("committed"), request("in flight")]
    assert use(path, lambda ledger: ledger.find(URL, asked)) == [ANSWERED, None]
    assert [row.state for row in rows_of_run(path, "run")] == ["done", "sent"]
    assert all(row.paid for row in rows_of_run(path, "run"))


def test_many_at_once_share_commits(tmp_path: Path) -> None:
    """Each commit waits for the disk; one for every row would be slower than the endpoint."""
    path = tmp_path / "calls.sqlite"
    commits: list[str] = []

    async def many(ledger: Ledger) -> None:
        await ledger._writer(lambda connection: connection.set_trace_callback(commits.append))
        await asyncio.gather(*(ask(ledger, request(str(n))) for n in range(200)))

    use(path, many)
    assert len(rows_of_run(path, "run")) == 200
    assert commits.count("COMMIT") < 200


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"

    async def both() -> None:
        async with Ledger(path, Asker("one", 0, "mini")) as one, Ledger(path, Asker("two", 0, "mini")) as two:
            await asyncio.gather(*(ask(ledger, request(str(n))) for n in range(50) for ledger in (one, two)))

    asyncio.run(both())
    assert [len(rows_of_run(path, run)) for run in ("one", "two")] == [50, 50]


def test_one_operation_that_fails_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"

    async def some(ledger: Ledger) -> None:
        broken = ledger._writer(lambda connection: connection.execute("no SQL"))
        results = await asyncio.gather(ask(ledger, request()), broken, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), sqlite3.OperationalError]

    use(path, some)
    assert len(rows_of_run(path, "run")) == 1


def test_ledgers_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(FddError, match=r"cannot be opened: file is not a database\. Move it away to begin a new one"):
        use(path, lambda ledger: ask(ledger))
    path.unlink()
    use(path, lambda ledger: ask(ledger))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(FddError, match="was written by a later version of fdd-edge"):
        use(path, lambda ledger: ask(ledger))


def test_a_runs_copy(tmp_path: Path) -> None:
    path, copy = tmp_path / "calls.sqlite", tmp_path / "ledger.jsonl"
    assert rows_of_run(path, "run") == []
    use(path, lambda ledger: ask(ledger, request(), request("Else?")))
    rows = rows_of_run(path, "run")
    write_copy(copy, rows)
    assert list(read_copy(copy)) == rows
    copy.write_text('{"id": 1}\n')
    with pytest.raises(FddError, match=r"ledger\.jsonl:1 is not a row of a ledger"):
        list(read_copy(copy))
    assert isinstance(rows[0], LedgerRow)


def test_the_copies_of_a_run_restore_it_in_another_ledger(tmp_path: Path) -> None:
    """A run that was moved to another machine asked the same again, and its budget began anew."""
    here, there, copy = tmp_path / "here.sqlite", tmp_path / "there" / "calls.sqlite", tmp_path / "ledger.jsonl"
    use(here, lambda ledger: ask(ledger, request("Found?")), "other")
    use(here, lambda ledger: ledger.find(URL, [request("Found?")]))
    use(here, lambda ledger: ask(ledger, request(), request(draw=1)))
    write_copy(copy, rows_of_run(here, "run"))
    copied = list(read_copy(copy))
    assert restore(there, "run", copied) == 3
    assert restore(there, "run", copied) == restore(here, "run", copied) == 0
    asked = [request("Found?"), request(), request(draw=1), request(draw=2)]
    assert use(there, lambda ledger: ledger.find(URL, asked)) == [ANSWERED, ANSWERED, ANSWERED, None]
    rows = {row.key: row for row in rows_of_run(there, "run")}
    assert {key: row.spend for key, row in rows.items()} == {row.key: row.spend for row in copied}

    async def later_draws() -> dict[str, int]:
        async with Ledger(there, Asker("run", 1, "mini")) as ledger:
            return await ledger.draws_so_far("rationale", ["p1"])

    assert asyncio.run(later_draws()) == {"p1": 2}


def test_a_reply_is_committed_although_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    """An interrupt cancelled what waited, and the thread of the ledger died of it, with all that was behind it."""
    path = tmp_path / "calls.sqlite"

    async def interrupted(ledger: Ledger) -> None:
        for n in range(50):
            attempt = await ledger.reserve(URL, "model", request(draw=n))
            await ledger.sent(attempt)
            task = asyncio.create_task(ledger.done(attempt, ANSWERED, cost=0.5, price_source="config"))
            await asyncio.sleep(0)
            task.cancel()
        await ask(ledger, request(draw=50))

    use(path, interrupted)
    assert [row.state for row in rows_of_run(path, "run")] == ["done"] * 51


def test_what_nobody_has_counted_costs_as_much_as_it_can(tmp_path: Path) -> None:
    path, most = tmp_path / "calls.sqlite", Spend(1, 500, 0.25)

    async def ends(ledger: Ledger) -> None:
        for n in range(5):
            attempt = await ledger.reserve(URL, "model", request(draw=n), most)
            if n == 0:
                continue  # reserved, and never sent
            await ledger.sent(attempt)
            if n == 1:
                await ledger.failed(attempt, CallFault("timeout", ""), may_be_paid=True)
            elif n == 2:
                await ledger.failed(attempt, CallFault("bad_request", ""))
            elif n == 3:
                await ledger.done(attempt, ANSWERED._replace(usage=None), cost=None, price_source=None)

    use(path, ends)
    rows = rows_of_run(path, "run")
    assert [row.spend for row in rows] == [Spend(0, 0, 0.0), most, Spend(0, 0, 0.0), most, most]
    assert [row.in_doubt for row in rows] == [False, True, False, False, True]


def test_a_ledger_of_version_1_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    use(path, lambda ledger: ask(ledger, request()))
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE attempts DROP COLUMN most_tokens")
    database.execute("ALTER TABLE attempts DROP COLUMN most_cost")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    (row,) = rows_of_run(path, "run")
    assert row.spend == Spend(1, 128, 0.5) and row.reply == "answer = 3"
