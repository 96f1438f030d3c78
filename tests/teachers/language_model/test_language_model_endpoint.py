"""An endpoint with faults: what is asked again, what ends, what is kept, and that nobody sees the key."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fault_server import (
    FAULTS,
    FaultServer,
    Question,
    Served,
    completion,
    error,
    good,
    serve,
    text_for,
    transient_faults,
)

from fdd_edge.errors import BudgetError, EndpointError, FddError
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Request
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.language_model.endpoint import Endpoint
from fdd_edge.teachers.language_model.secret import Secret
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, Price
from fdd_edge.teachers.ledger import Asker, Ledger
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, rows_of_run

KEY = "sk-Test/Key+0123456789abcdef"


class FastClock:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        end = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, end)


class Purse:
    """A budget of tokens."""

    def __init__(self, tokens: int) -> None:
        self.left, self.in_flight = tokens, 0
        self.changed = asyncio.Event()
        self.settled: list[Spend] = []

    async def reserve(self, most: Spend) -> None:
        while self.left < most.tokens:
            if not self.in_flight:
                raise BudgetError("the budget is used up")
            self.changed.clear()
            await self.changed.wait()
        self.in_flight += 1
        self.left -= most.tokens

    def settle(self, reserved: Spend, spent: Spend) -> None:
        self.in_flight -= 1
        self.left += reserved.tokens - spent.tokens
        self.settled.append(spent)
        self.changed.set()


def questions(n: int) -> list[Request]:
    return [
        Request({"messages": [{"role": "user", "content": f"Question {i}?"}]}, "rationale", f"p{i}") for i in range(n)
    ]


class Asked:
    """What became of requests: results or an error, the clock, and the rows of the ledger."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "calls.sqlite"
        self.clock = FastClock()
        self.results: Sequence[Answered | CallFault] = ()
        self.error: FddError | None = None

    @property
    def texts(self) -> list[str]:
        return [result.text if isinstance(result, Answered) else result.reason for result in self.results]

    @property
    def rows(self) -> list[LedgerRow]:
        return rows_of_run(self.path, "run")


def ask(
    server: FaultServer | str, folder: Path, requests: Sequence[Request], *, budget: Any = None, **settings: Any
) -> Asked:
    url = server if isinstance(server, str) else server.url
    options = EndpointOptions(
        url, settings.pop("model", "tiny"), **{"max_concurrency": 8, "max_tokens": 100} | settings
    )
    asked = Asked(folder)

    async def run() -> None:
        clock, jitter = asked.clock, Random(0)
        purse = Purse(budget) if budget is not None else None
        async with (
            Ledger(asked.path, Asker("run", 0, "mini")) as ledger,
            Endpoint(options, ledger, budget=purse, clock=clock, jitter=jitter) as endpoint,
        ):
            asked.results = await endpoint.complete(requests)

    try:
        asyncio.run(run())
    except FddError as fault:
        asked.error = fault
    return asked


def first(fault: str, times: int = 1) -> Callable[[Question], Served]:
    """Return what fails this often for each body."""
    return lambda question: (FAULTS[fault] if question.attempt < times else good)(question)


def test_faults_change_no_result_and_nothing_paid_is_asked_again(tmp_path: Path) -> None:
    asked = questions(120)
    with serve() as server:
        clean = ask(server, tmp_path / "clean", asked)
    with serve(reply=transient_faults(0.3)) as server:
        faulty = ask(server, tmp_path / "faulty", asked)
        sent = len(server.asked)
        assert sent > 140 and server.most_in_flight <= 8
        again = ask(server, tmp_path / "faulty", asked)
        assert len(server.asked) == sent
    assert faulty.error is None
    assert faulty.texts == clean.texts == again.texts
    states = [row.state for row in faulty.rows]
    assert states.count("done") == 120 and states.count("failed") == sent - 120 and len(states) == sent


@pytest.mark.parametrize(
    "fault", ["rate_limited", "server_error", "loading", "reset", "cut_body", "cut_json", "no_choices", "error_in_200"]
)
def test_a_fault_that_passes_is_asked_again(fault: str, tmp_path: Path) -> None:
    with serve(reply=first(fault)) as server:
        asked = ask(server, tmp_path, questions(3))
        assert [len(asked.results), len(server.asked)] == [3, 6]
    assert [row.state for row in asked.rows] == ["failed", "failed", "failed", "done", "done", "done"]
    assert all(isinstance(result, Answered) for result in asked.results)


def test_a_fault_that_stays_ends_its_call_and_nothing_else(tmp_path: Path) -> None:
    def reply(question: Question) -> Served:
        return (FAULTS["server_error"] if "Question 1?" in str(question.body) else good)(question)

    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(3))
    assert asked.texts[1] == "gave_up" and "the server is unwell" in str(asked.results[1])
    assert isinstance(asked.results[0], Answered) and isinstance(asked.results[2], Answered)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda question: error(400, "temperature must be 1"), "bad_request"),
        (lambda question: error(400, "blocked", code="content_filter"), "refused"),
        (lambda question: error(400, "4096 tokens are too many", code="context_length_exceeded"), "too_long"),
        (
            lambda question: error(400, "request (31 tokens) exceeds the available context size"),
            "too_long",
        ),
        (lambda question: error(403, "not for you"), "forbidden"),
        (FAULTS["filtered"], "refused"),
        (FAULTS["refused"], "refused"),
    ],
)
def test_what_would_not_change_is_asked_once(reply: Callable[[Question], Served], reason: str, tmp_path: Path) -> None:
    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(1))
        assert len(server.asked) == 1
    assert asked.texts == [reason]


def test_a_refusal_was_paid_and_is_found_again(tmp_path: Path) -> None:
    with serve(reply=FAULTS["filtered"]) as server:
        for _ in range(2):
            assert ask(server, tmp_path, questions(1)).texts == ["refused"]
        assert len(server.asked) == 1


def test_a_reply_that_was_cut_at_its_length_is_paid_and_says_so(tmp_path: Path) -> None:
    with serve(reply=FAULTS["length"]) as server:
        asked = ask(server, tmp_path, questions(1), price=Price(1, 2))
        assert len(server.asked) == 1
    (result,), (row,) = asked.results, asked.rows
    assert isinstance(result, Answered) and result.finish_reason == "length"
    assert row.state == "done" and row.cost == pytest.approx((40 + 2 * 12) / 1e6) and row.price_source == "config"


def test_a_reply_without_usage_has_no_cost(tmp_path: Path) -> None:
    with serve(reply=FAULTS["no_usage"]) as server:
        (row,) = ask(server, tmp_path, questions(1), price=Price(1, 2)).rows
    assert (row.cost, row.price_source, row.input_tokens) == (None, None, None)


def test_retry_after_is_kept_by_all_calls(tmp_path: Path) -> None:
    sent_at: list[float] = []

    def reply(question: Question) -> Served:
        sent_at.append(asked_clock[0].time if asked_clock else 0.0)
        return first("rate_limited_retry_after")(question)

    asked_clock: list[FastClock] = []
    with serve(reply=reply) as server:
        options = EndpointOptions(server.url, "tiny", max_concurrency=1)

        async def run() -> None:
            clock = FastClock()
            asked_clock.append(clock)
            async with (
                Ledger(tmp_path / "calls.sqlite", Asker("run", 0, "mini")) as ledger,
                Endpoint(options, ledger, clock=clock) as endpoint,
            ):
                await endpoint.complete(questions(2))

        asyncio.run(run())
    gaps = [after - before for before, after in pairwise(sent_at)]
    assert len(sent_at) == 4 and sent_at[0] == 0 and gaps[0] >= 7


def test_a_long_retry_after_ends_the_work(tmp_path: Path) -> None:
    with serve(reply=lambda question: error(429, "daily limit", headers=[("Retry-After", "86400")])) as server:
        asked = ask(server, tmp_path, questions(1))
    assert isinstance(asked.error, EndpointError) and asked.error.exit_code == 6
    assert "asks to wait 86400 s (daily limit)" in str(asked.error)


def test_a_request_twice_at_a_time_is_sent_once(tmp_path: Path) -> None:
    with serve() as server:
        options = EndpointOptions(server.url, "tiny")

        async def run() -> tuple[list[Answered | CallFault], list[Answered | CallFault]]:
            async with (
                Ledger(tmp_path / "calls.sqlite", Asker("run", 0, "mini")) as ledger,
                Endpoint(options, ledger, clock=FastClock()) as endpoint,
            ):
                one = questions(1)
                return await asyncio.gather(endpoint.complete(one * 2), endpoint.complete(one))

        both, single = asyncio.run(run())
        assert len(server.asked) == 1
    assert both == single * 2


def test_an_interrupt_leaves_at_most_what_is_in_flight_to_be_paid_twice(tmp_path: Path) -> None:
    with serve(latency=3600) as server:
        options = EndpointOptions(server.url, "tiny", max_concurrency=4)

        async def run() -> None:
            async with (
                Ledger(tmp_path / "calls.sqlite", Asker("run", 0, "mini")) as ledger,
                Endpoint(options, ledger) as endpoint,
            ):
                work = asyncio.create_task(endpoint.complete(questions(50)))
                while len(server.asked) < 4:
                    await asyncio.sleep(0)
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

        asyncio.run(run())
    states = [row.state for row in rows_of_run(tmp_path / "calls.sqlite", "run")]
    assert states.count("sent") == 4 and set(states) <= {"sent", "reserved"}


def test_an_endpoint_that_is_not_there_ends_with_one_sentence(tmp_path: Path) -> None:
    with serve() as server:
        url = server.url
    asked = ask(url, tmp_path, questions(20))
    assert isinstance(asked.error, EndpointError) and asked.error.exit_code == 6
    assert f"{url} cannot be reached (" in str(asked.error) and "goes on from there" in str(asked.error)
    assert asked.clock.time < 60


def test_an_endpoint_that_goes_away_keeps_what_it_answered(tmp_path: Path) -> None:
    def reply(question: Question) -> Served:
        number = int(str(question.body).split("Question ")[1].split("?")[0])
        return (good if number < 30 else FAULTS["server_error"])(question)

    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(400))
    assert asked.error is not None and asked.error.exit_code == 6
    assert "has answered nothing but errors" in str(asked.error) and "the server is unwell" in str(asked.error)
    states = {row.state for row in asked.rows}
    assert states == {"done", "failed"}  # also those that were not sent any more
    assert sum(row.state == "done" for row in asked.rows) == 30


def test_an_endpoint_that_refuses_everything_ends_with_one_sentence(tmp_path: Path) -> None:
    with serve(reply=lambda question: error(400, "unknown key: top_kk")) as server:
        asked = ask(server, tmp_path, questions(200))
        assert len(server.asked) < 40
    assert "has refused each of 20 requests, the last one: unknown key: top_kk" in str(asked.error)


@pytest.mark.parametrize(
    ("served", "settings", "code", "sentence"),
    [
        ({"key": "right"}, {"api_key": Secret(KEY)}, 2, "does not accept the key in api_key"),
        ({"key": "right"}, {}, 2, "asks for a key"),
        ({}, {"model": "tinny"}, 2, "has no model 'tinny'. Did you mean 'tiny'? It has: tiny, large."),
        ({"path": "/v1", "models": None}, {"base_url": ""}, 2, "speaks no chat completions (HTTP 404"),
        ({"reply": lambda q: Served(200, b"<html>hello</html>", kind="text/html")}, {}, 2, "speaks no chat"),
        ({"reply": lambda q: Served(200, b'{"hello": 1}')}, {}, 2, "its replies are not chat completions"),
        ({"reply": lambda q: Served(301, b"", [("Location", "https://other.example/")])}, {}, 2, "https://other"),
        ({"reply": lambda q: error(429, "pay first", code="insufficient_quota")}, {}, 6, "has no credit (pay first)"),
    ],
)
def test_wrong_settings_end_with_one_sentence(
    served: dict[str, Any], settings: dict[str, Any], code: int, sentence: str, tmp_path: Path
) -> None:
    with serve(**served) as server:
        url = server.url.removesuffix("/v1") if "base_url" in settings else server.url
        asked = ask(url, tmp_path, questions(20), **{k: v for k, v in settings.items() if k != "base_url"})
        assert len(server.asked) <= 8
    assert asked.error is not None and asked.error.exit_code == code
    assert sentence in str(asked.error) and "\n" not in str(asked.error)


def test_a_budget_ends_the_work_after_what_is_in_flight(tmp_path: Path) -> None:
    with serve() as server:
        asked = ask(server, tmp_path, questions(40), budget=1000)
        sent = len(server.asked)
    assert isinstance(asked.error, BudgetError) and asked.error.exit_code == 5
    assert [row.state for row in asked.rows if row.fault != "not_sent"] == ["done"] * sent
    # 52 tokens a call are counted, and a call reserves more than 100: the last ones wait until the others are counted.
    assert 1000 - 160 <= sent * 52 <= 1000
    with serve() as server:
        assert len(ask(server, tmp_path, questions(40), budget=10_000).texts) == 40


def test_options_of_a_request_do_not_reach_the_key_of_the_ledger_and_those_that_change_replies_do(
    tmp_path: Path,
) -> None:
    with serve() as server:
        ask(server, tmp_path, questions(1))
        ask(server, tmp_path, questions(1), timeout=5.0, max_concurrency=2)
        assert len(server.asked) == 1
        ask(server, tmp_path, questions(1), temperature=0.0)
        assert len(server.asked) == 2
        assert server.asked[1] == {"model": "tiny", "temperature": 0.0, "max_tokens": 100, **questions(1)[0].body}


def test_nobody_sees_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(reply=FAULTS["echo"], key=KEY) as server:
        asked = ask(server, tmp_path, questions(2), api_key=Secret(KEY))
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
        wrong = ask(server, tmp_path, questions(2), api_key=Secret(KEY[:-1] + "0"))
    assert asked.texts == ["gave_up"] * 2 and wrong.error is not None
    shown = "".join(traceback.format_exception(wrong.error)) + caplog.text + "".join(capfd.readouterr())
    shown += str(asked.results) + "".join(str(row) for row in asked.rows)
    shown += "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert "***" in str(asked.results[0])
    for start in range(len(KEY) - 7):
        assert KEY[start : start + 8] not in shown


def test_an_echo_of_the_key_in_a_reply_is_kept_without_it(tmp_path: Path) -> None:
    def reply(question: Question) -> Served:
        served = good(question)
        return served._replace(content=served.content.replace(b"apples", question.authorization.encode()))

    with serve(reply=reply, key=KEY) as server:
        asked = ask(server, tmp_path, questions(1), api_key=Secret(KEY))
    assert "How many Bearer *** are" in asked.texts[0] and KEY not in str(asked.rows)


def test_what_openai_finds_in_the_environment_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {KEY}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serve() as server:
        assert ask(server, tmp_path, questions(1)).texts == [text_for(server.asked[0])]
        assert "It has: tiny, large." in str(ask(server, tmp_path, questions(1), model="other").error)
        assert len(server.headers) == 3
        for headers in server.headers:
            assert "authorization" not in headers and "openai-organization" not in headers


def test_without_the_extra_the_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "fdd_edge.teachers.language_model._client", raising=False)
    asked = ask("https://127.0.0.1/v1", tmp_path, questions(1))
    assert str(asked.error) == "openai is not installed. Install it with: pip install 'fdd-edge[teacher]'"


def test_what_a_reply_holds_beside_text_is_read_with_care(tmp_path: Path) -> None:
    strange = [
        {"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]},
        {"content": "half of a pair \ud800 here"},
        {"content": None},
    ]

    def reply(question: Question) -> Served:
        number = int(str(question.body).split("Question ")[1].split("?")[0])
        changes = {"message": strange[number], "usage": {"prompt_tokens": -1, "completion_tokens": True}}
        return Served(content=json.dumps(completion(question.body, finish_reason=None, **changes)).encode())

    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(3))
    assert asked.texts == ["ab", "half of a pair \ufffd here", ""]
    assert all(isinstance(result, Answered) and result.usage is None for result in asked.results)


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b"{" + b" " * (17 << 20), b"null", b'{"choices": [{"message": 1}]}']
)
def test_a_hostile_reply_is_a_fault_and_no_traceback(content: bytes, tmp_path: Path) -> None:
    with serve(reply=lambda question: Served(content=content)) as server:
        asked = ask(server, tmp_path, questions(1))
    assert asked.error is not None or asked.texts in (["gave_up"], ["too_large"])
