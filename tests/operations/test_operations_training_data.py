"""What is trained on: programs by teachers, no problem of a reported set, lost problems twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from fdd_edge.curation import ProgramStyle
from fdd_edge.errors import FddError
from fdd_edge.operations.curate import curate_offspring
from fdd_edge.operations.problem_sets import read_problem_sets
from fdd_edge.operations.split import draw_pool
from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.operations.training_data import (
    examples_to_train_on,
    extend_training_data,
    first_training_data,
    validation_data,
)
from fdd_edge.records import Origin, Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, check_set, fetch_set, read_set
from fdd_edge.runs.fingerprint import plain

SOLVED = Problem("a", "Ann has 4 pens and finds 5. How many pens?", 9, "own", program="answer = 4 + 5")
NOTED = Problem(
    "b",
    "Bo sold 6 maps and then 3 more. How many maps did Bo sell?",
    9,
    "gsm8k",
    solution="Bo sold 6 + 3 = <<6+3=9>>9 maps.\n#### 9",
)
BARE = Problem("c", "Cy is tall. How tall is Cy?", 2, "own")


def write(path: Path, *problems: Problem) -> Path:
    write_jsonl(path, (p.to_row() for p in problems))
    return path


def read_sets(
    out: Path,
    train: Sequence[DatasetOptions],
    valid: Sequence[DatasetOptions] = (),
    eval: Sequence[DatasetOptions] = (),
    *,
    seed: int = 0,
) -> None:
    sets = {"train": train, "valid": valid, "eval": eval}
    files = {role: {spec.label: fetch_set(spec).files for spec in specs} for role, specs in sets.items()}
    read_problem_sets(out, files=files, train=train, valid=valid, eval=eval, seed=seed)


def first_data(
    out: Path, seeds: Path, protected: Mapping[str, Path] = MappingProxyType({}), *, fresh: bool = False, seed: int = 0
) -> None:
    teachers = [NamedTeacher("annotated"), NamedTeacher("symbolic")]
    first_training_data(
        out, seed_problems=seeds, protected=protected, teachers=teachers, fresh=fresh, style="terse", seed=seed
    )


def curated(
    out: Path,
    evolved: Path,
    known: Sequence[Path] = (),
    protected: Mapping[str, Path] = MappingProxyType({}),
    *,
    max_new: int | None = None,
    seed: int = 0,
) -> None:
    curate_offspring(out, evolved=evolved, known=known, protected=protected, max_new=max_new, style="terse", seed=seed)


def extended(out: Path, previous: Path, split: Path, *, reserve: Path | None = None) -> None:
    """Extend the data without new problems."""
    none = write(split.parent / "none.jsonl")
    extend_training_data(out, previous=previous, accepted=none, rejected=none, own=None, split=split, reserve=reserve)


def test_teachers_are_asked_in_turn_and_a_program_is_kept(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", SOLVED, NOTED, BARE)
    first_data(tmp_path / "data", seeds)
    kept = {p.id: p for p in read_problems(tmp_path / "data" / "train.jsonl")}
    assert set(kept) == {"a", "b"}
    assert kept["b"].teacher == "annotated"
    assert kept["a"].teacher is None
    assert (kept["a"].n_ops, kept["b"].n_ops) == (1, 1)
    (left_out,) = [row for _, row in read_jsonl(tmp_path / "data" / "rejected.jsonl")]
    assert left_out["id"] == "c"
    assert left_out["reason"] == "no_rationale"
    assert set(left_out["declined"]) == {"annotated", "symbolic"}


@pytest.mark.parametrize(
    ("style", "bare"), [("terse", "answer = 4 + 5"), ("as_written", "pens = 4\nanswer = pens + 5")]
)
def test_programs_of_every_source_get_the_style_of_the_run(style: ProgramStyle, bare: str, tmp_path: Path) -> None:
    """Those of a file, of a teacher, of valid, and of offspring; the teacher of calculator notes is terse anyway."""
    named = replace(SOLVED, program="pens = 4\nanswer = pens + 5")
    seeds = write(tmp_path / "seed.jsonl", named, NOTED)
    teachers = [NamedTeacher("annotated")]
    first_training_data(
        tmp_path, seed_problems=seeds, protected={}, teachers=teachers, fresh=False, style=style, seed=0
    )
    validation_data(tmp_path / "validation.jsonl", valid=seeds, teachers=teachers, style=style)
    child = replace(named, id="a.r0s0", origin="similar", round=1, depth=1, parent_id="a")
    evolved = write(tmp_path / "evolved.jsonl", child)
    curate_offspring(tmp_path, evolved=evolved, known=[], protected={}, max_new=None, style=style, seed=0)
    made = {
        name: {p.id: p.program for p in read_problems(tmp_path / f"{name}.jsonl")}
        for name in ("train", "validation", "accepted")
    }
    assert made["train"] == made["validation"] == {"a": bare, "b": "answer = 6 + 3"}
    assert made["accepted"] == {"a.r0s0": bare}


def test_programs_of_valid_are_kept_for_its_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They were thrown away, so that a user's own set never had a validation loss."""
    wrong = replace(BARE, program="answer = 3")
    mine = write(tmp_path / "mine.jsonl", SOLVED, wrong)
    train = write(tmp_path / "seed.jsonl", NOTED)
    read_sets(tmp_path / "data", [DatasetOptions(str(train), name="seeds")], [DatasetOptions(str(mine))])
    validation_data(
        tmp_path / "validation.jsonl",
        valid=tmp_path / "data" / "valid.jsonl",
        teachers=[NamedTeacher("annotated")],
        style="terse",
    )
    assert [(p.id, p.program) for p in read_problems(tmp_path / "validation.jsonl")] == [("mine-a", SOLVED.program)]
    assert "valid: 1 of 2 programs do not give their answer" in capsys.readouterr().err


def stories(n: int) -> list[Problem]:
    """Return problems of which none tells another one's story."""
    things = ["maps", "pens", "cups", "hats", "nets", "figs", "keys", "rugs", "jars", "bells"]
    places = ["market", "harbour", "school", "garden", "station", "museum", "castle", "forest", "cellar", "library"]
    return [
        Problem(
            f"s{k}",
            f"The {places[k // 10]} keeper found {k + 2} {things[k % 10]}, and then {k + 3} {things[k % 10]} were "
            f"stolen from the {places[k // 10]} one rainy {things[k % 10]} evening. How many were lost?",
            k + 3,
            "own",
            program=f"answer = {k + 3}",
        )
        for k in range(n)
    ]


@pytest.mark.parametrize("dress", [str, lambda text: text.replace(" ", "&nbsp;")], ids=["word for word", "dressed up"])
def test_valid_is_not_drawn_from_problems_of_an_eval_set(
    dress: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenth was set apart before the training data was cleaned, so the best round was chosen on eval problems."""
    problems = stories(60)
    train = write(tmp_path / "train.jsonl", *problems)
    test = write(tmp_path / "test.jsonl", *(replace(p, question=dress(p.question)) for p in problems[:40]))
    read_sets(tmp_path / "data", [DatasetOptions(str(train))], eval=[DatasetOptions(str(test))])
    valid = {p.question for p in read_problems(tmp_path / "data" / "valid.jsonl")}
    assert len(valid) == 2, "a tenth of the 20 that are left"
    assert valid.isdisjoint(p.question for p in problems[:40])
    assert "40 of 60 problems of data.train are like one of data.eval, such as train-s0" in capsys.readouterr().err
    first_data(
        tmp_path / "first", tmp_path / "data" / "seed.jsonl", {"test": tmp_path / "data" / "eval" / "test.jsonl"}
    )
    assert Counter(row["reason"] for _, row in read_jsonl(tmp_path / "first" / "rejected.jsonl")) == {"leaks": 40}


def test_problems_in_both_valid_and_eval_only_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, problems = write(tmp_path / "train.jsonl", NOTED), stories(12)
    mine = write(tmp_path / "mine.jsonl", *problems[:8])
    worn = [replace(p, question=f"Solve this. {p.question}") for p in problems[5:]]
    test = write(tmp_path / "test.jsonl", *worn)
    sets = [[DatasetOptions(str(path))] for path in (train, mine, test)]
    read_sets(tmp_path / "data", *sets)
    assert [p.id for p in read_problems(tmp_path / "data" / "valid.jsonl")] == [f"mine-s{k}" for k in range(5)]
    assert len(read_problems(tmp_path / "data" / "eval" / "test.jsonl")) == 7
    message = "data.valid: left out 3 of 8 problems that are also in data.eval (mine-s5 is test:test-s5)"
    assert message in capsys.readouterr().err


def test_the_same_set_as_valid_and_as_eval_is_refused(tmp_path: Path) -> None:
    train, both = write(tmp_path / "train.jsonl", NOTED), write(tmp_path / "both.jsonl", *stories(3))
    valid, test = DatasetOptions(str(both), name="mine"), DatasetOptions(str(both))
    with pytest.raises(FddError, match=r"All 3 problems of data.valid are also in data.eval .* name other problems"):
        read_sets(tmp_path / "data", [DatasetOptions(str(train))], [valid], [test])


def test_problems_of_one_kind_may_be_in_valid_and_in_eval(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", NOTED)
    valid, test = DatasetOptions("symbolic:train", name="v", limit=60), DatasetOptions("symbolic:train", limit=60)
    read_sets(tmp_path / "data", [DatasetOptions(str(train))], [valid], [test])
    assert len(read_problems(tmp_path / "data" / "valid.jsonl")) == 60


@pytest.mark.parametrize("name", ["valid", "svamp"])
def test_problems_of_reported_sets_are_never_trained_on(tmp_path: Path, name: str) -> None:
    other_numbers = replace(SOLVED, id="x", question=SOLVED.question.replace("4", "7"), answer=12, program=None)
    protected = {name: write(tmp_path / "p.jsonl", other_numbers)}
    seeds = write(tmp_path / "seed.jsonl", SOLVED, NOTED)
    first_data(tmp_path / "data", seeds, protected)
    assert [p.id for p in read_problems(tmp_path / "data" / "train.jsonl")] == ["b"]
    (row,) = [row for _, row in read_jsonl(tmp_path / "data" / "rejected.jsonl")]
    assert (row["reason"], row["against"]) == ("leaks", f"{name}:x")


def test_an_evolved_problem_that_leaks_is_rejected_too(tmp_path: Path) -> None:
    child = replace(SOLVED, id="a.r0s0", origin="similar", round=1, depth=1, parent_id="a")
    wrong = replace(child, id="a.r0s1", question="Dan has 4 cups and finds 5. How many cups?", answer=10)
    protected = {"eval": write(tmp_path / "p.jsonl", replace(SOLVED, id="x"))}
    known = [write(tmp_path / "train.jsonl", NOTED_DONE)]
    curated(tmp_path / "curated", write(tmp_path / "evolved.jsonl", child, wrong), known, protected)
    reasons = [row["reason"] for _, row in read_jsonl(tmp_path / "curated" / "rejected.jsonl")]
    assert sorted(reasons) == ["leaks", "wrong_answer"]
    assert read_problems(tmp_path / "curated" / "accepted.jsonl") == []


NOTED_DONE = replace(NOTED, program="answer = 6 + 3")


def test_a_lost_problem_is_trained_on_twice_however_often_it_is_lost(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", SOLVED, NOTED_DONE)
    write(tmp_path / "split" / "lost.jsonl", NOTED_DONE)
    for out in ("one", "two"):
        extended(tmp_path / out, train, tmp_path / "split")
        train = tmp_path / out / "train.jsonl"
        assert {p.id: p.repeat for p in read_problems(train)} == {"a": 1, "b": 2}


def test_new_problems_follow_the_known_ones_and_rejected_ones_keep_their_reason(tmp_path: Path) -> None:
    accepted, rejected = asked(2)
    write(tmp_path / "split" / "lost.jsonl")
    extend_training_data(
        tmp_path / "next",
        previous=write(tmp_path / "train.jsonl", SOLVED),
        accepted=write(tmp_path / "accepted.jsonl", accepted),
        rejected=write(tmp_path / "rejected.jsonl", replace(rejected, reason="leaks", against="valid:v")),
        own=None,
        split=tmp_path / "split",
        reserve=None,
    )
    assert [p.id for p in read_problems(tmp_path / "next" / "train.jsonl")] == ["a", accepted.id]
    (row,) = read_problems(tmp_path / "next" / "rejected.jsonl")
    assert (row.id, row.reason, row.against) == (rejected.id, "leaks", "valid:v")


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


def test_a_round_accepts_at_most_max_new_problems_in_proportion_to_the_branches(tmp_path: Path) -> None:
    evolved = write(tmp_path / "evolved.jsonl", *asked(8), *asked(4, origin="similar"))
    for out in ("a", "b"):
        curated(tmp_path / out, evolved, max_new=6, seed=1)
    accepted = read_problems(tmp_path / "a" / "accepted.jsonl")
    assert Counter(p.origin for p in accepted) == {"complex": 4, "similar": 2}
    rejected = read_problems(tmp_path / "a" / "rejected.jsonl")
    assert {p.reason for p in rejected} == {"over_max_new"}
    assert len(accepted) + len(rejected) == 12
    assert (tmp_path / "a" / "accepted.jsonl").read_bytes() == (tmp_path / "b" / "accepted.jsonl").read_bytes()


def test_a_reserve_joins_the_training_data_once_it_is_labelled(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", *(replace(p, origin="seed", parent_id=None) for p in asked(12)))
    first_data(tmp_path / "data", seeds, fresh=True, seed=5)
    train, reserve = (read_problems(tmp_path / "data" / f"{name}.jsonl") for name in ("train", "reserve"))
    assert len(reserve) == 6
    assert not {p.id for p in train} & {p.id for p in reserve}
    pool = draw_pool(tmp_path / "data" / "train.jsonl", 4, 0, reserve=tmp_path / "data" / "reserve.jsonl")
    assert {p.id for p in pool} < {p.id for p in reserve}
    write(tmp_path / "split" / "easy.jsonl", *pool[:3])
    write(tmp_path / "split" / "lost.jsonl", *pool[3:])
    data, stored = tmp_path / "data" / "train.jsonl", tmp_path / "data" / "reserve.jsonl"
    extended(tmp_path / "next", data, tmp_path / "split", reserve=stored)
    joined = read_problems(tmp_path / "next" / "train.jsonl")
    assert [p.id for p in joined] == [p.id for p in (*train, *pool)]
    assert joined[-1].repeat == 2
    left = draw_pool(tmp_path / "next" / "train.jsonl", 4, 1, reserve=stored)
    assert {p.id for p in left} == {p.id for p in reserve} - {p.id for p in pool}


def test_without_valid_a_tenth_is_set_apart_by_the_seed(tmp_path: Path) -> None:
    for out in ("a", "b"):
        read_sets(tmp_path / out, [DatasetOptions("symbolic:train", limit=50)], seed=3)
    valid, seeds = (read_problems(tmp_path / "a" / f"{name}.jsonl") for name in ("valid", "seed"))
    assert (len(valid), len(seeds)) == (5, 45)
    assert not {p.question for p in valid} & {p.question for p in seeds}
    assert (tmp_path / "a" / "valid.jsonl").read_bytes() == (tmp_path / "b" / "valid.jsonl").read_bytes()


def test_held_out_situations_are_not_those_of_training() -> None:
    train, held = (
        read_set(DatasetOptions(f"symbolic:{split}", limit=60), (), seed=0)[0] for split in ("train", "heldout")
    )
    situations = [{p.teacher_notes["situation"] for p in problems} for problems in (train, held)]
    assert situations[0]
    assert situations[1]
    assert not situations[0] & situations[1]


def test_a_set_of_short_problems_goes_beside_one_of_all(tmp_path: Path) -> None:
    """The ids of a symbolic set did not begin with its name, so a run could have only one."""
    short = DatasetOptions("symbolic:train", name="short", limit=40, max_operations=1)
    read_sets(tmp_path, [DatasetOptions("symbolic:train", name="all", limit=40), short])
    seeds = read_problems(tmp_path / "seed.jsonl")
    assert {p.n_ops for p in seeds if p.id.startswith("short-")} == {1}
    assert max(p.n_ops or 0 for p in seeds if p.id.startswith("all-")) > 3
    assert plain(short) != plain(replace(short, max_operations=2))


def test_operations_of_a_file_are_not_chosen(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "How many are 2 and 3?", "answer": 5}\n')
    with pytest.raises(FddError, match=r"`max_operations` applies to symbolic:train and .* only, not to .*p\.jsonl"):
        check_set(DatasetOptions(str(path), max_operations=1))


def test_an_unknown_symbolic_set_names_those_there_are() -> None:
    with pytest.raises(FddError, match=r"There is no symbolic:test\. Known: symbolic:train and symbolic:heldout"):
        read_set(DatasetOptions("symbolic:test"), (), seed=0)


def test_too_few_problems_to_set_any_apart(tmp_path: Path) -> None:
    with pytest.raises(FddError, match="there are too few, or they differ only in their numbers"):
        read_sets(tmp_path / "o", [DatasetOptions("symbolic:train", limit=1)])


def test_a_longer_list_of_sets_leaves_each_as_it_was(tmp_path: Path) -> None:
    train = [DatasetOptions("symbolic:train", name="t", limit=30)]
    first, held = (DatasetOptions("symbolic:heldout", name=name, limit=10) for name in ("first", "held"))
    for out, sets in (("a", [held]), ("b", [first, held])):
        read_sets(tmp_path / out, train, eval=sets)
    before, after = ((tmp_path / out / "eval" / "held.jsonl").read_bytes() for out in ("a", "b"))
    assert before == after != (tmp_path / "b" / "eval" / "first.jsonl").read_bytes()


def test_two_problems_of_one_id_are_refused(tmp_path: Path) -> None:
    train = [DatasetOptions("symbolic:train", name="one", limit=9)] * 2
    with pytest.raises(FddError, match=r"Two problems of data\.train have the id 'one-00000'"):
        read_sets(tmp_path / "o", train)


def test_nothing_left_to_train_on_says_why(tmp_path: Path) -> None:
    seeds = write(tmp_path / "seed.jsonl", BARE, SOLVED)
    protected = {"valid": write(tmp_path / "p.jsonl", replace(SOLVED, id="x"))}
    with pytest.raises(FddError, match="rejected: 1 no_rationale, 1 leaks"):
        first_data(tmp_path / "data", seeds, protected)


def test_problems_without_programs_alone_are_explained(tmp_path: Path) -> None:
    with pytest.raises(FddError, match="No training problem is left: 1 problem has no program, and no teacher could"):
        first_data(tmp_path / "data", write(tmp_path / "seed.jsonl", BARE))


def write_row(path: Path, row: Mapping[str, object]) -> Path:
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def test_a_users_own_fields_that_a_run_sets_itself_have_no_effect(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    own = {"repeat": 9, "renumbered": True, "pass_rate": 1.0, "reason": "leaks", "against": "x", "declined": {"a": "b"}}
    row = {"question": "Ann has 4 pens.", "answer": 4, "program": "answer = 4"}
    path.write_text(json.dumps(row | own) + "\n", encoding="utf-8")
    (problem,), *_ = read_set(DatasetOptions(str(path)), (path,), seed=0)
    assert problem == read_set(DatasetOptions(str(write_row(path, row))), (path,), seed=0)[0][0]
    assert (problem.repeat, problem.renumbered, problem.pass_rate, problem.extra) == (1, False, None, {})


def test_problems_of_one_wording_stay_on_one_side(tmp_path: Path) -> None:
    """Two of them in valid once had all the others rejected as leaks."""
    same = [{"question": f"Ann has {n} pens and {n} cups.", "answer": 2 * n} for n in range(2, 12)]
    others = [{"question": f"{name} has 4 pens.", "answer": 4} for name in "ABCDEFGHIJ"]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (*same, *others)), encoding="utf-8")
    read_sets(tmp_path / "o", [DatasetOptions(str(path))])
    assert {p.question for p in read_problems(tmp_path / "o" / "valid.jsonl")} < {
        str(row["question"]) for row in others
    }


def test_train_leaves_out_programs_that_a_run_would_not_train_on(caplog: pytest.LogCaptureFixture) -> None:
    """`train` used to learn programs that give another number, are outside the language, or never end."""
    question = "Ana has 3 pens and gets 2 more. How many pens has she?"
    given = [
        Problem("wrong", question, 5, "own", program="answer = 99"),
        Problem("sympy", question, 5, "own", program="import sympy\nanswer = sympy.Integer(3) + 2"),
        Problem("endless", question, 5, "own", program="while True:\n    pass"),
        Problem("bare", question, 5, "own"),
        Problem("right", question, 5, "own", program="def f(a=3):\n    return a + 2"),
    ]
    checked = examples_to_train_on(given, "own.jsonl", style="as_written")
    assert [(p.id, p.program, p.n_ops) for p in checked.kept] == [("right", "a = 3\nanswer = a + 2", 1)]
    reasons = {p.id: p.reason for p in checked.rejected}
    assert reasons == {
        "wrong": "wrong_answer",
        "sympy": "does_not_parse",
        "endless": "does_not_parse",
        "bare": "no_rationale",
    }
    (said,) = caplog.messages
    assert said.startswith("own.jsonl: 4 of 5 problems are left out (")
    assert "1 wrong_answer" in said
    assert "gives 99, not 5" in said


def test_train_refuses_data_without_a_right_program() -> None:
    wrong = Problem("a", "How many?", 5, "own", program="answer = 99")
    with pytest.raises(FddError, match=r"own\.jsonl has no problem with a program to train on \(1 wrong_answer\)"):
        examples_to_train_on([wrong], "own.jsonl", style="terse")
    with pytest.raises(FddError, match="has no problem with a program to train on"):
        examples_to_train_on([], "own.jsonl", style="terse")


def test_train_keeps_what_a_run_trained_on(tmp_path: Path) -> None:
    first_data(tmp_path / "data", write(tmp_path / "seed.jsonl", SOLVED, NOTED))
    known = read_problems(tmp_path / "data" / "train.jsonl")
    assert examples_to_train_on([replace(p, repeat=2) for p in known], "run", style="terse") == (
        [replace(p, repeat=2) for p in known],
        [],
    )


def test_train_names_each_reason_with_its_count_and_an_example(caplog: pytest.LogCaptureFixture) -> None:
    """Only the first problem's reason was shown, and duplicates, which a run rejects, were trained on twice."""
    question = "Ana has 3 pens and gets 2 more. How many pens has she?"
    given = [
        Problem("first", question, 5, "own", program="answer = 3 + 2"),
        Problem("again", question, 5, "own", program="answer = 2 + 3"),
        Problem("renumbered", question.replace("3", "1").replace("2", "4"), 5, "own", program="answer = 1 + 4"),
        Problem("wrong", "Half of 8?", 4, "own", program="answer = 99"),
        Problem("wrong2", "Half of 6?", 3, "own", program="answer = 98"),
    ]
    checked = examples_to_train_on(given, "own.jsonl", style="terse")
    assert [p.id for p in checked.kept] == ["first"]
    (said,) = caplog.messages
    assert said.splitlines() == [
        "own.jsonl: 4 of 5 problems are left out (2 wrong_answer, 2 duplicate). The first of each:",
        "  wrong_answer: wrong 'Half of 8?': gives 99, not 4",
        f"  duplicate: again {question!r}: the same as first",
    ]
    assert [p.id for p in examples_to_train_on(given, "valid", style="terse", measured=True).kept] == [
        "first",
        "again",
        "renumbered",
    ]
