"""What one refusal, or one broken reply, says about the endpoint: much before it has ever answered, nothing after."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_server import Question, Served, completion, error, good, serve
from test_language_model_endpoint import KEY, ask, questions

from fdd_edge.errors import EndpointError, EndpointSetupError
from fdd_edge.teachers.language_model._calls import Answered
from fdd_edge.teachers.language_model.secret import Secret


def number_of(question: Question) -> int:
    return int(str(question.body).split("Question ")[1].split("?")[0])


def refused(question: Question) -> Served:
    return error(400, "filtered", code="content_filter")


def after(n: int, bad: Served, times: int = 1) -> Callable[[Question], Served]:
    """Return what fails this often, after n good replies."""
    served: list[int] = []

    def reply(question: Question) -> Served:
        served.append(0)
        return bad if n < len(served) <= n + times else good(question)

    return reply


def test_a_run_that_goes_on_with_nothing_but_refused_requests_comes_to_its_end(tmp_path: Path) -> None:
    """A stage whose good replies were in the ledger already ended with exit code 6, every time again."""

    def reply(question: Question) -> Served:
        return (good if number_of(question) < 5 else refused)(question)

    with serve(reply=reply) as server:
        for _ in range(2):
            asked = ask(server, tmp_path, questions(60))
            assert asked.error is None and asked.texts.count("refused") == 55
        later = ask(server, tmp_path, questions(60)[5:])
        assert later.error is None and later.texts == ["refused"] * 55


def test_refusals_that_come_before_the_first_replies_end_nothing(tmp_path: Path) -> None:
    """Refusals come at once: of 64 requests in flight, 20 were refused before the first reply was there."""

    def reply(question: Question) -> Served:
        return (refused if number_of(question) < 40 else good)(question)

    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(60), max_concurrency=32)
    assert asked.error is None and asked.texts.count("refused") == 40
    with serve(reply=refused) as server:
        asked = ask(server, tmp_path / "none", questions(200), max_concurrency=32)
        assert 64 <= len(server.asked) < 130
    assert "has refused each of 64 requests" in str(asked.error)


def test_an_endpoint_that_refuses_the_few_requests_of_a_stage_ends_it(tmp_path: Path) -> None:
    """Fewer than twenty refusals ended nothing, and a stage without one problem counted as made."""
    with serve(reply=lambda question: error(400, "Use max_completion_tokens.")) as server:
        asked = ask(server, tmp_path, questions(6))
    assert isinstance(asked.error, EndpointError) and asked.error.exit_code == 6
    assert "has refused each of 6 requests, the last one: Use max_completion_tokens. What it" in str(asked.error)


@pytest.mark.parametrize(
    "bad",
    [
        Served(content=b"{}"),
        Served(content=b"null"),
        Served(content=b"[]"),
        Served(content=b"<html>bad gateway</html>"),
        Served(content=b'data: {"choices": []}\n\n'),
        Served(content=b'{"choices": [{"message": null}]}'),
        Served(content=b'{"choices": [{"finish_reason": "stop"}]}'),
        Served(content=b"[" * 200_000 + b"]" * 200_000),
        Served(content=b'{"error": {"message": "No endpoints found", "code": 404}}'),
        Served(content=b'{"choices": []}', headers=[("Content-Encoding", "gzip")]),
        Served(302, headers=[("Location", "http://127.0.0.1:9/")]),
        Served(404, b"404 page not found", kind="text/plain"),
        Served(501),
        error(402, "pay first"),
        error(404, "The model `tiny` does not exist", code="model_not_found"),
    ],
    ids=lambda bad: f"{bad.status} {bad.content[:40]!r}",
)
def test_one_broken_reply_after_good_ones_is_asked_again(bad: Served, tmp_path: Path) -> None:
    """The 26th reply ended a stage with "speaks no chat completions", and exit code 2."""
    with serve(reply=after(25, bad)) as server:
        asked = ask(server, tmp_path, questions(30), max_concurrency=2)
        assert len(server.asked) == 31
    assert asked.error is None and all(isinstance(result, Answered) for result in asked.results)


def test_broken_replies_that_stay_cost_their_call(tmp_path: Path) -> None:
    with serve(reply=lambda q: Served(content=b"{}") if number_of(q) == 3 else good(q)) as server:
        asked = ask(server, tmp_path, questions(5), max_concurrency=1)
    assert asked.error is None and [text for text in asked.texts if text == "gave_up"] == ["gave_up"]


@pytest.mark.parametrize(
    ("bad", "error_type", "sentence"),
    [
        (error(401, "revoked"), EndpointSetupError, "asks for a key (revoked)"),
        (error(402, "pay first"), EndpointError, "has no credit (pay first)"),
        (error(429, "pay first", code="insufficient_quota"), EndpointError, "has no credit (pay first)"),
    ],
)
def test_a_key_or_a_credit_that_is_gone_ends_the_work_at_any_time(
    bad: Served, error_type: type[Exception], sentence: str, tmp_path: Path
) -> None:
    with serve(reply=after(5, bad, times=1000)) as server:
        asked = ask(server, tmp_path, questions(30), max_concurrency=2)
    assert type(asked.error) is error_type and sentence in str(asked.error)
    assert sum(row.state == "done" for row in asked.rows) == 5


@pytest.mark.parametrize("status", [200, 500])
def test_of_a_reply_that_is_too_large_no_more_is_read_than_is_of_use(status: int, tmp_path: Path) -> None:
    """An error of 15 MB took 9 seconds, and 400 MB that were sent as 400 KB took 1.2 GB."""
    bomb = gzip.compress(b'{"error": {"message": "' + b"x" * 100_000_000, compresslevel=1)
    with serve(reply=lambda question: Served(status, bomb, [("Content-Encoding", "gzip")])) as server:
        tracemalloc.start()
        try:
            asked = ask(server, tmp_path, questions(1), api_key=Secret(KEY))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert {headers["accept-encoding"] for headers in server.headers} == {"identity"}
    assert asked.texts == ["too_large" if status == 200 else "gave_up"]
    assert peak < 60_000_000


def test_a_compressed_reply_is_read(tmp_path: Path) -> None:
    """Gateways compress replies although they are asked not to."""

    def reply(question: Question) -> Served:
        content = gzip.compress(json.dumps(completion(question.body)).encode())
        return Served(content=content, headers=[("Content-Encoding", "gzip")])

    with serve(reply=reply) as server:
        assert "How many apples are" in ask(server, tmp_path, questions(1)).texts[0]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"error": {"message": "model" * 3_000_000}}).encode(),
        b'{"error": {"message": "half of a pair \\ud800 here"}}',
        b'{"error": {"message": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}",
        b'{"detail": [{"loc": ["body"], "msg": "field required"}]}',
    ],
    ids=["large", "surrogate", "nested", "list"],
)
@pytest.mark.parametrize("status", [200, 400])
def test_any_error_becomes_one_line(content: bytes, status: int, tmp_path: Path) -> None:
    with serve(reply=lambda question: Served(status, content)) as server:
        asked = ask(server, tmp_path, questions(1), api_key=Secret(KEY))
    assert asked.error is not None or asked.texts[0] in ("bad_request", "gave_up")
    assert all(row.detail is not None and len(row.detail) <= 200 for row in asked.rows)


def test_the_first_choice_is_the_one_that_says_so(tmp_path: Path) -> None:
    """The choices of a reply came in another order, and the second one was taken."""

    def reply(question: Question) -> Served:
        choices = [
            {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": f"reply {index}"}}
            for index in (1, 0)
        ]
        return Served(content=json.dumps(completion(question.body) | {"choices": choices}).encode())

    with serve(reply=reply) as server:
        assert ask(server, tmp_path, questions(1)).texts == ["reply 0"]


def test_a_wait_of_any_length_is_a_number_that_can_be_read(tmp_path: Path) -> None:
    """ "asks to wait 1000... s", with 309 digits."""
    with serve(reply=lambda question: error(429, "later.", headers=[("Retry-After", "1e308")])) as server:
        asked = ask(server, tmp_path, questions(1))
    assert "asks to wait 31622400 s (later.)" in str(asked.error)


def test_a_sentence_ends_with_one_full_stop(tmp_path: Path) -> None:
    with serve(reply=lambda question: error(404, "There is no model of that name.", code="model_not_found")) as server:
        asked = ask(server, tmp_path, questions(1))
    assert str(asked.error).endswith("has no model 'tiny'. It says: There is no model of that name.")
