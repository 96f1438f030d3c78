import numpy as np
import pytest

from fdd_edge.ondevice.next_example import NextExample
from fdd_edge.ondevice.replies import Reply, choose_token, judge, random_stream
from fdd_edge.ondevice.verdicts import Verdict

END = 0


class Bytes:
    """Token n is byte n; token 0 ends a reply."""

    def piece(self, token: int) -> bytes:
        return bytes([token])

    def ends_reply(self, token: int) -> bool:
        return token == END


def grow(content: bytes, *, budget: int = 100, stop: tuple[str, ...] = ()) -> Reply:
    reply = Reply(Bytes(), budget, stop)
    for token in content:
        assert not reply.done
        reply.add(token)
    return reply


def test_the_models_own_end_is_not_text() -> None:
    reply = grow(b"ab\0")
    assert (reply.text, reply.done, reply.unfinished, len(reply.ids)) == ("ab", True, False, 3)


def test_a_stop_text_is_cut_off_even_when_it_spans_tokens() -> None:
    reply = grow(b"ab\n\n", stop=("Q:", "\n\n"))
    assert (reply.text, reply.done, reply.unfinished) == ("ab", True, False)


def test_another_example_is_cut_off() -> None:
    reply = Reply(Bytes(), 100, (), NextExample("Q:", ""))
    for token in b"a\n\nb\n\nQ:":
        assert not reply.done
        reply.add(token)
    assert (reply.text, reply.done, reply.unfinished) == ("a\n\nb", True, False)


def test_half_a_stop_text_stays() -> None:
    assert grow(b"ab\nc\n", stop=("\n\n",)).text == "ab\nc\n"


def test_the_budget_leaves_a_reply_unfinished() -> None:
    reply = grow(b"abc", budget=3)
    assert (reply.text, reply.done, reply.unfinished) == ("abc", True, True)


def test_an_end_on_the_last_token_is_an_end() -> None:
    assert not grow(b"ab\0", budget=3).unfinished


def test_characters_that_span_tokens() -> None:
    half = grow("2 €".encode()[:-1])
    assert half.text == "2 \ufffd"
    half.add("€".encode()[-1])
    assert half.text == "2 €"


def test_numbers_and_programs_are_judged_differently() -> None:
    assert judge("so 3 + 4 = 7.", unfinished=False, answer="number").answer == 7
    assert judge("no idea", unfinished=False, answer="number").verdict is Verdict.no_program
    assert judge("it is 3", unfinished=True, answer="number").verdict is Verdict.unfinished
    assert judge("answer = 3 + 4", unfinished=False, answer="program").answer == 7


def test_greedy_takes_the_first_of_equals() -> None:
    logits = np.array([0, 3, 1, 3], np.float32)
    assert choose_token(logits, 0, random_stream(0, "p", 0)) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_reported(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        choose_token(np.array([0, bad, 1], np.float32), 0, random_stream(0, "p", 0))


def test_drawing_follows_the_distribution() -> None:
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    stream = random_stream(0, "p", 0)
    drawn = np.bincount([choose_token(logits, 1.0, stream) for _ in range(4000)], minlength=3) / 4000
    assert drawn == pytest.approx([0.2, 0.5, 0.3], abs=0.03)


def test_every_reply_has_its_own_stream() -> None:
    first = random_stream(0, "p", 0).random()
    assert first == random_stream(0, "p", 0).random()
    assert len({first, *(random_stream(*key).random() for key in [(1, "p", 0), (0, "q", 0), (0, "p", 1)])}) == 4
