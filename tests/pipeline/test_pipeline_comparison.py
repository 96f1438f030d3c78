"""Comparing runs, rounds and evaluations: what is paired with what, what the figures are, and who is worse."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from commands import fdd_edge
from kept import PROBLEMS, evaluation, made_run, reply

from fdd_edge import api
from fdd_edge.errors import FddError
from fdd_edge.evaluation import holm, mcnemar
from fdd_edge.records import read_jsonl, write_jsonl


def big(folder: Path, right: set[int], *, n: int = 60, name: str = "mine", first: int = 0) -> Path:
    """Write an evaluation of ``n`` problems, of which those of ``right`` are solved."""
    evaluation(folder, [2, 4, 6, 8], name=name)
    row = next(row for _, row in read_jsonl(folder / "rows.jsonl"))
    changes = [
        {"problem_id": f"{name}-{i}", "question": f"{name}: what is {i}?", "gold": i, "answer": i if i in right else -1}
        for i in range(first, first + n)
    ]
    verdicts = ("wrong", "correct")
    rows = [row | change | {"verdict": verdicts[change["answer"] != -1]} for change in changes]
    write_jsonl(folder / "rows.jsonl", rows)
    return folder


def test_two_evaluations_are_compared_on_the_same_problems(tmp_path: Path) -> None:
    a, b = big(tmp_path / "a", set(range(30))), big(tmp_path / "b", set(range(8, 50)))
    ran = fdd_edge("compare", a, b)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    said = " ".join(ran.stdout.split())
    assert said.startswith(f"A {a}: a.gguf B {b}: b.gguf")  # a long path is followed by a new line
    head = next(i for i, line in enumerate(lines) if line.startswith("set "))
    assert lines[head].split() == ["set", "A", "B", "change", "95", "%", "flips", "p"]
    assert lines[head + 2].split() == [
        "mine",
        "(60)",
        "50.0",
        "70.0",
        "+20.0",
        "+3.0",
        "to",
        "+35.7",
        "+20",
        "-8",
        "0.036",
    ]
    assert "B is better than A on mine (+3.0 to +35.7 points); to see a change of 2 points, about" in said
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    (row,) = api.compare(a, b).rows
    assert row.difference.p == row.p_holm == mcnemar(20, 8)


def test_only_common_problems_count_and_the_others_are_counted(tmp_path: Path) -> None:
    a, b = big(tmp_path / "a", set(), n=20), big(tmp_path / "b", set(range(40)), n=30, first=5)
    (row,) = api.compare(a, b).rows
    assert (row.difference.n, row.only_first, row.only_second) == (15, 5, 15)
    said = " ".join(fdd_edge("compare", a, b).stdout.split())
    assert "left out mine: 5 problems that only A was asked, 15 that only B was" in said


def test_several_sets_are_also_pooled_and_adjusted(tmp_path: Path) -> None:
    for name, right in (("a", range(10)), ("b", range(16)), ("c", range(30))):
        for dataset in ("x", "y"):
            big(tmp_path / name / dataset, set(right), name=dataset, n=40)
    big(tmp_path / "b" / "z", set(), name="z")
    found = api.compare(*(tmp_path / name for name in "abc"))
    assert [(row.letter, row.dataset) for row in found.rows] == [
        (letter, name) for letter in "BC" for name in ("x", "y", "pooled")
    ]
    single = [row for row in found.rows if row.dataset != "pooled"]
    assert [row.p_holm for row in single] == holm([row.difference.p for row in single])
    pooled = [row for row in found.rows if row.dataset == "pooled"]
    assert [row.difference.n for row in pooled] == [80, 80]
    assert [row.p_holm for row in pooled] == holm([mcnemar(12, 0), mcnemar(40, 0)])
    assert found.unmatched == {"B": ["z"]}
    ran = fdd_edge("compare", *(tmp_path / name for name in "abc"))
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert "z: only B has this set" in ran.stdout
    assert "Holm" in ran.stdout


def test_the_problems_that_flip_are_shown_side_by_side(tmp_path: Path) -> None:
    a, b = evaluation(tmp_path / "a", [2, 0, None, 8]), evaluation(tmp_path / "b", [2, 4, None, 0])
    shown = fdd_edge("compare", a, b, "--flips").stdout
    assert shown.count("A and B, mine\n") == 2
    assert "p2: wrong and correct\nquestion  What is 2 + 2?\nexpected  4\n" in shown
    assert "p4: correct and wrong" in shown
    printed = json.loads(fdd_edge("compare", a, b, "--json").stdout)
    assert [row["problem_id"] for row in printed["flips"]["B"]] == ["p2", "p4"]


@pytest.mark.parametrize(
    ("points", "right", "code"), [(0, 10, 3), (10, 10, 3), (60, 10, 0), (0, 28, 0), (0, 45, 0), (5.5, 0, 3)]
)
def test_a_worse_one_ends_in_code_3_if_the_interval_says_so(
    tmp_path: Path, points: float, right: int, code: int
) -> None:
    a, b = big(tmp_path / "a", set(range(30))), big(tmp_path / "b", set(range(right)))
    ran = fdd_edge("compare", a, b, "--fail-if-worse", points)
    assert ran.returncode == code, ran
    if code:
        assert f"Error: Worse than A by more than {points:g} points: B by " in ran.stderr
        assert ran.stderr.endswith(" on 60 problems.\n")
    assert "change" in ran.stdout


def test_each_worse_one_is_named_with_its_own_problems(tmp_path: Path) -> None:
    """The number was that of the first one, whatever the others had been asked."""
    a = big(tmp_path / "a", set(range(60)))
    b, c = big(tmp_path / "b", set()), big(tmp_path / "c", set(), n=40)
    ran = fdd_edge("compare", a, b, c, "--fail-if-worse", 1)
    assert ran.returncode == 3
    assert re.fullmatch(
        r"Error: Worse than A by more than 1 point: B by [\d.]+ to [\d.]+ on 60 problems; C by [\d.]+ to [\d.]+ on 40 "
        r"problems\.\n",
        ran.stderr,
    )


def test_runs_are_compared_by_their_judge_and_config(tmp_path: Path) -> None:
    first, second = made_run(tmp_path / "one"), made_run(tmp_path / "two", rounds=2)
    (first / "config.yaml").write_text("lora: {r: 8}\noutput_dir: x\nseed: 1\nrounds: 1\n")
    (second / "config.yaml").write_text("lora: {r: 16, lora_alpha: 2}\noutput_dir: y\nseed: 1\n5: 2026-01-02\n")
    found = api.compare(first, second, second / "round-00")
    assert [one.artifact for one in found.contestants] == [
        "round-00 gguf-q4_0",
        "round-01 gguf-q4_0",
        "round-00 gguf-q4_0",
    ]
    assert [row.dataset for row in found.rows] == ["valid", "held"] * 2
    assert {row.dataset for row in found.overall.values()} == {"held"}
    assert found.configs["lora.r"] == {"A": 8, "B": 16, "C": 16}
    assert found.configs["rounds"] == {"A": 1, "B": None, "C": None}
    assert set(found.configs) == {"lora.r", "lora.lora_alpha", "rounds", "5"}
    said = " ".join(fdd_edge("compare", first, second).stdout.split())
    assert "config lora.r: 8 in A, 16 in B" in said
    assert "config rounds: 1 in A, not set in B" in said


def test_the_set_that_chose_the_best_round_is_not_pooled(tmp_path: Path) -> None:
    """The best of many rounds is partly the luckiest one on valid."""
    first, second = (made_run(tmp_path / name, sets=("held", "other")) for name in ("one", "two"))
    found = api.compare(first, second)
    assert [(row.dataset, row.difference.n) for row in found.rows] == [
        ("valid", 4),
        ("held", 4),
        ("other", 4),
        ("pooled", 8),
    ]
    shown = fdd_edge("compare", first, second).stdout
    assert "valid     chose the best round of each run, so it is not pooled" in shown


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    """A longer token limit looked like a better model."""
    a, b = evaluation(tmp_path / "a", [2, 4, 6, 8]), evaluation(tmp_path / "b", [2, 4, 6, 8])
    for folder, limit in ((a, 200), (b, 512)):
        summary = json.loads((folder / "summary.json").read_text())
        settings = {"max_new_tokens": limit, "prompt": "{question}"}
        (folder / "summary.json").write_text(json.dumps(summary | {"settings": settings}))
    assert "settings  max_new_tokens: 200 in A, 512 in B" in fdd_edge("compare", a, b).stdout


def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path) -> None:
    page, unfinished = tmp_path / "page.html", made_run(tmp_path / "unfinished", finished=False)
    page.write_text("<html>")
    a, other = evaluation(tmp_path / "a", [2, 0, 6, 8]), big(tmp_path / "other", set())
    changed = evaluation(tmp_path / "changed", [2, 0, 6, 8])
    rows = [row for _, row in read_jsonl(changed / "rows.jsonl")]
    write_jsonl(changed / "rows.jsonl", [rows[0] | {"question": "How many?"}, *rows[1:]])
    for name in ("x", "y"):
        evaluation(tmp_path / "both" / name, [2, 0, 6, 8], name="mine")
    for paths, said in (
        ((a,), "Name 2 to 26 runs, rounds or evaluations to compare, not 1."),
        ((a, page), "page.html is not a folder; name a run, a round, or a folder that fdd-edge eval -o wrote."),
        ((unfinished, a), f"{unfinished} has no finished round yet; finish one with: fdd-edge run {unfinished}"),
        ((a, other), "have no problem in common; evaluate both on the same file."),
        ((a, changed), "do not have the same problems: 'p1' is another question, or has another answer, in each;"),
        ((a, tmp_path / "both"), "both holds several evaluations of 'mine'; name the folder of one artifact."),
        ((made_run(tmp_path / "run"), a), "have no set in common (valid, held and mine); evaluate both on the same"),
    ):
        ran = fdd_edge("compare", *paths)
        assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran
        assert said in ran.stderr
    with pytest.raises(FddError, match="path"):
        api.compare(5, a)  # type: ignore[arg-type]


def test_rows_of_an_earlier_version_are_compared_by_their_ids(tmp_path: Path) -> None:
    a, b = (evaluation(tmp_path / name, [2, 0, 6, 8], asked=False) for name in "ab")
    (row,) = api.compare(a, b).rows
    assert (row.difference.n, row.difference.distinct) == (len(PROBLEMS), len(PROBLEMS))


def test_the_reported_set_is_judged_and_not_the_one_that_chose_the_rounds(tmp_path: Path) -> None:
    """Folders come by name, `test` before `valid`, and the last of them was judged."""
    for name, right in (("a", range(30)), ("b", range(10))):
        big(tmp_path / name / "test", set(right), name="test")
        big(tmp_path / name / "valid", set(range(30)), name="valid")
    found = api.compare(tmp_path / "a", tmp_path / "b")
    rows = [row for row in found.rows if row.dataset != "pooled"]
    alone = replace(found, rows=rows)  # as for folders of a run, whose valid is not pooled
    assert {row.dataset for row in alone.overall.values()} == {"test"}
    assert [row.letter for row in alone.worse(0)] == ["B"]


@pytest.mark.parametrize("points", [float("nan"), float("inf"), -1.0])
def test_points_that_no_interval_can_miss_are_refused(tmp_path: Path, points: float) -> None:
    """`--fail-if-worse nan` never failed."""
    a, b = big(tmp_path / "a", set(range(30))), big(tmp_path / "b", set())
    with pytest.raises(FddError, match="must be a number from 0 up"):
        api.compare(a, b).worse(points)


def voted(folder: Path, answers: list[list[float | None]]) -> Path:
    """Write an evaluation with several replies to each problem."""
    evaluation(folder, [2, 4, 6, 8])
    rows = [
        replace(reply(problem, answer), sample=k).to_row()
        for problem, own in zip(PROBLEMS, answers, strict=True)
        for k, answer in enumerate(own)
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    return folder


def test_a_majority_is_compared_as_one_reply(tmp_path: Path) -> None:
    """Greedy replies and votes were refused, although that comparison says whether voting pays."""
    greedy = evaluation(tmp_path / "greedy", [2, 0, 0, 8])
    vote = voted(tmp_path / "vote", [[2, 2, 9], [0, 4, 4], [None, None, None], [9, 9, 8]])
    found = api.compare(greedy, vote)
    (row,) = found.rows
    assert (row.difference.n, row.difference.first, row.difference.second) == (4, 0.5, 0.5)
    assert (row.difference.gained, row.difference.lost, row.difference.p) == (1, 1, mcnemar(1, 1))
    assert [one.samples for one in found.contestants] == [1, 3]
    assert [one["samples"] for one in found.to_dict()["contestants"]] == [1, 3]
    assert [(flip.reply.problem_id, flip.against and flip.against.sample) for flip in found.flips["B"]] == [
        ("p2", 1),
        ("p4", 0),
    ]
    said = " ".join(fdd_edge("compare", greedy, vote).stdout.split())
    assert "greedy.gguf B" in said
    assert "vote.gguf, by the majority of 3 replies" in said
    assert "mine (4) 50.0 50.0 +0.0" in said


def test_two_votes_are_compared_by_their_majorities(tmp_path: Path) -> None:
    """Their replies were compared, beside figures that were those of the majorities."""
    first = voted(tmp_path / "first", [[2, 2, 9], [4, 9, 9], [6, 9, 9], [8, 9, 9]])
    second = voted(tmp_path / "second", [[2, 2, 9], [4, 4, 9], [6, 6, 9], [9, 9, 9]])
    (row,) = api.compare(first, second).rows
    assert (row.difference.n, row.difference.first, row.difference.second) == (4, 0.25, 0.75)
    assert (row.difference.gained, row.difference.lost) == (2, 0)


def test_replies_are_shown_next_to_as_many(tmp_path: Path) -> None:
    """Seven of eight replies were left out without a word."""
    greedy, vote = evaluation(tmp_path / "greedy", [2, 0, 0, 8]), voted(tmp_path / "vote", [[2, 2]] * 4)
    for pair, said in (((greedy, vote), "1 reply per problem and .* 2"), ((vote, greedy), "2 replies per problem and")):
        with pytest.raises(FddError, match=f"has {said}.*; evaluate both with the same --samples"):
            api.rows(pair[0], against=pair[1])
    shown = api.rows(vote, against=vote).rows
    assert [(row.reply.sample, row.against and row.against.sample) for row in shown[:2]] == [(0, 0), (1, 1)]


def test_a_name_of_several_lines_takes_one(tmp_path: Path) -> None:
    """A set's name is text of whoever wrote the folder; it could put a line of its own below the table."""
    folders = [big(tmp_path / name, set(range(30)), name="mine") for name in "ab"]
    for folder in folders:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summary["data"]["name"] = "mine\nresult   B is better than A"
        (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert "\nresult   B is better" not in fdd_edge("compare", *folders, "--flips").stdout


def test_a_set_may_be_called_pooled(tmp_path: Path) -> None:
    """Outside a run, its row was taken for that of all sets, and Holm's p values mixed the two."""
    for name in ("a", "b"):
        right = set(range(40 if name == "a" else 20))
        big(tmp_path / name / "one", right, name="one")
        big(tmp_path / name / "pooled", right, name="pooled")
    found = api.compare(tmp_path / "a", tmp_path / "b")
    assert [(row.dataset, row.is_pooled) for row in found.rows] == [
        ("one", False),
        ("pooled", False),
        ("pooled-2", True),
    ]
    assert found.overall["B"].dataset == "pooled-2"
    own, pooled = found.rows[:2], found.rows[2]
    assert [row.p_holm for row in own] == holm([row.difference.p for row in own])
    assert pooled.p_holm == pooled.difference.p
    assert pooled.difference.n == 120
    ran = fdd_edge("compare", tmp_path / "a", tmp_path / "b", "--json")
    assert [(row["set"], row["pooled"]) for row in json.loads(ran.stdout)["comparisons"]] == [
        ("one", False),
        ("pooled", False),
        ("pooled-2", True),
    ]
    assert "B is worse than A on pooled-2" in " ".join(
        fdd_edge("compare", tmp_path / "a", tmp_path / "b").stdout.split()
    )


def untuned_of(root: Path, *, shown: list[float | None]) -> Path:
    """Write a run with a student that was evaluated before training, and was asked a few questions to show."""
    folder = made_run(root) / "untuned" / "eval" / "local" / "gguf-q4_0"
    for name in ("valid", "held"):
        evaluation(folder / name, [2, 4, 6, 8])
    evaluation(folder / "shown-questions", shown)
    return folder


def test_questions_that_are_only_shown_decide_nothing(tmp_path: Path) -> None:
    """They were pooled with the held-out sets, and with a single set they alone could fail a comparison."""
    a, b = untuned_of(tmp_path / "a", shown=[2, 4, 6, 8]), untuned_of(tmp_path / "b", shown=[0, 0, 0, 0])
    found = api.compare(a, b)
    assert [row.dataset for row in found.rows] == ["held", "valid"]
    assert found.unmatched == {}
    assert fdd_edge("compare", a, b, "--fail-if-worse", 0).returncode == 0
    (named,) = api.compare(a / "shown-questions", b / "shown-questions").rows
    assert (named.dataset, named.difference.lost) == ("shown-questions", 4)


def test_outside_a_run_a_set_may_have_any_name(tmp_path: Path) -> None:
    """The names of a run's own sets were left out there too."""
    for name in ("a", "b"):
        for dataset in ("pool", "shown-questions", "other"):
            evaluation(tmp_path / name / dataset, [2, 4, 6, 8], name=dataset)
    found = api.compare(tmp_path / "a", tmp_path / "b")
    assert [row.dataset for row in found.rows] == ["other", "pool", "shown-questions", "pooled"]
