"""New problems from a language model behind an endpoint: faults, kills and budgets change nothing that is accepted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fault_server import Body, FaultServer, Question, Served, completion, serve, transient_faults
from teaching_server import text_for, written

from fdd_edge.errors import BudgetError, FddError, WaitingError
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.operations.evolve import evolve, read_declined
from fdd_edge.operations.teaching import Calls, NamedTeacher, TeacherModel, check_endpoints, name_teacher
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers.language_model._calls import Answered, Request, Usage
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.language_model.spending_limit import BudgetOptions
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, GgufOptions, Price, RecordedOptions
from fdd_edge.teachers.ledger import Asker, Ledger
from fdd_edge.teachers.ledger._schema import connect
from fdd_edge.teachers.ledger.imported import ImportedReplies, import_replies
from fdd_edge.teachers.ledger.ledger_rows import read_copy, rows_of_run
from fdd_edge.teachers.symbolic import generate

PRICE = Price(input=1.0, output=2.0)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A split of twenty easy and twenty hard problems."""
    problems = generate("train", 40, seed=5)
    for label in LABELS:
        own = {"easy": problems[:20], "hard": problems[20:]}.get(label, [])
        rows = (Problem.from_row({**problem.to_row(), "pass_rate": 1.0}).to_row() for problem in own)
        write_jsonl(tmp_path / "split" / f"{label}.jsonl", rows)
    return tmp_path / "split"


def teacher(
    server: FaultServer, ledger: Path, budget: BudgetOptions | None = None, concurrency: int = 8
) -> NamedTeacher:
    options = EndpointOptions(server.url, "tiny", max_concurrency=concurrency, price=PRICE)
    return NamedTeacher("mini", options, calls=Calls("run", ledger, budget or BudgetOptions()))


def write(out: Path, split: Path, asked: NamedTeacher, round_number: int = 0) -> list[Problem]:
    evolve(out, split=split, teacher=asked, options=EvolveOptions(), round_number=round_number, seed=round_number)
    return read_problems(OffspringFiles(out).problems)


@pytest.fixture
def faultless(split: Path, tmp_path: Path) -> list[Problem]:
    with serve(reply=written) as server:
        return write(tmp_path / "faultless", split, teacher(server, tmp_path / "other.sqlite"))


def test_new_problems_say_who_wrote_them(faultless: list[Problem]) -> None:
    assert len(faultless) == 40
    first = faultless[0]
    assert (first.teacher, first.origin, first.depth, first.round) == ("mini", "complex", 1, 1)
    assert first.teacher_notes["model"] == "tiny-2026-01-01" and len(first.teacher_notes["prompts"]) == 16


def test_faults_change_nothing_but_the_calls(split: Path, tmp_path: Path, faultless: list[Problem]) -> None:
    ledger = tmp_path / "calls.sqlite"
    with serve(reply=transient_faults(0.3, good=written)) as server:
        assert write(tmp_path / "out", split, teacher(server, ledger)) == faultless
        rows = rows_of_run(ledger, "run")
        assert {row.state for row in rows} == {"done", "failed"}
        assert len(rows) == len(server.asked) > 45
    assert list(read_copy(OffspringFiles(tmp_path / "out").calls)) == rows


def test_a_later_call_asks_nothing_again(split: Path, tmp_path: Path, faultless: list[Problem]) -> None:
    ledger = tmp_path / "calls.sqlite"
    with serve(reply=written) as server:
        asked = teacher(server, ledger)
        write(tmp_path / "out", split, asked)
        assert len(server.asked) == 40
        assert write(tmp_path / "again", split, asked) == faultless
        assert len(server.asked) == 40


def test_a_later_round_asks_for_other_problems(split: Path, tmp_path: Path) -> None:
    """The same parent, at the same change and draw, would bring the same reply, which is a duplicate."""
    with serve(reply=written) as server:
        asked = teacher(server, tmp_path / "calls.sqlite")
        first, second = (write(tmp_path / str(number), split, asked, number) for number in (0, 1))
        assert len(server.asked) == len({json.dumps(body) for body in server.asked if "one change" in str(body)}) + 40
    complex_ = [[p.question for p in problems if p.origin == "complex"] for problems in (first, second)]
    assert not set(complex_[0]) & set(complex_[1])


KILLED = """
import sys
from pathlib import Path
from fault_server import FaultServer
from test_operations_teaching import teacher, write
write(Path(sys.argv[1]), Path(sys.argv[2]), teacher(FaultServer(port=int(sys.argv[4])), Path(sys.argv[3])))
"""


@contextmanager
def process(out: Path, split: Path, ledger: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, out, split, ledger, str(port)], env={**os.environ, "PYTHONPATH": paths}
    ) as started:
        yield started


@pytest.mark.slow
def test_killed_anywhere_it_asks_no_committed_request_again(
    split: Path, tmp_path: Path, faultless: list[Problem]
) -> None:
    """Twenty kills, each while some request is being answered."""
    ledger, kills = tmp_path / "calls.sqlite", iter(Random(0).sample(range(1, 40), 20))
    faults = transient_faults(0.3, good=written)
    running: list[subprocess.Popen[bytes]] = []
    state = {"seen": 0, "kill_at": 0}

    def reply(question: Question) -> Served:
        state["seen"] += 1
        if state["seen"] == state["kill_at"]:
            running[-1].send_signal(signal.SIGKILL)
        return faults(question)

    killed = 0
    with serve(reply=reply) as server:
        while True:
            committed = {row.key for row in rows_of_run(ledger, "run") if row.state == "done"}
            state.update(seen=0, kill_at=next(kills, 0))
            with process(tmp_path / "out", split, ledger, server.port) as started:
                running.append(started)
            rows = [row for row in rows_of_run(ledger, "run") if row.state == "done"]
            assert len({row.key for row in rows}) == len(rows) >= len(committed)
            if started.returncode == 0:
                break
            assert started.returncode == -signal.SIGKILL
            killed += 1
    assert read_problems(OffspringFiles(tmp_path / "out").problems) == faultless
    in_doubt = [row for row in rows_of_run(ledger, "run") if row.state == "sent"]
    assert killed and len(in_doubt) <= 8 * killed


def test_a_budget_ends_the_work_and_a_larger_one_goes_on(split: Path, tmp_path: Path, faultless: list[Problem]) -> None:
    ledger, out = tmp_path / "calls.sqlite", tmp_path / "out"
    with serve(reply=written) as server:
        with pytest.raises(BudgetError, match=r"teacher\.budget\.calls \(25\) is used up: 25 of it spent in 25 calls"):
            write(out, split, teacher(server, ledger, BudgetOptions(calls=25)))
        assert len(server.asked) == 25
        assert write(out, split, teacher(server, ledger, BudgetOptions(calls=60))) == faultless
        assert len(server.asked) == 40


def test_a_budget_of_money(split: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "calls.sqlite"
    with serve(reply=written) as server:
        with pytest.raises(BudgetError, match=r"teacher\.budget\.cost .* does not pay for one call"):
            write(tmp_path / "out", split, teacher(server, ledger, BudgetOptions(cost=0.000001)))
        assert server.asked == []
        with pytest.raises(BudgetError, match=r"teacher\.budget\.cost .* is used up"):
            write(tmp_path / "out", split, teacher(server, ledger, BudgetOptions(cost=0.004)))
    spent = sum(row.cost or 0 for row in rows_of_run(ledger, "run"))
    assert 0 < spent <= 0.004


def test_a_budget_pays_for_a_batch_and_for_those_that_wait_already(split: Path, tmp_path: Path) -> None:
    """A budget did not limit what is written into the files of batches."""
    options = EndpointOptions("http://localhost:1/v1", "tiny", price=PRICE, batch="file")

    def asked(calls: int) -> NamedTeacher:
        of_run = Calls("run", tmp_path / "calls.sqlite", BudgetOptions(calls=calls), tmp_path / "batches")
        return NamedTeacher("mini", options, calls=of_run)

    fault = r"teacher\.budget\.calls \(30\) does not pay for the 40 requests that wait for replies, which may take 40"
    with pytest.raises(BudgetError, match=fault):
        write(tmp_path / "out", split, asked(30))
    assert len(list((tmp_path / "batches").iterdir())) == 1
    with pytest.raises(WaitingError, match="20 requests to tiny wait for replies"):
        write(tmp_path / "out", split, asked(40))
    assert len(list((tmp_path / "batches").iterdir())) == 2


def test_what_a_model_file_wrote_is_not_of_a_budget(tmp_path: Path) -> None:
    """Its tokens and calls counted against ``teacher.budget``, which they cost nothing of."""
    ledger = tmp_path / "calls.sqlite"

    async def ask(address: str) -> None:
        async with Ledger(ledger, Asker("run", 0, "mini")) as opened:
            row = await opened.reserve(address, "m", Request({"messages": []}, "rationale", address))
            await opened.sent(row)
            await opened.done(row, Answered("x", "stop", Usage(7, 0, 3), "m", 0.1), cost=0.5, price_source="config")

    asyncio.run(ask("gguf:abc"))
    assert Calls("run", ledger).spent() == Spend(0, 0, 0.0)
    asyncio.run(ask("http://localhost:1/v1"))
    assert Calls("run", ledger).spent() == Spend(1, 10, 0.5)


def test_a_reply_that_is_of_no_use_was_paid(split: Path, tmp_path: Path) -> None:
    """What a broken reply had cost was forgotten when the run was started again, so that a budget could be exceeded."""

    def reply(question: Question) -> Served:
        usage = {"prompt_tokens": 90, "completion_tokens": 10}
        return Served(content=json.dumps({"model": "tiny", "choices": [], "usage": usage}).encode())

    ledger = tmp_path / "calls.sqlite"
    with serve(reply=reply) as server:
        calls = teacher(server, ledger).calls
        assert calls is not None
        write(tmp_path / "out", split, teacher(server, ledger))
        n = len(server.asked)
    assert calls.spent()[:2] == (n, 100 * n)
    assert calls.spent().cost == pytest.approx(0.00011 * n)


def uncounted(question: Question) -> Served:
    """A good reply of an endpoint that does not count tokens."""
    body = {key: value for key, value in reply_to(question.body).items() if key != "usage"}
    return Served(content=json.dumps(body).encode())


def test_replies_that_nobody_counted_are_spent_after_a_restart_too(split: Path, tmp_path: Path) -> None:
    """They cost nothing once the process had ended: each restart spent the whole budget again."""
    budget = BudgetOptions(tokens=8000)
    with serve(reply=uncounted) as server:
        for _ in range(3):
            with pytest.raises(BudgetError):
                write(tmp_path / "out", split, teacher(server, tmp_path / "calls.sqlite", budget, concurrency=1))
        asked = len(server.asked)
    spent = Calls("run", tmp_path / "calls.sqlite").spent()
    assert 0 < spent.calls == asked and 7000 < spent.tokens <= 8000


def test_replies_that_broke_off_may_have_been_paid(split: Path, tmp_path: Path) -> None:
    """A budget of three calls let 24 requests through, because none of them had brought a whole reply."""

    def cut(question: Question) -> Served:
        return Served(content=written(question).content[:40])

    with serve(reply=cut) as server:
        with pytest.raises(BudgetError, match=r"teacher\.budget\.calls \(3\) is used up: 3 of it spent in 3 calls"):
            write(tmp_path / "out", split, teacher(server, tmp_path / "calls.sqlite", BudgetOptions(calls=3)))
        assert len(server.asked) == 3
    assert [row.in_doubt for row in rows_of_run(tmp_path / "calls.sqlite", "run") if row.sent_at] == [True] * 3


def test_why_nothing_was_written_is_counted(split: Path, tmp_path: Path) -> None:
    def reply(question: Question) -> Served:
        cut = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "<question>"}}
        body = {"model": "tiny", "choices": [cut], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
        return Served(content=json.dumps(body).encode())

    ledger = tmp_path / "calls.sqlite"
    with serve(reply=reply) as server:
        assert write(tmp_path / "out", split, teacher(server, ledger)) == []
    declined = read_declined(OffspringFiles(tmp_path / "out").declined)
    assert {branch: {reason: len(ids) for reason, ids in reasons.items()} for branch, reasons in declined.items()} == {
        "complex": {"reply_cut": 20},
        "similar": {"reply_cut": 20},
    }
    assert all(row.paid and row.output_tokens == 1 for row in rows_of_run(ledger, "run"))


def results_of(requests: Iterable[Path], *, part: slice = slice(None)) -> list[dict[str, object]]:
    """Answer the files of a batch as a batch service does: in another order."""
    rows = [row for path in requests for _, row in read_jsonl(path)]
    return [
        {"custom_id": row["custom_id"], "response": {"status_code": 200, "body": reply_to(row["body"])}, "error": None}
        for row in rows[::-1][part]
    ]


def reply_to(body: Body) -> dict[str, Any]:
    return completion(body, message={"role": "assistant", "content": text_for(body)})


def test_batches_as_files(split: Path, tmp_path: Path) -> None:
    ledger, out, results = tmp_path / "calls.sqlite", tmp_path / "out", tmp_path / "results.jsonl"
    options = EndpointOptions("http://localhost:1/v1", "tiny", price=PRICE, batch="file")
    asked = NamedTeacher("mini", options, calls=Calls("run", ledger, batches=tmp_path / "batches"))
    for _ in range(2):
        with pytest.raises(WaitingError, match="20 requests to tiny wait for replies") as caught:
            write(out, split, asked)
        assert caught.value.exit_code == 7
    files = sorted((tmp_path / "batches").iterdir())
    assert len(files) == 2, "one of each branch, and the same again"
    answered = results_of(files)
    write_jsonl(results, answered[:15])
    assert import_replies(ledger, results).to_dict() == ImportedReplies(15, 0, 0, 0, 25).to_dict()
    with pytest.raises(WaitingError, match="5 requests to tiny wait for replies"):
        write(out, split, asked)
    broken = [{"custom_id": answered[-1]["custom_id"], "response": None, "error": {"message": "expired"}}]
    write_jsonl(results, [*answered[:-1], *broken, {"custom_id": "of another", "response": {"body": {}}}])
    assert import_replies(ledger, results).to_dict() == ImportedReplies(24, 15, 1, 1, 0).to_dict()
    with pytest.raises(WaitingError, match="1 request to tiny waits for replies"):
        write(out, split, asked)
    write_jsonl(results, answered[-1:])
    import_replies(ledger, results)
    with serve(reply=written) as server:
        live = NamedTeacher("mini", replace(options, batch=None, base_url=server.url), calls=Calls("b", tmp_path / "b"))
        assert write(out, split, asked) == write(tmp_path / "live", split, live)
    rows = rows_of_run(ledger, "run")
    assert sum(row.cost or 0 for row in rows) > 0 and {row.price_source for row in rows if row.cost} == {"config"}
    assert list(read_copy(OffspringFiles(out).calls)) == rows


@pytest.fixture
def waiting(split: Path, tmp_path: Path) -> NamedTeacher:
    """A teacher whose forty requests wait in two files."""
    options = EndpointOptions("http://localhost:1/v1", "tiny", price=PRICE, batch="file")
    calls = Calls("run", tmp_path / "calls.sqlite", batches=tmp_path / "batches")
    asked = NamedTeacher("mini", options, calls=calls)
    with pytest.raises(WaitingError):
        write(tmp_path / "out", split, asked)
    return asked


def batch_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "batches").iterdir())


def test_what_waits_is_told_once(split: Path, tmp_path: Path, waiting: NamedTeacher) -> None:
    """ "and the same command again" stood there for each branch."""
    with pytest.raises(WaitingError) as caught:
        write(tmp_path / "out", split, waiting)
    said = str(caught.value)
    assert all(str(path) in said for path in batch_files(tmp_path))
    assert said.count("same command again") == said.count("ledger import") == 1


def test_nobody_sends_a_request_in_two_files(split: Path, tmp_path: Path, waiting: NamedTeacher) -> None:
    """The file of all requests stayed beside the one of those that were still open."""
    before, results = batch_files(tmp_path), tmp_path / "results.jsonl"
    theirs = tmp_path / "batches" / "round-00-mini-00000000.jsonl"
    theirs.write_text("not ours")
    write_jsonl(results, results_of(before[:1], part=slice(0, 15)))
    import_replies(tmp_path / "calls.sqlite", results)
    with pytest.raises(WaitingError, match="5 requests to tiny wait"):
        write(tmp_path / "out", split, waiting)
    after = set(batch_files(tmp_path))
    assert before[0] not in after and {before[1], theirs} < after and len(after) == 3


def test_a_reply_is_taken_after_an_earlier_line_has_failed(tmp_path: Path, waiting: NamedTeacher) -> None:
    """It was dropped as unknown, although it had been paid."""
    results, ledger = tmp_path / "results.jsonl", tmp_path / "calls.sqlite"
    good = results_of(batch_files(tmp_path))
    write_jsonl(results, [{**row, "response": None, "error": {"message": "expired"}} for row in good])
    assert import_replies(ledger, results).failed == 40
    assert import_replies(ledger, results).failed == 40
    write_jsonl(results, good)
    assert import_replies(ledger, results).to_dict() == ImportedReplies(40, 0, 0, 0, 0).to_dict()
    assert import_replies(ledger, results).known == 40
    rows = rows_of_run(ledger, "run")
    assert sorted(row.state for row in rows) == ["done"] * 40 + ["failed"] * 40
    assert all(row.cost for row in rows if row.state == "done")


def test_the_requests_are_not_their_replies(tmp_path: Path, waiting: NamedTeacher) -> None:
    """Every request of the file was marked as failed."""
    with pytest.raises(FddError, match=r"neither a response nor an error. These are the requests, not the replies"):
        import_replies(tmp_path / "calls.sqlite", batch_files(tmp_path)[0])
    assert {row.state for row in rows_of_run(tmp_path / "calls.sqlite", "run")} == {"waiting"}


def test_a_status_may_be_a_text(tmp_path: Path, waiting: NamedTeacher) -> None:
    results = tmp_path / "results.jsonl"
    (row,) = results_of(batch_files(tmp_path), part=slice(0, 1))
    response = row["response"]
    assert isinstance(response, dict)
    write_jsonl(results, [{**row, "response": {**response, "status_code": "200"}}])
    assert import_replies(tmp_path / "calls.sqlite", results).imported == 1


@pytest.mark.parametrize("cut", [1, 60])
def test_the_whole_lines_of_a_file_that_was_cut_off(
    tmp_path: Path, waiting: NamedTeacher, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    first, second = (json.dumps(row, ensure_ascii=False) for row in results_of(batch_files(tmp_path), part=slice(0, 2)))
    results.write_bytes(f"{first}\n{second[:cut]}ä".encode()[:-1])
    assert import_replies(tmp_path / "calls.sqlite", results).imported == 1
    assert "results.jsonl:2 is cut off" in capsys.readouterr().err
    results.write_text(second[:cut])
    with pytest.raises(FddError, match=r"results\.jsonl:1 is not valid JSON"):
        import_replies(tmp_path / "calls.sqlite", results)


def test_each_endpoint_that_is_asked_itself_is_checked_once(tmp_path: Path) -> None:
    with serve() as server:
        live = teacher(server, tmp_path / "calls.sqlite")
        assert isinstance(live.model, EndpointOptions)
        file = replace(live, model=replace(live.model, batch="file"))
        bank = replace(live, model=RecordedOptions(str(tmp_path / "bank.jsonl")))
        check_endpoints([NamedTeacher("symbolic"), bank, file])
        assert server.headers == []
        check_endpoints([live, replace(live, name="other")])
        assert len(server.headers) == 1 and server.asked == []


def test_files_that_are_no_results_of_a_batch(tmp_path: Path) -> None:
    results, ledger = tmp_path / "results.jsonl", tmp_path / "calls.sqlite"
    write_jsonl(results, [{"id": 1}])
    with pytest.raises(FddError, match="Nothing waits for replies"):
        import_replies(ledger, results)
    rows_of_run(ledger, "run")
    connect(ledger).close()
    with pytest.raises(FddError, match=r"results\.jsonl:1 is not a result of a batch: it has no custom_id"):
        import_replies(ledger, results)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (
            "mni",
            "There is no teacher named 'mni'. Did you mean 'mini'? Known: annotated, symbolic, bank, ",
        ),
        ("bank", "nowhere.jsonl does not exist"),
        ("file", "nowhere.gguf"),
        ("mini", "teacher.budget.cost needs a price, and none is known for 'unheard-of' at http://localhost:1/v1"),
        ("poor", "teacher.budget.cost (1) does not pay for one call, which may take 1,024"),
        ("endless", "teacher.budget needs to know how long a reply may be; set teacher.models.endless.max_tokens"),
    ],
)
def test_teachers_that_cannot_be_asked(name: str, fault: str, tmp_path: Path) -> None:
    models: dict[str, TeacherModel] = {
        "mini": EndpointOptions("http://localhost:1/v1", "unheard-of"),
        "endless": EndpointOptions("http://localhost:1/v1", "m", max_tokens=None, price=PRICE),
        "poor": EndpointOptions("http://localhost:1/v1", "m", max_tokens=1_024_000, price=Price(1000, 1000)),
        "bank": RecordedOptions(str(tmp_path / "nowhere.jsonl")),
        "file": GgufOptions(str(tmp_path / "nowhere.gguf")),
    }
    calls = Calls("run", tmp_path / "calls.sqlite", BudgetOptions(cost=1.0))
    with pytest.raises(FddError) as caught:
        name_teacher(name, dict(sorted(models.items())), writer=True, calls=calls)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("served", "changes", "doubt"),
    [
        ({}, {}, None),
        ({"models": None}, {}, None),
        ({"models": ["tiny:latest"]}, {}, None),
        ({"models": ["*"]}, {}, None),
        ({}, {"batch": "file", "model": "tinny"}, None),
        (
            {},
            {"model": "tinny"},
            "does not list the model 'tinny', which it may know all the same. Did you mean 'tiny'?",
        ),
    ],
)
def test_a_model_that_is_not_listed_is_a_doubt(
    served: dict[str, Any], changes: dict[str, Any], doubt: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong model was found when the round had been trained; Ollama adds a tag, and proxies list patterns."""
    with serve(**served) as server:
        check_endpoints([NamedTeacher("mini", replace(EndpointOptions(server.url, "tiny"), **changes))])
        assert server.asked == []
    assert [doubt is not None and doubt in message for message in caplog.messages] == ([True] if doubt else [])
