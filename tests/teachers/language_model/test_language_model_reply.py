"""Replies as models write them: whatever a careful person could read is read, and nothing is read wrongly."""

from __future__ import annotations

import pytest

from fdd_edge.teachers.language_model.reply_reader import Reply, ReplyError, read_reply

BODY = "eggs = 3 * 4\n# break some\nleft = eggs - 5\n\nreturn left\n"
DOCSTRING = '"""\nHow many eggs are left?\n\nThree nests of four.\n"""\n'


def indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


REPLIES = {
    "a frame": "<program>\neggs = 3 * 4\nanswer = eggs - 5\n</program>",
    "a frame in capitals, with a fence inside": "<PROGRAM>\n```python\nanswer = 3 * 4 - 5\n```\n</PROGRAM>",
    "a frame that is not closed": "<program>\nanswer = 3 * 4 - 5\n",
    "a thought before it": "<think>\n<program>answer = 1</program>\nNo.\n</think>\n<program>answer = 7</program>",
    "a fence, and a usage example": f"Here:\n```python\ndef f():\n{indented(BODY)}```\n```python\nprint(f())\n```\n.",
    "a function after prose, and no fence": f"### User:\nHow many?\n\ndef f() -> int:\n{indented(BODY)}\nThat is all.",
    "the body at the margin": f"def f() -> int:\n{DOCSTRING}{BODY}",
    "the docstring indented, the body at the margin": f"def f() -> int:\n{indented(DOCSTRING)}{BODY}",
    "the return at the margin": f"def f():\n{indented(DOCSTRING)}{indented(BODY).replace('    return', 'return')}",
    "prose after a body at the margin": f"def f():\n{BODY}\nThis function returns 7, as `left` is 7.",
    "underscores of Markdown": "def f():\neggs\\_left = 3 * 4 - 5\nreturn eggs\\_left\n",
    "underscores of Markdown in a frame": "<program>\neggs\\_left = 3 * 4 - 5\nanswer = eggs\\_left\n</program>",
    "underscores of Markdown in a fence": "```python\neggs\\_left = 3 \\* 4 - 5\nanswer = eggs\\_left\n```",
    "typographic signs": "<program>\neggs = 3 × 4 − 5\nanswer = eggs ÷ 1\n</program>",
    "spaces that do not break": "<program>\n\u00a0answer\u00a0=\u202f3 * 4 - 5\n</program>",
    "the same program twice": f"```\ndef f():\n{indented(BODY)}```\nOnce more:\n```\nanswer = 14 / 2\n```",
    "Windows line ends": "<program>\r\neggs = 3 * 4\r\nanswer = eggs - 5\r\n</program>",
}


@pytest.mark.parametrize("text", REPLIES.values(), ids=list(REPLIES))
def test_programs_in_replies(text: str) -> None:
    assert read_reply(text).answer == 7


REFUSED = {
    "cut in a docstring": ('def f():\n"""\nHow many eggs are', "no_program"),
    "cut before its return": ("```python\ndef f():\n    eggs = 3 * 4\n", "no_program"),
    "no program": ("I am sorry, I cannot help with that.", "no_program"),
    "nothing": ("", "no_program"),
    "two answers": ("def f():\n    return 3, 4\n", "forbidden"),
    "another library": ("import sympy\nanswer = sympy.Integer(3)", "forbidden"),
    "programs that disagree": ("```\nanswer = 3\n```\nNo, wait:\n```\nanswer = 4\n```", "several_programs"),
    "a division by zero": ("<program>answer = 1 / 0</program>", "error"),
    "a loop without end": ("<program>while 1:\n    answer = 1\n</program>", "limit"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_why_a_reply_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        read_reply(text)
    assert caught.value.reason == reason


def test_a_new_problem() -> None:
    question = "<question>\nBen has 4 cups\n  and buys 6. How many has he?\n</question>"
    text = f"Sure!\n{question}\n<program>\nanswer = 4 + 6\n</program>"
    assert read_reply(text, with_question=True) == Reply(
        "Ben has 4 cups and buys 6. How many has he?", "answer = 4 + 6", 10
    )


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("", "no_question"),
        ("<question> </question>", "no_question"),
        ("<question>One?</question><question>Two?</question>", "several_questions"),
        (f"<question>{'How many? ' * 1000}</question>", "no_question"),
        ("<question>```python\nx\n```</question>", "no_question"),
        ("<question>How many?\n", "no_question"),  # it runs on to the end, over the program
    ],
)
def test_why_there_is_no_new_problem(question: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        read_reply(f"{question}\n<program>answer = 4 + 6</program>", with_question=True)
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["<program>" * 20_000, "```\n" * 50_000, "def f():\n" * 20_000, "<question>" * 20_000])
def test_a_reply_of_any_length_is_refused_before_it_is_searched(text: str) -> None:
    """One regular expression or parser after another at each of its places would take hours."""
    with pytest.raises(ReplyError, match=r"^a reply of [\d,]+ characters$"):
        read_reply(text, with_question=True)
    assert read_reply(f"{text}</think><program>answer = 7</program>").answer == 7


def test_only_so_many_pieces_are_tried() -> None:
    many = "```\nx = (\n```\n" * 100
    with pytest.raises(ReplyError, match="never closed"):
        read_reply(f"{many}```\nanswer = 7\n```")
    assert read_reply("```\nx = (\n```\n" * 10 + "```\nanswer = 7\n```").answer == 7


CLOSED = "<program>\nanswer = 3 * 4 - 5\n</program>"


@pytest.mark.parametrize(
    "text",
    [
        "<program>\neggs = 3 * 4\nanswer = eggs",
        "<program>\neggs = (3",
        "```\nanswer = 3 * 4\n",
        "def f():\n    return 3 * 4",
        f"{CLOSED}\nNo, wait:\n<program>\nanswer = 3",
    ],
)
def test_what_is_not_closed_is_read_only_if_the_model_ended_the_reply(text: str) -> None:
    """Its last line was cut away, and the rest was taken for the program."""
    with pytest.raises(ReplyError) as caught:
        read_reply(text, ended=False)
    assert caught.value.reason == "reply_cut"


@pytest.mark.parametrize("text", [CLOSED, f"{CLOSED} The answer", "```python\nanswer = 7\n```"])
def test_what_is_closed_is_whole_however_the_reply_ended(text: str) -> None:
    assert read_reply(text, ended=False).answer == 7


def test_half_a_question_is_not_asked() -> None:
    with pytest.raises(ReplyError) as caught:
        read_reply(f"{CLOSED}\n<question>\nHow many eggs", with_question=True, ended=False)
    assert caught.value.reason == "reply_cut"


@pytest.mark.parametrize(
    "text", [f"<think>\nMaybe {CLOSED}?", f"<think>a</think>\n<thinking>{CLOSED}", f"<THINK> {CLOSED}"]
)
def test_a_thought_that_does_not_end_is_not_an_answer(text: str) -> None:
    with pytest.raises(ReplyError) as caught:
        read_reply(text)
    assert caught.value.reason == "reply_cut"
