"""What is trained on: programs by teachers, clean of every reported set, lost problems twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.operations.evolve import draw_pool
from fdd_edge.operations.problem_sets import (
    REPEAT,
    curate_offspring,
    extend_training_data,
    seed_training_data,
    validation_data,
    write_sets,
)
from fdd_edge.records import Origin, Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.resolve.dataset import DatasetSpec, check_set, read_set

SOLVED = Problem("a", "Ann has 4 pens and finds 5. How many pens?", 9, "own", program="answer = 4 + 5")
NOTED = Problem(
    "b",
    "Bo sold 6 maps and then 3 more. How many maps did Bo sell?",
    9,
    "gsm8k",
    extra={"solution": "Bo sold 6 + 3 = <<6+3=9>>9 maps.\n#### 9"},
)
BARE = Problem("c", "Cy is tall. How tall is Cy?", 2, "own")


def write(path: Path, *problems: Problem) -> Path:
    write_jsonl(path, (p.to_row() for p in problems))
    return path


def test_teachers_are_asked_in_turn_and_a_program_is_kept(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", SOLVED, NOTED, BARE)
    seed_training_data(seeds, {}, tmp_path / "data", teachers=["annotated", "symbolic"])
    kept = {p.id: p for p in read_problems(tmp_path / "data" / "train.jsonl")}
    assert set(kept) == {"a", "b"}
    assert kept["b"].teacher == "annotated"
    assert kept["a"].teacher is None
    assert (kept["a"].n_ops, kept["b"].n_ops) == (1, 1)
    (left_out,) = [row for _, row in read_jsonl(tmp_path / "data" / "rejected.jsonl")]
    assert left_out["id"] == "c"
    assert left_out["reason"] == "no_rationale"
    assert set(left_out["declined"]) == {"annotated", "symbolic"}


def test_programs_of_valid_are_kept_for_its_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They were thrown away, so that a user's own set never had a validation loss."""
    wrong = replace(BARE, program="answer = 3")
    mine = write(tmp_path / "mine.jsonl", SOLVED, wrong)
    train = write(tmp_path / "seed.jsonl", NOTED)
    write_sets(
        tmp_path / "data",
        train=[DatasetSpec("seeds", str(train))],
        valid=[DatasetSpec("mine", str(mine))],
        eval=[],
        seed=0,
    )
    validation_data(tmp_path / "data" / "valid.jsonl", tmp_path / "validation.jsonl", teachers=["annotated"])
    assert [(p.id, p.program) for p in read_problems(tmp_path / "validation.jsonl")] == [("mine-a", SOLVED.program)]
    assert "valid: 1 of 2 programs do not give their answer" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["valid", "svamp"])
def test_what_is_reported_on_is_never_trained_on(tmp_path: Path, name: str) -> None:
    other_numbers = replace(SOLVED, id="x", question=SOLVED.question.replace("4", "7"), answer=12, program=None)
    protected = {name: write(tmp_path / "p.jsonl", other_numbers)}
    seeds = write(tmp_path / "seed.jsonl", SOLVED, NOTED)
    seed_training_data(seeds, protected, tmp_path / "data", teachers=["annotated"])
    assert [p.id for p in read_problems(tmp_path / "data" / "train.jsonl")] == ["b"]
    (row,) = [row for _, row in read_jsonl(tmp_path / "data" / "rejected.jsonl")]
    assert (row["reason"], row["against"]) == ("leaks", f"{name}:x")


def test_an_evolved_problem_that_leaks_is_rejected_too(tmp_path: Path) -> None:
    child = replace(SOLVED, id="a.r0s0", origin="similar", round=1, depth=1, parent_id="a")
    wrong = replace(child, id="a.r0s1", question="Dan has 4 cups and finds 5. How many cups?", answer=10)
    protected = {"eval": write(tmp_path / "p.jsonl", replace(SOLVED, id="x"))}
    curate_offspring(
        write(tmp_path / "evolved.jsonl", child, wrong),
        [write(tmp_path / "train.jsonl", NOTED_DONE)],
        protected,
        tmp_path / "curated",
    )
    reasons = [row["reason"] for _, row in read_jsonl(tmp_path / "curated" / "rejected.jsonl")]
    assert sorted(reasons) == ["leaks", "wrong_answer"]
    assert read_problems(tmp_path / "curated" / "accepted.jsonl") == []


NOTED_DONE = replace(NOTED, program="answer = 6 + 3")


def test_a_lost_problem_is_trained_on_twice_however_often_it_is_lost(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", SOLVED, NOTED_DONE)
    empty = write(tmp_path / "none.jsonl")
    write(tmp_path / "split" / "lost.jsonl", NOTED_DONE)
    for out in ("one", "two"):
        extend_training_data(train, empty, empty, tmp_path / "split", tmp_path / out)
        train = tmp_path / out / "train.jsonl"
        assert {p.id: p.extra.get(REPEAT, 1) for p in read_problems(train)} == {"a": 1, "b": 2}


def asked(n: int, *, origin: Origin = "complex") -> list[Problem]:
    """New problems that curation lets in, each of a parent of its own."""
    things = ["maps", "pens", "cups", "figs", "nuts", "hats", "keys", "jars", "bats", "nets", "toys", "pots"]
    letter, deed = origin[0], "sold" if origin == "complex" else "found"
    return [
        Problem(
            f"s{letter}{i}",
            f"Mo, a {things[i]} man, {deed} {i + 11} {things[i]} and 3 more. How many {deed} ones were that?",
            i + 14,
            "own",
            program=f"answer = {i + 11} + 3",
            origin=origin,
            parent_id=f"p{letter}{i}",
            depth=1,
            round=1,
        )
        for i in range(n)
    ]


def test_a_round_takes_no_more_new_problems_than_asked_each_branch_in_its_share(tmp_path: Path) -> None:
    evolved = write(tmp_path / "evolved.jsonl", *asked(8), *asked(4, origin="similar"))
    for out in ("a", "b"):
        curate_offspring(evolved, [], {}, tmp_path / out, max_new=6, seed=1)
    accepted = read_problems(tmp_path / "a" / "accepted.jsonl")
    assert Counter(p.origin for p in accepted) == {"complex": 4, "similar": 2}
    rejected = read_problems(tmp_path / "a" / "rejected.jsonl")
    assert {p.extra["reason"] for p in rejected} == {"over_max_new"}
    assert len(accepted) + len(rejected) == 12
    assert (tmp_path / "a" / "accepted.jsonl").read_bytes() == (tmp_path / "b" / "accepted.jsonl").read_bytes()


def test_a_reserve_joins_the_training_data_once_it_is_labelled(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", *(replace(p, origin="seed", parent_id=None) for p in asked(12)))
    seed_training_data(seeds, {}, tmp_path / "data", teachers=["annotated"], fresh=True, seed=5)
    train, reserve = (read_problems(tmp_path / "data" / f"{name}.jsonl") for name in ("train", "reserve"))
    assert len(reserve) == 6
    assert not {p.id for p in train} & {p.id for p in reserve}
    pool = draw_pool(tmp_path / "data" / "train.jsonl", 4, 0, reserve=tmp_path / "data" / "reserve.jsonl")
    assert {p.id for p in pool} < {p.id for p in reserve}
    write(tmp_path / "split" / "easy.jsonl", *pool[:3])
    write(tmp_path / "split" / "lost.jsonl", *pool[3:])
    empty = write(tmp_path / "none.jsonl")
    extend_training_data(
        tmp_path / "data" / "train.jsonl",
        empty,
        empty,
        tmp_path / "split",
        tmp_path / "next",
        reserve=tmp_path / "data" / "reserve.jsonl",
    )
    joined = read_problems(tmp_path / "next" / "train.jsonl")
    assert [p.id for p in joined] == [p.id for p in (*train, *pool)]
    assert joined[-1].extra == {REPEAT: 2}
    left = draw_pool(tmp_path / "next" / "train.jsonl", 4, 1, reserve=tmp_path / "data" / "reserve.jsonl")
    assert {p.id for p in left} == {p.id for p in reserve} - {p.id for p in pool}


def test_without_valid_a_tenth_is_set_apart_by_the_seed(tmp_path: Path) -> None:
    train = [DatasetSpec("symbolic-train", "symbolic:train", limit=50)]
    for out in ("a", "b"):
        write_sets(tmp_path / out, train=train, valid=[], eval=[], seed=3)
    valid, seeds = (read_problems(tmp_path / "a" / f"{name}.jsonl") for name in ("valid", "seed"))
    assert (len(valid), len(seeds)) == (5, 45)
    assert not {p.question for p in valid} & {p.question for p in seeds}
    assert (tmp_path / "a" / "valid.jsonl").read_bytes() == (tmp_path / "b" / "valid.jsonl").read_bytes()


def test_held_out_situations_are_other_situations() -> None:
    train, held = (
        read_set(DatasetSpec("s", f"symbolic:{split}", limit=60), seed=0)[0] for split in ("train", "heldout")
    )
    situations = [{p.extra["situation"] for p in problems} for problems in (train, held)]
    assert situations[0]
    assert situations[1]
    assert not situations[0] & situations[1]


def test_a_set_of_short_problems_goes_beside_one_of_all(tmp_path: Path) -> None:
    """The ids of a symbolic set did not begin with its name, so a run could have only one."""
    short = DatasetSpec("short", "symbolic:train", limit=40, max_operations=1)
    write_sets(tmp_path, train=[DatasetSpec("all", "symbolic:train", limit=40), short], valid=[], eval=[], seed=0)
    seeds = read_problems(tmp_path / "seed.jsonl")
    assert {p.n_ops for p in seeds if p.id.startswith("short-")} == {1}
    assert max(p.n_ops or 0 for p in seeds if p.id.startswith("all-")) > 3
    assert short.params() != replace(short, max_operations=2).params()


def test_operations_of_a_file_are_not_chosen(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "How many are 2 and 3?", "answer": 5}\n')
    with pytest.raises(FddError, match=r"max_operations is for symbolic:train and .*, not for .*p\.jsonl"):
        check_set(DatasetSpec("p", str(path), max_operations=1))


def test_an_unknown_symbolic_set_names_those_there_are() -> None:
    with pytest.raises(FddError, match="there are symbolic:train and symbolic:heldout"):
        read_set(DatasetSpec("s", "symbolic:test"), seed=0)


def test_too_few_problems_to_set_any_apart(tmp_path: Path) -> None:
    with pytest.raises(FddError, match="too few, or differ in numbers alone"):
        write_sets(tmp_path / "o", train=[DatasetSpec("s", "symbolic:train", limit=1)], valid=[], eval=[], seed=0)


def test_a_longer_list_of_sets_leaves_each_as_it_was(tmp_path: Path) -> None:
    train = [DatasetSpec("t", "symbolic:train", limit=30)]
    held = DatasetSpec("held", "symbolic:heldout", limit=10)
    for out, sets in (("a", [held]), ("b", [DatasetSpec("first", "symbolic:heldout", limit=10), held])):
        write_sets(tmp_path / out, train=train, valid=[], eval=sets, seed=0)
    before, after = ((tmp_path / out / "eval" / "held.jsonl").read_bytes() for out in ("a", "b"))
    assert before == after != (tmp_path / "b" / "eval" / "first.jsonl").read_bytes()


def test_two_problems_of_one_id_are_refused(tmp_path: Path) -> None:
    train = [DatasetSpec("one", "symbolic:train", limit=9)] * 2
    with pytest.raises(FddError, match=r"Two problems of data\.train have the id 'one-00000'"):
        write_sets(tmp_path / "o", train=train, valid=[], eval=[], seed=0)


def test_nothing_left_to_train_on_says_why(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", BARE, SOLVED)
    protected = {"valid": write(tmp_path / "p.jsonl", replace(SOLVED, id="x"))}
    with pytest.raises(FddError, match="kept out: 1 no_rationale, 1 leaks"):
        seed_training_data(seeds, protected, tmp_path / "data", teachers=["annotated"])


def test_a_users_own_field_named_repeat_steers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"question": "Ann has 4 pens.", "answer": 4, "program": "answer = 4", "repeat": 9}\n', encoding="utf-8"
    )
    (problem,), _ = read_set(DatasetSpec("t", str(path)), seed=0)
    assert REPEAT not in problem.extra


def test_problems_of_one_wording_stay_on_one_side(tmp_path: Path) -> None:
    """Two of them in valid once had all the others rejected as leaks."""
    same = [{"question": f"Ann has {n} pens and {n} cups.", "answer": 2 * n} for n in range(2, 12)]
    others = [{"question": f"{name} has 4 pens.", "answer": 4} for name in "ABCDEFGHIJ"]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (*same, *others)), encoding="utf-8")
    write_sets(tmp_path / "o", train=[DatasetSpec("t", str(path))], valid=[], eval=[], seed=0)
    assert {p.question for p in read_problems(tmp_path / "o" / "valid.jsonl")} < {
        str(row["question"]) for row in others
    }
