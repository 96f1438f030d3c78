import hashlib
import json

import pytest
from hypothesis import given
from hypothesis.strategies import text

from fdd_edge.ondevice.protocol import (
    Completion,
    Decoding,
    End,
    Failure,
    Progress,
    ProtocolError,
    Request,
    Score,
    Scores,
    Settings,
    Shot,
    Task,
    Timing,
    Totals,
    Wave,
    WaveResult,
    decode_command,
    decode_event,
    decode_request,
    encode,
    plan_waves,
    prompt_ids_sha,
)
from fdd_edge.ondevice.telemetry import Conditions
from fdd_edge.ondevice.verdicts import Verdict

COMPLETION = Completion("p1", 0, "answer = 7\n", "answer = 7", 7, None, 12, 5, "00ff00ff00ff00ff")
CUT = Completion("p2", 1, "é\u2028", None, None, Verdict.unfinished, 3, 2, "0", prompt_ids=(1, 2, 3), ids=(4, 5))


def test_request_survives_its_line() -> None:
    request = Request(
        "model.gguf",
        Settings(Decoding(40, 8, 2, 0.5, 32), stop=("\n\n", "Question:"), kv="f32"),
        "chat",
        (Shot("1+1?", "answer = 2"),),
    )
    assert decode_request(encode(request)) == request


@pytest.mark.parametrize(
    "command",
    [
        Wave(3, (Task("p1", 0, "a\nb"), Task("p1", 1, "{}"))),
        Score("p1", "1+1?", "Q: 1+1?", (3, 4), (5, 6), (0, 1)),
        End(),
    ],
)
def test_commands_survive_their_lines(command: Wave | Score | End) -> None:
    line = encode(command)
    assert "\n" not in line
    assert decode_command(line) == command


@given(text())
def test_any_question_is_one_line(question: str) -> None:
    wave = Wave(0, (Task("p", 0, question),))
    assert encode(wave).splitlines() == [encode(wave)]
    assert decode_command(encode(wave)) == wave


@pytest.mark.parametrize(
    "event",
    [
        Progress(0, 12),
        WaveResult(2, (COMPLETION, CUT), Timing(1.5, 10, 7, 0.5, 0.1, 1 << 20, Conditions(51.2, 2400.0, False, 3.5))),
        Scores("p1", "Q: 1+1?", (3, 4), (3, 4), (5, 6), (0.5, 1.25), "AACAPw=="),
        Totals(1, 2, 3, 4, 5.0, 0.5, 1 << 30),
        Failure("bad_artifact", "It is broken."),
    ],
)
def test_events_survive_their_lines(event: Progress | WaveResult | Scores | Totals | Failure) -> None:
    assert decode_event(encode(event)) == event


def test_rows_have_exactly_the_documented_fields() -> None:
    assert list(COMPLETION.to_row()) == [
        *("problem_id", "sample", "text", "program", "answer", "verdict"),
        *("n_prompt_tokens", "n_tokens", "prompt_ids_sha"),
    ]
    assert json.loads(json.dumps(CUT.to_row()))["verdict"] == "unfinished"


def test_a_completion_keeps_fields_it_does_not_know() -> None:
    row = COMPLETION.to_row() | {"judge": "me"}
    assert Completion.from_row(row).to_row() == row


def test_a_completion_names_the_field_it_lacks() -> None:
    row = COMPLETION.to_row()
    del row["n_tokens"]
    with pytest.raises(ProtocolError, match="lacks the field 'n_tokens'"):
        Completion.from_row(row)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"event": "dance"}', "'dance' is not an event of protocol 6"),
        ('{"event": "progress", "index": 0}', "Progress lacks the field 'finished'"),
        ('{"event": "progress", "index": 0, "finished": 1, "mood": 2}', "Progress has no field 'mood'"),
    ],
)
def test_lines_that_are_not_events(line: str, fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        decode_event(line)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"protocol": 7, "artifact": "m"}, "uses protocol 6, but the host uses 7"),
        ({"protocol": 6}, "lacks the field 'artifact'"),
        (
            {"protocol": 6, "artifact": "m", "settings": {"decoding": {"batch_size": 0}}},
            "batch_size must be at least 1, not 0",
        ),
        ({"protocol": 6, "artifact": "m", "settings": {"decoding": {"max_new_tokens": 4}}}, "threads must be resolved"),
        ({"protocol": 6, "artifact": "m", "settings": {"kv": "q8"}}, "kv must be f16 or f32"),
        ({"protocol": 6, "artifact": "m", "settings": {"decoding": {"threads": "two"}}}, "wrong type"),
        ({"protocol": 6, "artifact": "m", "shots": [{"question": "q"}]}, "needs a question and a reply"),
    ],
)
def test_requests_that_are_refused(row: dict[str, object], fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        decode_request(json.dumps(row))


def test_waves_keep_file_order_and_the_last_is_shorter() -> None:
    tasks = [Task(str(i), 0, "") for i in range(5)]
    assert plan_waves(tasks, 2) == [Wave(0, tuple(tasks[:2])), Wave(1, tuple(tasks[2:4])), Wave(2, tuple(tasks[4:]))]
    assert plan_waves([]) == []
    with pytest.raises(ValueError, match="at least one task"):
        plan_waves(tasks, 0)


def test_the_sha_is_over_little_endian_int32() -> None:
    assert prompt_ids_sha([1, 258]) == hashlib.sha256(b"\1\0\0\0\2\1\0\0").hexdigest()[:16]
