"""A key in the texts of a server: hidden in every form, and texts in which there is none stay as they are."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_server import Question, Served, completion, error, serve
from test_language_model_endpoint import KEY, ask, questions

from fdd_edge.teachers.language_model.secret import Secret

REPLY = (
    "<question>\nAnn got 90 points on a test, and sells 12 token cards?\n</question>\n<program>\ntest = x\n</program>"
)


def _base64(before: str) -> Callable[[str], str]:
    return lambda key: b64encode((before + key).encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "base64": _base64(""),
    "of the header": _base64("Bearer "),
    "after one": _base64("x"),
    "after two": _base64("xy"),
    "of URLs": lambda key: urlsafe_b64encode(f"Bearer {key}".encode()).decode(),
    "on two lines": lambda key: f"{_base64('')(key)[:20]}\\n{_base64('')(key)[20:]}",
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "upper": str.upper,
    "part": lambda key: key[4:24],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_hidden_in_errors_and_in_replies(form: str, tmp_path: Path) -> None:
    """Errors showed it in base64 and in hex, replies also in upper case and in parts."""
    written = FORMS[form](KEY)

    def reply(question: Question) -> Served:
        if "Question 0?" in str(question.body):
            return error(400, f"bad key {written}")
        message = {"role": "assistant", "content": f"{REPLY} {written}"}
        return Served(content=json.dumps(completion(question.body, message=message)).encode())

    with serve(reply=reply) as server:
        asked = ask(server, tmp_path, questions(2), api_key=Secret(KEY))
    assert asked.texts[1].startswith(REPLY) and "***" in asked.texts[1]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode("latin-1")
    longest = 8 if len(written) <= len(KEY) else 12
    for text in (kept, str(asked.results)):
        assert not [part for i in range(2, len(written) - 14) if (part := written[i : i + longest]) in text]


@pytest.mark.parametrize("key", ["token", "x", "1", "test", "a", "EMPTY", "none", "12 token cards".replace(" ", "-")])
def test_a_short_key_damages_no_reply(key: str, tmp_path: Path) -> None:
    """With the key "token", problems about "12 *** cards" were accepted."""

    def reply(question: Question) -> Served:
        message = {"role": "assistant", "content": REPLY}
        return Served(content=json.dumps(completion(question.body, message=message)).encode())

    with serve(reply=reply) as server:
        assert ask(server, tmp_path, questions(1), api_key=Secret(key)).texts == [REPLY]


def test_a_short_key_is_hidden_in_errors_where_it_is_a_word() -> None:
    text = "the tokenizer has no token 'token', nor %74oken, token_2 or Token"
    assert Secret("token").scrub(text) == "the tokenizer has no *** '***', nor ***, token_2 or ***"


def test_a_text_that_only_resembles_a_key_stays_in_replies() -> None:
    secret = Secret(KEY)
    for text in (KEY[:11], f"{KEY[:11]} {KEY[12:]}"[:22], "0123456789", REPLY):
        assert not secret.may_be_in(text)
        assert secret.scrub_reply(text) == text
