"""Text of strangers on a terminal: control characters are shown, never sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.errors import FddError
from fdd_edge.terminal import Guarded, styled
from fdd_edge.visible import encodable, visible

SHOWN = {
    "\x1b[31m": "\\x1b[31m",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "\x9b31m": "\\x9b31m",
    "a\rb\b\x7f\x00": "a\\x0db\\x08\\x7f\\x00",
    "\u202eevil\u202c \u2066x\u2069": "\\u202eevil\\u202c \\u2066x\\u2069",
    "\ud800": "\\ud800",
    "\u2028\u2029": "\\u2028\\u2029",
    "\U000e0041": "\\U000e0041",
}
KEPT = ["", "[/] [bold]", "two\n\tlines", "12 °C → ½", "علی می\u200cرود", "\u00a0\u3000", "👩\u200d🔬"]


@pytest.mark.parametrize(("text", "shown"), SHOWN.items(), ids=ascii)
def test_what_steers_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(f"a {text} b") == f"a {shown} b"


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_what_a_reply_needs_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert not {c for c in shown if c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff"} - set("\n\t")
    assert visible(shown) == shown
    shown.encode()


def test_what_an_encoding_lacks_is_shown_too() -> None:
    assert encodable("12 °C → x", "ascii") == "12 \\xb0C \\u2192 x"
    assert encodable("12 °C → x", "latin-1") == "12 °C \\u2192 x"
    assert encodable("12 °C → x", "utf-8") == encodable("12 °C → x", None) == "12 °C → x"


def test_an_error_of_ours_is_text() -> None:
    """A traceback in a notebook or a shell prints it as it is."""
    assert str(FddError("x\x1b[31m does not exist.")) == "x\\x1b[31m does not exist."
    assert repr(FddError("\x1b")).isprintable()


def test_a_guarded_stream_shows_what_it_is_given() -> None:
    inner = io.StringIO()
    guarded = Guarded(inner, needed=True)
    print("\x1b[31m\ud800", file=cast("TextIO", guarded))
    assert inner.getvalue() == "\\x1b[31m\\ud800\n"
    styled(cast("TextIO", guarded)).write("\x1b[0m")
    assert inner.getvalue().endswith("\n\x1b[0m")
    assert not hasattr(guarded, "buffer"), "click writes bytes past a stream whose encoding is ASCII"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("needed", [True, False])
def test_a_full_stream_ends_no_work(needed: bool) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        guarded = Guarded(full, needed=needed)
        for side in (guarded, guarded.styled()):
            side.write("x" * 100_000)
            side.flush()
        assert (guarded.error is not None) == needed
        if not needed:
            guarded._divert()
