"""Copies of protected problems are found in whatever a scraped text wears; other problems are not taken for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.curation import curate, find_copies, find_leaks
from fdd_edge.curation._plain import plain_text
from fdd_edge.records import Problem

TEST = (
    "Odile mends 12 fishing nets in the harbour on Friday. Her brother carries 4 baskets of mackerel to the market, "
    "and each basket weighs 15 pounds. How many pounds of mackerel does he carry altogether?"
)
SHORT = "Rosa has 7 kites and buys 2 more. How many kites does Rosa have now?"


def problem(id: str, question: str, answer: float = 60, program: str | None = None) -> Problem:
    return Problem(id=id, question=question, answer=answer, source="test", program=program)


def put_in(every: int, word: str, text: str) -> str:
    return " ".join(w if n % every else f"{w} {word}" for n, w in enumerate(text.split(), start=1))


def in_words(text: str) -> str:
    words = {"12": "twelve", "15": "fifteen", "4": "four", "7": "seven", "2": "two"}
    return re.sub(r"\d+", lambda number: words[number[0]], text)


def reordered(text: str) -> str:
    *story, question = text.split(". ")
    return ". ".join([*reversed(story), question])


DRESSES: dict[str, Callable[[str], str]] = {
    "entities for spaces": lambda t: t.replace(" ", "&nbsp;"),
    "entities for letters": lambda t: t.replace("a", "&#97;").replace("e", "&#x65;"),
    "entities encoded twice": lambda t: t.replace("a", "&amp;#97;"),
    "entities encoded five times": lambda t: t.replace(" ", "&amp;amp;amp;amp;nbsp;"),
    "tags": lambda t: "<p class='q'>" + t.replace(" ", "</b> <b>") + "</p><br/>",
    "tags inside words": lambda t: t.replace("er", "e<i>r</i>"),
    "a comment": lambda t: t.replace(" ", " <!-- ad --> ", 3),
    "zero-width spaces": lambda t: t.replace("a", "a\u200b"),
    "soft hyphens": lambda t: t.replace("e", "e\u00ad"),
    "direction marks and fillers": lambda t: t.replace(" ", " \u202e\u3164\ufeff"),
    "variation selectors": lambda t: t.replace("o", "o\ufe0f"),
    "Cyrillic": lambda t: t.translate(str.maketrans("aeocpxyiHM", "аеосрхуіНМ")),
    "Cyrillic and Greek": lambda t: t.translate(str.maketrans("aoeivnr", "αοєіνпг")),
    "Greek": lambda t: t.translate(str.maketrans("oavHMO", "οανΗΜΟ")),
    "small capitals": lambda t: t.translate(str.maketrans("abcdehiklmnoprstu", "ᴀʙᴄᴅᴇʜɪᴋʟᴍɴᴏᴘʀꜱᴛᴜ")).replace("ꜱ", "s"),
    "accents": lambda t: t.replace("e", "é").replace("o", "o\u0302"),
    "struck through": lambda t: "".join(c + "\u0336" for c in t),
    "full-width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "bold mathematics": lambda t: "".join(chr(0x1D41A + ord(c) - 97) if c.islower() else c for c in t),
    "Arabic digits": lambda t: t.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    "number words": in_words,
    "number words and words put in": lambda t: put_in(5, "indeed", in_words(t)),
    "LaTeX text": lambda t: "\\[\\text{" + re.sub(r"(\d+)", r"}\1\\text{", t) + "}\\]",
    "LaTeX formulas": lambda t: re.sub(r"(\d+)", r"$\\mathbf{\1}$", t).replace(" ", "~", 4),
    "Markdown": lambda t: f"## Q\n**{t.replace(' ', '_', 2)}**",
    "a wrong encoding": lambda t: t.replace(" ", "Â\u00a0"),
    "JSON in JSON": lambda t: t.replace(". ", ".\\n").replace("a", "\\u0061"),
    "percent encoding": lambda t: t.replace(" ", "%20"),
    "no spaces": lambda t: t.replace(" ", ""),
    "spaces between letters": lambda t: " ".join(t.replace(" ", "")),
    "upper case": str.upper,
    "lower case with words put in": lambda t: put_in(6, "really", t.lower()),
    "a word put in after every 6th": lambda t: put_in(6, "really", t),
    "a word put in after every 3rd": lambda t: put_in(3, "actually", t),
    "sentences reordered": reordered,
    "an introduction": lambda t: f"Solve this problem step by step, and box your answer.\n\n{t}\n\nLet us begin!",
    "an introduction and reordered": lambda t: f"Question 17 of 20: {reordered(t)} Explain each step.",
    "other people": lambda t: t.replace("Odile", "Marta").replace("Rosa", "Wim"),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("question", [TEST, SHORT], ids=["long", "short"])
def test_a_test_problem_is_kept_out_in_whatever_it_wears(dress: str, question: str) -> None:
    worn = problem("s", DRESSES[dress](question), program="answer = 60")
    curated = curate([worn], protected={"test": [problem("t", question)]})
    assert [(p.reason, p.against) for p in curated.rejected] == [("leaks", "test:t")]


@pytest.mark.parametrize(
    "question",
    [
        "Odile buys 12 fishing nets. Each costs 4 pounds, and she pays with 60 pounds. How much does she get back?",
        "A harbour holds 15 boats. On Friday, 4 of them sail away, and 12 others come in. How many boats are there?",
        "Rosa has 7 kites. She tears 2 of them, and her uncle mends one. How many whole kites does Rosa have now?",
        "Pia drew 5 owls on Monday, 6 on Tuesday, 9 on Wednesday, 2 on Thursday and 7 on Friday. How many was that?",
    ],
)
def test_another_story_with_the_same_words_is_let_in(question: str) -> None:
    tests = [
        problem("t", TEST),
        problem("u", SHORT),
        problem("v", "A bakery made 31 pies on Monday, 25 on Tuesday, 17 on Wednesday and 8 on Thursday. How many?"),
    ]
    assert find_leaks([problem("s", question)], {"test": tests}) == {}


def test_a_paraphrase_is_not_seen() -> None:
    """Nothing here understands a text; docs/feedback.md says so."""
    told = "There are 15 pounds of fish in a basket. What is the weight of the load if her brother takes 4 of them?"
    assert find_leaks([problem("s", told)], {"test": [problem("t", TEST)]}) == {}


def test_of_two_stories_the_one_that_is_told_completely_is_named() -> None:
    cut = problem("cut", TEST.replace(" in the harbour on Friday", ""))
    found = find_leaks([problem("s", put_in(4, "really", TEST))], {"test": [cut, problem("whole", TEST)]})
    assert found in ({"s": "test:whole"}, {"s": "test:cut"})


@pytest.mark.parametrize("dress", ["entities for spaces", "number words", "sentences reordered", "an introduction"])
def test_a_copy_in_another_set_has_the_same_numbers_and_answer(dress: str) -> None:
    others = {"svamp": [problem("t", TEST), problem("r", TEST.replace("4 baskets", "5 baskets"), answer=75)]}
    worn = problem("a", DRESSES[dress](TEST))
    renumbered = problem("b", TEST.replace("4 baskets", "6 baskets"), answer=90)
    same_answer = problem("c", TEST.replace("4 baskets", "6 baskets").replace("15", "10"))
    assert find_copies([worn, renumbered, same_answer], others) == {"a": "svamp:t"}


def test_duplicates_wear_the_same() -> None:
    worn = problem("b", TEST.replace(" ", "&nbsp;"), program="answer = 60")
    curated = curate([replace(worn, id="a", question=TEST), worn], protected={})
    assert [(p.reason, p.against) for p in curated.rejected] == [("duplicate", "a")]


@given(st.text())
def test_any_text_can_be_undressed(text: str) -> None:
    assert isinstance(plain_text(text), str)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("He has $5 and $7, or $5-$7.", "He has $5 and $7, or $5-$7."),
        ("3 < 5 and 7 > 2", "3 < 5 and 7 > 2"),
        ("\\frac{1}{2} of \\$12", "1/2 of $12"),
        ("$\\frac{1}{2}$ of $12$", "1/2 of 12"),
        ("1{,}200 \\% \\text{cm}", "1,200 % cm"),
        ("がんばる", "がんばる"),
        ("\\begin{align}x\\end{align}", " x "),
    ],
)
def test_a_text_without_what_it_wears(text: str, plain: str) -> None:
    assert plain_text(text).replace("  ", " ") == plain


@pytest.mark.parametrize("piece", ["<!--", "<b ", "[", "\\frac{", "$a", "&amp;", "Â", "{", "\\text"])
def test_a_hostile_text_takes_no_longer_than_others(piece: str) -> None:
    """A pattern that starts again at every piece and reads to the end takes minutes for this."""
    assert len(plain_text(piece * 100_000)) <= 100_000 * len(piece)


@pytest.mark.parametrize("text", [TEST, SHORT])
def test_a_copy_with_spaces_between_its_letters_is_a_copy(text: str) -> None:
    """Training data without it were kept, but a copy in data.valid of one in data.eval was not left out."""
    spaced = " ".join(text.replace(" ", ""))
    assert find_copies([problem("v", spaced)], {"eval": [problem("e", text)]}) == {"v": "eval:e"}
    assert find_copies([problem("v", spaced, answer=61)], {"eval": [problem("e", text)]}) == {}
    assert find_copies([problem("v", spaced.replace("2", "3"))], {"eval": [problem("e", text)]}) == {}
