"""Scoring what another runtime wrote: each layer gets the other runtime's input, and the logits are the file's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fdd_edge.errors import FddError
from fdd_edge.ondevice.logits_codec import decode_rows, encode_rows
from fdd_edge.ondevice.protocol import Decoding, Score, Settings, Task
from fdd_edge.targets import load_profile, open_session, plan_waves

SETTINGS = Settings(Decoding(80, batch_size=1, threads=1), kv="f32", return_ids=True)


def test_a_file_agrees_with_its_own_reply_at_every_position(tiny_gguf: Path) -> None:
    """The reply has more positions than one call covers, so that the pieces must be joined."""
    with open_session(load_profile("local"), tiny_gguf, settings=SETTINGS) as session:
        (result,) = session.complete(plan_waves([Task("p", 0, "1+1?")]))
        own = result.completions[0]
        assert own.prompt_ids is not None
        assert own.ids is not None
        last = len(own.ids) - 1
        text = "Question: 1+1?\nProgram:\n"
        (scores,) = session.score([Score("p", "1+1?", text, own.prompt_ids, own.ids, (0, last))])
        (bare,) = session.score([Score("p", "2?", "1+1?", (1,))])
    assert last >= 64
    assert scores.best == own.ids
    assert scores.prompt == text
    assert scores.prompt_ids == scores.text_ids == own.prompt_ids
    rows = decode_rows(scores.logits, 2)
    assert tuple(rows.argmax(1)) == (own.ids[0], own.ids[last])
    top = np.sort(rows, axis=1)[:, -2:]
    assert (top[:, 1] - top[:, 0]).tolist() == pytest.approx([scores.leads[0], scores.leads[last]])
    assert (bare.prompt, bare.best, bare.logits) == ("Question: 2?\nProgram:\n", (), "")
    assert len(bare.text_ids) < len(bare.prompt_ids)


def test_the_vocabulary_says_what_begins_and_ends_a_text(tiny_gguf: Path) -> None:
    with open_session(load_profile("local"), tiny_gguf, settings=SETTINGS) as session:
        special = session.info.special
    assert (special.bos, special.eos, special.adds_bos) == (0, 2, False)
    assert set(special.eos_ids) >= {2}


@pytest.mark.parametrize(
    ("ids", "reason"), [((1, 10**6), "it has no token 1000000, only "), ((1,) * 300, "longer than its context of 256")]
)
def test_ids_that_a_file_cannot_read_are_reported(tiny_gguf: Path, ids: tuple[int, ...], reason: str) -> None:
    with open_session(load_profile("local"), tiny_gguf, settings=SETTINGS) as session:
        asked = [Score("p", "?", "?", ids, (3, 4), (0,)), Score("q", "?", "?", (1,), (3, 4), (0,))]
        unreadable, readable = session.score(asked)
    assert reason in unreadable.unreadable
    assert (unreadable.best, unreadable.logits) == ((), "")
    assert (readable.unreadable, len(readable.best)) == ("", 2)


def test_a_reply_to_an_empty_prompt_is_refused(tiny_gguf: Path) -> None:
    with (
        pytest.raises(FddError, match="The prompt of p is empty"),
        open_session(load_profile("local"), tiny_gguf, settings=SETTINGS) as session,
    ):
        list(session.score([Score("p", "?", "", (), (3, 4))]))


def test_rows_survive_their_text() -> None:
    rows = np.array([[1.5, -np.inf, np.nan], [0, 1e-30, 3]], np.float32)
    assert np.array_equal(decode_rows(encode_rows(rows), 2), rows, equal_nan=True)
    assert decode_rows(encode_rows(np.empty((0, 0), np.float32)), 0).shape == (0, 0)
