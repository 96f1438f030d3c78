"""Which problems are easy, hard or lost, and which evolve."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.feedback import (
    LABELS,
    Bands,
    Policy,
    Split,
    branches,
    offspring,
    sample_new,
    sample_pool,
    split_problems,
    without_offspring,
)
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem

RIGHT, WRONG, NONE = Verdict.correct, Verdict.wrong, Verdict.no_program


def problem(name: str, **fields: object) -> Problem:
    return Problem(name, f"question {name}?", 1, "test", **fields)  # type: ignore[arg-type]


def split(verdicts: dict[str, list[Verdict]], solved_by_float: set[str] = frozenset()) -> dict[str, list[str]]:  # type: ignore[assignment]
    rows = [
        Completion(name, k, "", None, None, verdict, 1, 1, "00")
        for name, own in verdicts.items()
        for k, verdict in enumerate(own)
    ]
    found = split_problems([problem(name) for name in verdicts], rows, Bands(), solved_by_float=solved_by_float)
    return {label: [item.problem.id for item in items] for label, items in found.items() if items}


@pytest.mark.parametrize(
    ("verdicts", "label"),
    [
        ([RIGHT], "easy"),
        ([WRONG], "hard"),
        ([NONE], "format"),
        ([Verdict.unfinished], "format"),
        ([RIGHT, RIGHT, RIGHT, WRONG], "easy"),
        ([RIGHT, RIGHT, WRONG, WRONG], "borderline"),
        ([RIGHT, WRONG, WRONG, WRONG], "hard"),
        ([NONE, WRONG], "hard"),
        ([RIGHT, NONE], "format"),
    ],
)
def test_labels(verdicts: list[Verdict], label: str) -> None:
    assert split({"p": verdicts}) == {label: ["p"]}


@pytest.mark.parametrize("verdict", [WRONG, NONE])
def test_what_the_float_model_solves_is_lost(verdict: Verdict) -> None:
    assert split({"p": [verdict]}, {"p"}) == {"lost": ["p"]}


def test_an_easy_problem_is_never_lost() -> None:
    assert split({"p": [RIGHT]}, {"p"}) == {"easy": ["p"]}


@given(st.dictionaries(st.text("abcdef", min_size=1), st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=4)))
def test_every_problem_has_exactly_one_label(verdicts: dict[str, list[Verdict]]) -> None:
    labels = Counter(name for names in split(verdicts).values() for name in names)
    assert labels == Counter(dict.fromkeys(verdicts, 1))


def test_a_problem_without_completion_is_an_error() -> None:
    with pytest.raises(KeyError):
        split_problems([problem("p")], [], Bands(), solved_by_float=())


def labelled(**names: list[Problem]) -> Split:
    from fdd_edge.feedback import LabelledProblem

    return {label: [LabelledProblem(p, 0.0, label) for p in names.get(label, [])] for label in LABELS}


def test_easy_becomes_complex_and_the_rest_similar_but_format_never() -> None:
    found = branches(
        labelled(
            easy=[problem("e")],
            hard=[problem("h")],
            borderline=[problem("b")],
            lost=[problem("l")],
            format=[problem("f")],
        ),
        max_depth=3,
    )
    assert {b.origin: [p.id for p in b.parents] for b in found} == {"complex": ["e"], "similar": ["h", "b", "l"]}


def test_a_problem_at_the_maximum_depth_does_not_evolve() -> None:
    deep, shallow = problem("d", depth=2), problem("s", depth=1)
    complex_, _ = branches(labelled(easy=[deep, shallow]), max_depth=2)
    assert ([p.id for p in complex_.parents], [p.id for p in complex_.too_deep]) == (["s"], ["d"])


def test_the_policies_differ_only_in_who_evolves_into_what() -> None:
    """Random deals the same parents in the same numbers; inverted swaps them; none has no parents."""
    easy, hard = ([problem(f"{side}{i}") for i in range(n)] for side, n in (("e", 12), ("h", 30)))
    found = labelled(easy=easy, hard=hard)

    def parents(policy: Policy, seed: int = 0) -> dict[str, list[str]]:
        made = branches(found, max_depth=3, policy=policy, seed=seed)
        return {branch.origin: [p.id for p in branch.parents] for branch in made}

    fdd, dealt = parents("fdd"), parents("random")
    assert parents("inverted") == {"complex": fdd["similar"], "similar": fdd["complex"]}
    assert {origin: len(ids) for origin, ids in dealt.items()} == {"complex": 12, "similar": 30}
    assert sorted(dealt["complex"] + dealt["similar"]) == sorted(fdd["complex"] + fdd["similar"])
    assert {name[0] for name in dealt["complex"]} == {"e", "h"}
    assert parents("random") == dealt != parents("random", seed=1)
    assert parents("none") == {"complex": [], "similar": []}


def test_a_parents_second_offspring_is_drawn_only_after_every_first() -> None:
    family = [problem(f"{p}{n}", parent_id=p, origin="similar") for p in "abcd" for n in range(3)]
    drawn = sample_new(family, 4, seed=2)
    assert sorted(str(p.parent_id) for p in drawn) == ["a", "b", "c", "d"]
    assert sample_new(family, 4, seed=2) == drawn
    assert sample_new(family, None, seed=2) == sample_new(family, 12, seed=2) == family


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 60))
def test_branches_are_drawn_in_proportion(n_complex: int, n_similar: int, limit: int) -> None:
    made = [problem(f"c{i}", origin="complex") for i in range(n_complex)]
    made += [problem(f"s{i}", origin="similar") for i in range(n_similar)]
    drawn = sample_new(made, limit, seed=0)
    assert len(drawn) == min(limit, len(made))
    if drawn:
        share = len(drawn) * n_complex / len(made)
        assert abs(sum(p.origin == "complex" for p in drawn) - share) < 1


def test_parents_without_offspring_are_counted_with_the_reason() -> None:
    found = labelled(easy=[problem("e1"), problem("e2")], hard=[problem("h1")], lost=[problem("l1")])
    sides = without_offspring(found, {"e1": "max_depth", "h1": "duplicate", "l1": "leaks"}, with_offspring={"e2", "l1"})
    assert sides["easy"] == (2, 1, {"max_depth": 1})
    assert sides["hard"] == (2, 1, {"duplicate": 1})


def test_offspring_record_their_ancestry() -> None:
    child = offspring(
        problem("a", depth=1),
        0,
        origin="similar",
        round_number=1,
        teacher="t",
        question="q",
        program="answer = 2",
        answer=2,
        notes={"k": 1},
    )
    assert (child.parent_id, child.depth, child.round, child.origin, child.teacher) == ("a", 2, 2, "similar", "t")
    assert child.id != "a"
    assert (child.teacher_notes, child.extra) == ({"k": 1}, {})


def test_a_sample_is_spread_over_sources_and_rounds_and_keeps_their_order() -> None:
    pool = [Problem(f"{s}{i}", "?", 1, s) for s, n in (("big", 50), ("small", 5)) for i in range(n)]
    pool += [Problem(f"new{i}", "?", 1, "big", round=1) for i in range(5)]
    drawn = sample_pool(pool, 15, seed=3)
    assert Counter((p.source, p.round) for p in drawn) == {("big", 0): 5, ("small", 0): 5, ("big", 1): 5}
    assert drawn == sorted(drawn, key=pool.index)
    assert sample_pool(pool, 15, seed=3) == drawn != sample_pool(pool, 15, seed=4)
    assert sample_pool(pool, 1000, seed=3) == pool
