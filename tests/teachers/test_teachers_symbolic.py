import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdd_edge.curation._text import mask_numbers, read_wording
from fdd_edge.errors import FddError
from fdd_edge.ondevice.language import count_operations, normalize, run_program
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Draft, load_teacher
from fdd_edge.teachers.symbolic import SITUATIONS, generate
from fdd_edge.teachers.symbolic._drawing import draw_situation
from fdd_edge.teachers.symbolic._operation_graph import operation_graph
from fdd_edge.teachers.symbolic._plans import _index, draw_plan, situation_graph
from fdd_edge.teachers.symbolic._rendering import read_drawn, render
from fdd_edge.teachers.symbolic._situation import END, Situation
from fdd_edge.teachers.symbolic._words import _LISTS, draw_people, fold, people_in, singular
from fdd_edge.teachers.symbolic.foreign._text_numbers import find_numbers
from fdd_edge.teachers.symbolic.steps import STEPS

TRAIN = [s for s in SITUATIONS.values() if not s.held_out]
HELD_OUT = [s for s in SITUATIONS.values() if s.held_out]
SEEDS = st.integers(0, 10**6)
QUICK = settings(max_examples=min(6, settings().max_examples), deadline=None)
"""Each example is hundreds of problems; `make test-fast` loads a profile with three."""


def complexify(problems: list[Problem], per_problem: int = 2, seed: int = 0) -> list[list[Draft] | Declined]:
    return asyncio.run(load_teacher("symbolic").complexify(problems, per_problem=per_problem, seed=seed))


def similar(problems: list[Problem], per_problem: int = 2, seed: int = 0) -> list[list[Draft] | Declined]:
    return asyncio.run(load_teacher("symbolic").similar(problems, per_problem=per_problem, seed=seed))


def as_problem(draft: Draft, parent: Problem) -> Problem:
    """Return the problem that the feedback makes of a draft, after a round trip through JSON."""
    child = replace(
        parent,
        id=parent.id + "c",
        question=draft.question,
        answer=draft.answer,
        program=draft.program,
        n_ops=count_operations(draft.program),
        teacher_notes=draft.notes,
    )
    return Problem.from_row(json.loads(json.dumps(child.to_row())))


def written(results: list[list[Draft] | Declined]) -> list[list[Draft]]:
    return [[] if isinstance(result, Declined) else result for result in results]


def assert_sound(question: str, program: str, answer: float) -> None:
    assert run_program(program) == answer
    assert normalize(program) == program
    assert answer >= 0
    assert question.count("?") == 1 and question.endswith("?")
    assert not re.search(r"[{}]|  |\b1 [a-z]+s\b", question), question
    assert all(
        sentence[0].isupper() or sentence[0].isdigit() or sentence[0] == "$"
        for sentence in re.split(r"(?<=[.?]) ", question)
    )


def test_the_situations_are_enough_and_varied() -> None:
    assert len(TRAIN) >= 60 and len(HELD_OUT) >= 10
    kinds = {"total", "change", "comparison", "groups", "sharing", "rate", "unit cost", "percent", "ratio", "average"}
    assert kinds | {"time", "money", "area", "age", "mixture", "people", "unknown"} == {s.kind for s in TRAIN}
    for situation in SITUATIONS.values():
        assert len(set(product(situation.tell, situation.ask))) >= 4, situation.name
        assert len({*situation.tell, *situation.ask}) == len(situation.tell) + len(situation.ask), situation.name
        assert all(ask.count("?") == 1 for ask in situation.ask)
        assert not any("?" in text for text in (*situation.tell, *situation.aside))
        assert all("{x}" in aside or "{x:" in aside for aside in situation.aside)
    assert len(STEPS) >= 12


def test_operations_reach_from_one_to_eight() -> None:
    plans = [plan for some in _index().values() for plan in some]
    counts = {count_operations(render(drawn).program) for plan in plans[::40] if (drawn := draw_plan(plan, Random(0)))}
    assert counts >= set(range(1, 9))


def test_no_two_situations_share_operations_and_a_run_of_words() -> None:
    """Rendered with the same words and names, so that only the texts of the situations are compared."""
    alike: dict[object, list[Situation]] = {}
    for situation in SITUATIONS.values():
        alike.setdefault(situation_graph(situation), []).append(situation)
    assert max(map(len, alike.values())) > 5
    for some in alike.values():
        runs = [set(_runs(situation)) for situation in some]
        for one, other in combinations(range(len(some)), 2):
            assert not runs[one] & runs[other], (some[one].name, some[other].name)


def _runs(situation: Situation) -> Iterator[str]:
    for told, ask in product(situation.tell, situation.ask):
        text = re.sub(r"{(\w+)(?::[$d])?}", lambda slot: _stand_in(situation, slot[1]), f"{told} {ask}")
        yield from read_wording(mask_numbers(text)).grams(13)


def _stand_in(situation: Situation, slot: str) -> str:
    return "7" if slot in situation.numbers else f"slot{slot.replace('_', '')}"


def test_every_wording_of_a_situation_can_be_rendered() -> None:
    for situation in SITUATIONS.values():
        drawn = draw_situation(situation, Random(0))
        assert drawn is not None, situation.name
        for told, ask in product(range(len(situation.tell)), range(len(situation.ask))):
            draft = render(replace(drawn, form=(told, ask)))
            assert_sound(draft.question, draft.program, draft.answer)


def test_a_question_names_nobody_whom_the_story_does_not() -> None:
    for problem in generate("train", 600, seed=0):
        drawn = read_drawn(problem.teacher_notes)
        assert drawn is not None
        named = people_in(drawn.situation.tell[drawn.form[0]])
        assert people_in(drawn.situation.ask[drawn.form[1]]) <= named, problem.question


def test_styles_vary_and_distractors_are_marked() -> None:
    problems = generate("train", 1000, seed=0)
    folded = [p for p in problems if re.search(r"If [^.?]+, (?:how|what)", p.question)]
    assert 0.05 < len(folded) / len(problems) < 0.3
    assert any(re.search(r"\b(?:three|seven|twelve)\b", p.question) for p in problems)
    distracted = [p for p in problems if "distractors" in p.teacher_notes]
    assert distracted
    for problem in distracted:
        (number,) = problem.teacher_notes["distractors"]
        assert number in [found.value for found in find_numbers(problem.question)]
        assert not re.search(rf"\b{number}\b", problem.program or "")


@pytest.mark.parametrize(
    ("told", "ask", "folded"),
    [
        ("Anna had 9 figs. She ate 3 of them.", "How many were left?", "If she ate 3 of them, how many were left?"),
        ("Anna had 9 figs.", "What number was that?", "If Anna had 9 figs, what number was that?"),
        ("A box holds 8 pens.", "How many do 2 boxes hold?", "If a box holds 8 pens, how many do 2 boxes hold?"),
        ("9 boys joined them.", "How many were there?", "If 9 boys joined them, how many were there?"),
        ("Of 43 loaves, all but 8 were sold.", "How many were sold?", None),
        ("With $100 in her pocket, Dina went shopping.", "How much money did Dina have left?", None),
        ("In a quiz with 20 questions, Anna got 9 right.", "How many did Anna get wrong?", None),
        ("On Monday Anna sold 9 figs.", "How many figs were left?", None),
        ("From a barrel with 40 liters, Anna took 9.", "How many liters were left?", None),
        ("For 9 days Anna read 5 pages a day.", "How many pages was that?", None),
        ("To be safe, Anna bought 5 more.", "How many did Anna buy?", None),
        ("Later Anna got 5 more.", "How many did Anna have?", None),
        ("The next day Anna got 5 more.", "How many did Anna have?", None),
        ("The day after, 408 people came.", "How many people were there?", None),
        ("They put all these spoons into boxes of four.", "How many boxes did that take?", None),
        ("Anna is 5 years old.", "How many years was that?", None),
        ("Anna had 9 figs: 4 old ones and the rest.", "How many were new?", None),
        ("Anna had 9 figs.", "By how many was Anna ahead?", None),
    ],
)
def test_only_what_begins_with_its_subject_and_has_the_tense_of_the_question_is_folded(
    told: str, ask: str, folded: str | None
) -> None:
    """It once wrote "If of 43 loaves, all but 8 are sold" and "If they put these into boxes, how many did it take?"."""
    assert fold(told, ask) == (folded and told.replace(last_of(told), folded))


def last_of(told: str) -> str:
    return re.split(r"(?<=[.]) ", told)[-1]


def test_every_kind_of_result_has_steps_of_its_own() -> None:
    """Seed problems continue with the thing they ask for, not with generic steps about numbers."""
    kinds = {kind for step in STEPS.values() for kind in step.of}
    results = [situation.result for situation in TRAIN] + [step.result for step in STEPS.values()]
    assert {result.kind for result in results if result != END} <= kinds
    assert [s.name for s in TRAIN if s.result.kind in ("number", "end")] == []
    problems = generate("train", 2 * len(TRAIN), seed=11)
    drafts = [draft for some in written(complexify(problems, 1)) for draft in some]
    general = [d for d in drafts if "further" in d.notes or "number" in STEPS[last_step(d)].of]
    assert len(general) <= 0.1 * len(drafts)


def test_a_group_is_not_counted_as_one_person() -> None:
    """ "They and 7 friends" counted as eight people: a step knows who holds an amount, but not how many they are."""
    counting = [step.name for step in STEPS.values() if re.search(r"\bpeople = 1\b", "\n".join(step.program))]
    assert counting == []


def test_the_points_of_others_are_not_continued() -> None:
    """Points of the rivals, or of another year, were continued as if they were the team's own."""
    others = [STEPS[name] for name in ("rivals", "points_last_season")]
    assert [step.result for step in others] == [END, END]


def test_most_problems_have_one_to_three_operations_and_some_have_six_to_eight() -> None:
    counts = [p.n_ops or 0 for p in generate("train", 1500, seed=0)]
    assert 0.6 < sum(n <= 3 for n in counts) / len(counts) < 0.7
    assert sum(n >= 6 for n in counts) / len(counts) > 0.05


def test_only_baked_things_are_baked() -> None:
    """It once baked peanuts."""
    for situation in SITUATIONS.values():
        if any("baked {" in told for told in situation.tell):
            assert set(situation.words["items"]) <= {*_LISTS["baked"]}, situation.name


@QUICK
@given(SEEDS)
def test_generated_problems_are_correct_by_construction(seed: int) -> None:
    for split in ("train", "heldout"):
        for problem in generate(split, 2 * len(TRAIN), seed):
            assert problem.program is not None
            assert_sound(problem.question, problem.program, problem.answer)
            assert problem.n_ops == count_operations(problem.program) and 1 <= problem.n_ops <= 8
            if "dollar" not in problem.question and "$" not in problem.question:
                assert isinstance(problem.answer, int)


def test_generation_is_balanced_unique_and_a_prefix_of_more() -> None:
    problems = generate("train", 10 * len(TRAIN), seed=3)
    assert generate("train", 25, seed=3) == problems[:25]
    assert generate("train", 25, seed=4) != problems[:25]
    assert len({p.question for p in problems}) == len({p.id for p in problems}) == len(problems)
    names = [p.teacher_notes["situation"] for p in problems]
    assert {names.count(s.name) for s in TRAIN} == {10}
    assert problems[12].id == "symbolic-train-00012"
    assert {(p.source, p.teacher, p.origin) for p in problems} == {("symbolic", "symbolic", "seed")}


@pytest.mark.parametrize("most", [1, 2, 4])
def test_no_problem_has_more_operations_than_requested(most: int) -> None:
    problems = generate("train", 200, seed=5, max_operations=most)
    assert {p.n_ops for p in problems} == set(range(1, most + 1))
    assert generate("train", 20, seed=5, max_operations=most) == problems[:20]
    assert {p.n_ops for p in generate("heldout", 200, seed=5, max_operations=most)} <= set(range(1, most + 1))


def test_the_largest_max_operations_changes_nothing() -> None:
    assert generate("train", 200, seed=5, max_operations=8) == generate("train", 200, seed=5)


def test_the_splits_share_no_situation() -> None:
    train = {p.teacher_notes["situation"] for p in generate("train", len(TRAIN), 0)}
    held_out = {p.teacher_notes["situation"] for p in generate("heldout", len(HELD_OUT), 0)}
    assert train == {s.name for s in TRAIN} and held_out == {s.name for s in HELD_OUT}


def test_too_many_problems_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = replace(TRAIN[0], tell=("There are {a:d} cats.",), ask=("Many?",), program=("cats = {a} + 1",), words={})
    tiny = replace(tiny, numbers={"a": "2..4"}, aside=(), result=END)
    monkeypatch.setattr("fdd_edge.teachers.symbolic._generate.SITUATIONS", {"tiny": tiny})
    with pytest.raises(FddError, match=r"could make only 3 distinct problems, not 5, .*; set limit to 3 or less\.$"):
        generate("train", 5, seed=0)
    assert len(generate("train", 3, seed=0)) == 3


def test_user_errors_are_sentences() -> None:
    with pytest.raises(FddError, match=r"has no split 'test'\. Known: train, heldout"):
        generate("test", 5, seed=0)  # type: ignore[arg-type]
    with pytest.raises(FddError, match="cannot write -1 problems"):
        generate("train", -1, seed=0)
    for most in (0, 9):
        with pytest.raises(FddError, match=f"max_operations must be 1 to 8 .*, not {most}"):
            generate("train", 5, seed=0, max_operations=most)


@QUICK
@given(SEEDS)
def test_complexify_asks_one_more_thing(seed: int) -> None:
    problems = generate("train", len(TRAIN), seed)
    for problem, drafts in zip(problems, written(complexify(problems, 3, seed)), strict=True):
        for draft in drafts:
            assert_sound(draft.question, draft.program, draft.answer)
            assert count_operations(draft.program) > (problem.n_ops or 0)
            if "further" in draft.notes:
                continue
            drawn = read_drawn(problem.teacher_notes)
            assert drawn is not None
            plain = render(replace(drawn, style=drawn.style._replace(fold=False))).question
            *told, ask = re.split(r"(?<=[.?]) ", plain)
            assert ask not in draft.question[: -len(ask)]
            assert draft.question.startswith(" ".join(told))
        steps = [last_step(draft) for draft in drafts]
        assert len(set(steps)) == len(steps)


def last_step(draft: Draft) -> str:
    """Return the step that was added last."""
    return str(draft.notes["further"] if "further" in draft.notes else draft.notes["steps"][-1]["step"])


def steps_of(draft: Draft) -> set[str]:
    """Return all steps of a draft."""
    return {last_step(draft), *(row["step"] for row in draft.notes.get("steps", ()))}


@pytest.mark.slow
def test_every_situation_with_a_result_can_be_made_harder_and_steps_vary() -> None:
    problems = generate("train", 6 * len(TRAIN), seed=1)
    drafts = written(complexify(problems, 4, seed=1))
    own = [
        (p.teacher_notes["situation"], last_step(draft))
        for p, some in zip(problems, drafts, strict=True)
        for draft in some
        if "further" not in draft.notes
    ]
    harder = {situation for situation, _ in own}
    assert harder == {s.name for s in TRAIN if s.result != END}
    assert len(harder) > 60
    children = [as_problem(d, p) for p, some in zip(problems, drafts, strict=True) for d in some]
    drafts += written(complexify(children, 4))
    used = {step for some in drafts for draft in some for step in steps_of(draft)}
    used |= {row["step"] for problem in problems for row in problem.teacher_notes.get("steps", ())}
    # Steps of a kind that no result has are for amounts of other sources, which are classified by their nouns.
    kinds = {s.result.kind for s in TRAIN} | {step.result.kind for step in STEPS.values()} - {"number"}
    assert used >= {name for name, step in STEPS.items() if step.of & kinds}


@QUICK
@given(SEEDS)
def test_offspring_can_be_made_harder_again(seed: int) -> None:
    generation = generate("train", len(TRAIN), seed)
    for _ in range(2):
        drafts = written(complexify(generation, 1, seed))
        children = [as_problem(d, p) for p, some in zip(generation, drafts, strict=True) for d in some]
        assert children
        for child in children:
            assert child.program is not None
            assert_sound(child.question, child.program, child.answer)
        generation = children


@QUICK
@given(SEEDS)
def test_similar_problems_have_the_same_operations(seed: int) -> None:
    problems = generate("train", len(TRAIN), seed)[:: 1 + seed % 4]
    problems += [
        as_problem(d, p) for p, some in zip(problems, written(complexify(problems)), strict=True) for d in some
    ]
    for problem, drafts in zip(problems, written(similar(problems, 2, seed)), strict=True):
        assert len({problem.question, *(draft.question for draft in drafts)}) == len(drafts) + 1
        for draft in drafts:
            assert_sound(draft.question, draft.program, draft.answer)
            assert operation_graph(draft.program) == operation_graph(problem.program or "")
            assert "situation" not in draft.notes or not SITUATIONS[draft.notes["situation"]].held_out


def test_the_same_seed_writes_the_same_and_order_does_not_matter() -> None:
    problems = generate("train", 40, seed=0)
    assert similar(problems, 2, 5) == similar(problems[::-1], 2, 5)[::-1]
    assert complexify(problems, 2, 5) == complexify(problems[::-1], 2, 5)[::-1]
    assert similar(problems, 1, 5) != similar(problems, 1, 6)


def test_nothing_is_written_from_held_out_situations() -> None:
    held_out = generate("heldout", 20, seed=0)
    changed = [replace(p, question="Changed: " + p.question) for p in held_out]
    for problem, *results in zip(
        held_out + changed, complexify(held_out + changed), similar(held_out + changed), strict=True
    ):
        assert results == [Declined(problem.id, "symbolic", "held_out_situation")] * 2


def test_rationale_returns_own_programs_and_declines_foreign_problems() -> None:
    own = generate("train", 16, seed=0)
    stripped = [replace(p, program=None) for p in own]
    foreign = Problem(id="f", question="How many?", answer=1, source="x", teacher_notes={"situation": "unheard_of"})
    rationales = asyncio.run(load_teacher("symbolic").rationale([*own, *stripped, foreign]))
    assert rationales[:-1] == [p.program for p in own] * 2
    assert rationales[-1] == Declined("f", "symbolic", "unknown_situation")


@pytest.mark.parametrize("notes", [{}, {"situation": "total_of_two"}, {"situation": 3, "slots": 4, "form": "xy"}])
def test_a_problem_that_is_not_ours_is_foreign(notes: dict[str, object]) -> None:
    problem = Problem(id="f", question="How many?", answer=1, source="x", teacher_notes=notes)
    assert complexify([problem]) == [Declined("f", "symbolic", "no_program")]


def test_a_foreign_child_with_its_parents_fields_is_foreign() -> None:
    (parent,) = generate("train", 1, seed=0)
    child = replace(parent, question="How much? Retold: " + parent.question)
    assert complexify([child]) == [Declined(child.id, "symbolic", "question_not_understood")]


def test_singulars_are_right_and_names_are_usable() -> None:
    words = {word for s in SITUATIONS.values() for slot, some in s.words.items() if slot.endswith("s") for word in some}
    assert {singular(word) for word in words} >= {"cookie", "scarf", "peach", "toy car", "box", "loaf", "pie", "watch"}
    assert not any(singular(word).endswith(("s", "sse", "xe", "che")) for word in words - {"rice"})
    for seed in range(200):
        first, second = draw_people(Random(seed), 2)
        assert first[0] != second[0]
        assert run_program(f"{first.lower()} = 1\nanswer = {first.lower()}") == 1


def test_every_number_of_a_program_is_in_the_text() -> None:
    """A step once replaced a question that alone contained for how many minutes a machine runs."""
    problems = generate("train", 3 * len(TRAIN), seed=4)
    problems += [
        as_problem(d, p) for p, some in zip(problems, written(complexify(problems)), strict=True) for d in some
    ]
    for problem in problems:
        told = {found.value for found in find_numbers(problem.question)}
        drawn = read_drawn(problem.teacher_notes)
        if drawn is None:
            continue
        for slots, lines in (
            (drawn.slots, drawn.situation.program),
            *((step.slots, step.step.program) for step in drawn.steps),
        ):
            used = set(re.findall(r"{(\w+)", " ".join(lines)))
            missing = {value for slot, value in slots.items() if slot in used and isinstance(value, int | float)} - told
            assert not missing, (problem.question, missing)


def test_the_printed_problems_are_up_to_date() -> None:
    page = (Path(__file__).parents[2] / "docs" / "problems.md").read_text(encoding="utf-8")
    printed = page.partition("## 60 problems")[2].partition("\n## ")[0]
    written_by_seed = {problem.question for problem in generate("train", len(TRAIN), 60)}
    questions = re.findall(r"(?m)^- (.+)$", printed)
    assert len(questions) == 60
    assert set(questions) <= written_by_seed, "run: python benchmarks/problems.py gsm8k_train.jsonl > docs/problems.md"
