"""Which problems are kept, which are rejected, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest

from fdd_edge.curation import Curated, ProgramStyle, Reason, check_examples, check_programs, count_reasons, curate
from fdd_edge.records import Problem


def problem(id: str, question: str, answer: float = 5, program: str | None = "answer = 2 + 3") -> Problem:
    return Problem(id=id, question=question, answer=answer, source="test", program=program)


def told(rejected: list[Problem]) -> list[dict[str, Any]]:
    """Return what each rejected record says about its rejection."""
    rows = [entry.to_row() for entry in rejected]
    return [{key: row[key] for key in ("reason", "against", "detail") if key in row} for row in rows]


PENS = "Mo has 2 pens and finds 3. How many pens has Mo?"
LONG = "While the rain fell on the old harbour, Nan sold 2 nets and 3 ropes. How many things did she sell?"


def test_kept_problems_get_the_normal_form_and_their_operations() -> None:
    kept, rejected = curate([problem("a", PENS, program="```python\nanswer = 2 + 3\n```")], protected={})
    assert rejected == []
    assert (kept[0].program, kept[0].n_ops, kept[0].extra) == ("answer = 2 + 3", 1, {})


WORDY = "pens = 2\nfound = 3\nhalf = found / 2\ntotal = pens + found\nanswer = total"


@pytest.mark.parametrize("check", [partial(curate, protected={}), check_programs, check_examples])
def test_programs_get_the_style_that_is_asked_for(check: Callable[..., Curated]) -> None:
    """The program as it was written is kept beside a terse one, and both have the operations that the answer needs."""
    given = [problem("a", PENS, program=f"def f():\n    {WORDY.replace(chr(10), chr(10) + '    ')}\n    return answer")]
    (as_written,) = check(given, style="as_written").kept
    assert (as_written.program, as_written.written, as_written.n_ops) == (WORDY, None, 1)
    (short,) = check(given, style="terse").kept
    assert (short.program, short.written, short.n_ops) == ("answer = 2 + 3", WORDY, 1)
    assert check([short], style="terse").kept == [short]


def test_the_numbers_that_a_program_uses_are_those_of_its_terse_form() -> None:
    """The checks of new problems are made on what is trained on, and a number that nothing reads is not used."""
    child = replace(problem("b", PENS, program=WORDY), origin="similar")
    unused = replace(child, program="pens = 2\nfound = 3\nanswer = 5")
    for style in get_args(ProgramStyle):
        assert [p.id for p in curate([child], protected={}, style=style).kept] == ["b"]
        assert told(curate([unused], protected={}, style=style).rejected) == [
            {"reason": "number_not_used", "detail": "2"}
        ]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, Reason.NO_RATIONALE),
        ("answer = (2 +", Reason.DOES_NOT_PARSE),
        ("answer = 1 / 0", Reason.DOES_NOT_RUN),
        ("answer = 2 * 3", Reason.WRONG_ANSWER),
    ],
)
def test_programs_must_run_and_be_correct(program: str | None, reason: Reason) -> None:
    kept, rejected = curate([problem("a", PENS, program=program)], protected={})
    assert kept == []
    assert rejected[0].program == program
    assert rejected[0].reason == reason
    assert rejected[0].against is None


def test_a_wrong_answer_is_reported() -> None:
    _, rejected = curate([problem("a", PENS, program="answer = 2 * 3")], protected={})
    assert told(rejected) == [{"reason": "wrong_answer", "detail": "gives 6, not 5"}]


def test_the_same_question_in_another_form_is_a_duplicate() -> None:
    again = problem("b", "mo has 2 pens, and finds 3 -- HOW many  pens has Mo", answer=6, program="answer = 6")
    kept, rejected = curate([problem("a", PENS), again], protected={})
    assert [entry.id for entry in kept] == ["a"]
    assert told(rejected) == [{"reason": "duplicate", "against": "a"}]


def test_other_numbers_are_a_duplicate_only_with_the_same_answer() -> None:
    same = problem("b", PENS.replace("2", "one").replace("3", "4"))
    other = problem("c", PENS.replace("3", "9"), answer=11, program="answer = 2 + 9")
    kept, rejected = curate([same, other], known=[problem("seed", PENS)], protected={})
    assert [entry.id for entry in kept] == ["c"]
    assert told(rejected) == [{"reason": "duplicate", "against": "seed"}]


def test_rejected_problems_cause_no_duplicates() -> None:
    kept, _ = curate([problem("a", PENS, program=None), problem("b", PENS)], protected={})
    assert [entry.id for entry in kept] == ["b"]


def test_a_test_question_with_other_numbers_leaks() -> None:
    protected = {
        "clean": [problem("clean-1", LONG)],
        "svamp": [problem("svamp-17", PENS.replace("2", "40"), answer=43)],
    }
    _, rejected = curate([problem("a", PENS)], protected=protected)
    assert told(rejected) == [{"reason": "leaks", "against": "svamp:svamp-17"}]


def test_thirteen_words_in_a_row_leak_and_twelve_do_not() -> None:
    thirteen = "while the rain fell on the old harbour nan sold 2 nets and"
    protected = {"valid": [problem("v-1", LONG)]}
    leak = problem("a", f"{thirteen} 4 hats. Then?")
    no_leak = problem("b", f"Once {thirteen.removesuffix(' and')} with 4 hats. Then?")
    number = problem("c", f"{thirteen.replace('2', '7')} 4 hats. And then?")
    kept, rejected = curate([leak, no_leak, number], protected=protected)
    assert [entry.id for entry in kept] == ["b", "c"]
    assert told(rejected) == [{"reason": "leaks", "against": "valid:v-1"}]


def test_the_first_reason_wins_and_other_fields_stay() -> None:
    candidate = Problem(id="a", question=PENS, answer=5, source="s", program="answer = 6", extra={"note": 1})
    _, rejected = curate([candidate], known=[problem("k", PENS)], protected={"t": [problem("t-1", PENS)]})
    assert rejected[0].reason == "wrong_answer"
    assert rejected[0].extra["note"] == 1
    _, rejected = curate([problem("a", PENS)], known=[problem("k", PENS)], protected={"t": [problem("t-1", PENS)]})
    assert told(rejected) == [{"reason": "duplicate", "against": "k"}]


def test_reasons_are_counted_most_common_first() -> None:
    candidates = [problem("a", PENS), problem("b", PENS, program=None), problem("c", PENS), problem("d", PENS)]
    assert count_reasons(curate(candidates, protected={}).rejected) == {"duplicate": 2, "no_rationale": 1}
    assert count_reasons([]) == {}


def test_a_seed_that_is_a_test_item_with_other_people_leaks() -> None:
    """Seeds were only compared by their words and masked numbers; only ``valid`` has the same sources as the seeds."""
    seed = problem("a", "Ann has 5 nuts and gives 2 of them to Tom. How many are left?", 3, program="answer = 5 - 2")
    other = problem("t-1", "Mia has 9 nuts and gives 4 of them to Leo. How many are left?")
    _, rejected = curate([seed], protected={"test": [other]})
    assert told(rejected) == [{"reason": Reason.LEAKS, "against": "test:t-1"}]
    assert curate([seed], valid=[other], protected={}).rejected == []


def test_of_two_problems_with_one_id_both_are_remembered() -> None:
    first, second = problem("a", PENS), problem("a", LONG)
    _, rejected = curate([first, second, replace(second, id="b")], protected={})
    assert [p.against for p in rejected] == ["a"]
