"""Prints what the symbolic teacher writes, for people to read: its own problems, and new ones from GSM8K problems.

From a GSM8K problem it only prints what the teacher added, and the phrase that replaces the question: the rest belongs
to its author. With GSM8K's training file, it also counts how many new problems pass curation. Run it with:

    python benchmarks/problems.py [gsm8k_train.jsonl] > docs/problems.md
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from fdd_edge.curation import Curated, curate
from fdd_edge.data import read_dataset
from fdd_edge.feedback import offspring
from fdd_edge.records import Origin, Problem
from fdd_edge.teachers import Declined, load_teacher
from fdd_edge.teachers.symbolic import SITUATIONS, generate
from fdd_edge.teachers.symbolic.foreign import as_given

SEED = 60
OWN, FOREIGN, RENUMBERED, ASKED = 60, 30, 15, 1000


def own_problems() -> list[Problem]:
    """Return 60 problems from 60 situations, drawn by the seed."""
    train = [situation for situation in SITUATIONS.values() if not situation.held_out]
    return Random(SEED).sample(generate("train", len(train), SEED), OWN)


def on_one_line(problem: Problem, skip: int = 0) -> str:
    """Return a program without its first lines, and its answer."""
    return f"`{'; '.join((problem.program or '').splitlines()[skip:])}` = {problem.answer:.12g}"


def list_item(problem: Problem) -> str:
    """Return a list item: the question, then the program on one line and the answer."""
    return f"- {problem.question}\n  {on_one_line(problem)}"


def foreign_problems(path: Path) -> list[Problem]:
    """Return 1,000 problems of GSM8K with a program, drawn by the seed."""
    problems = Random(SEED).sample(read_dataset(path, format="gsm8k").problems, 2 * ASKED)
    answers = asyncio.run(load_teacher("annotated").rationale(problems))
    solved = [replace(p, program=a) for p, a in zip(problems, answers, strict=True) if isinstance(a, str)]
    return curate(solved, protected={}).kept[:ASKED]


def children(problems: Sequence[Problem], branch: Origin, per_problem: int) -> Curated:
    """Return the offspring of each problem, split into kept and rejected ones."""
    teacher = load_teacher("symbolic")
    write = {"similar": teacher.similar, "complex": teacher.complexify}[branch]
    made = []
    for parent, answer in zip(problems, asyncio.run(write(problems, per_problem=per_problem, seed=SEED)), strict=True):
        for n, draft in enumerate([] if isinstance(answer, Declined) else answer):
            made.append(
                offspring(
                    parent,
                    n,
                    origin=branch,
                    round_number=0,
                    teacher=teacher.name,
                    question=draft.question,
                    program=draft.program,
                    answer=draft.answer,
                    notes=draft.notes,
                )
            )
    return curate(made, known=problems, protected={})


def added(child: Problem, parent: Problem) -> str:
    """Return what a further step added to a problem: the phrase for its question, the new text and program lines."""
    given = as_given(parent.question)
    assert given is not None
    further = child.question.removeprefix(given.text).strip()
    first = f"*{given.phrase}* = {parent.answer:.12g} {given.noun}"
    return f"- {first}. {further}\n  {on_one_line(child, skip=len((parent.program or '').splitlines()))}"


def changed(child: Problem, parent: Problem) -> str:
    """Return the program of a problem before and after its numbers were changed."""
    return f"- {on_one_line(parent)}\n  {on_one_line(child)}"


def count(curated: Curated, *, renumbered: bool = True) -> int:
    """Return how many parents have offspring that pass curation."""
    return len({problem.parent_id for problem in curated.kept if renumbered or not problem.renumbered})


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gsm8k", type=Path, nargs="?")
    options = parser.parse_args()
    kinds = Counter(situation.kind for situation in SITUATIONS.values() if not situation.held_out)
    print(
        "# What the symbolic teacher writes\n\n    python benchmarks/problems.py gsm8k_train.jsonl > docs/problems.md\n"
    )
    named = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    print(f"{sum(kinds.values())} situations: {named}.")
    print("The held-out situations are not shown: no run trains on them or uses them to choose a model.\n")
    print(
        "A run uses them with `{path: symbolic:train, limit: 500}`; adding `max_operations: 1` limits it to problems "
        "of one operation.\n"
    )
    print(f"## {OWN} problems, drawn with seed {SEED}\n")
    print("\n".join(map(list_item, own_problems())))
    if options.gsm8k is None:
        return
    problems = foreign_problems(options.gsm8k)
    parents = {problem.id: problem for problem in problems}
    one, two = (
        {branch: children(problems, branch, per_problem) for branch in ("similar", "complex")} for per_problem in (1, 2)
    )
    print(f"\n## New problems from {len(problems):,} problems of GSM8K-train\n")
    print("Number of parents with offspring that pass curation, by the number requested per parent:\n")
    print("| branch | one requested | two requested | most common rejections, two requested |\n|---|---|---|---|")
    for name, branch, renumbered in (
        ("`similar`, without those that only change numbers", "similar", False),
        ("`similar`, all", "similar", True),
        ("`complexify`", "complex", True),
    ):
        reasons = Counter(str(problem.reason) for problem in two[branch].rejected).most_common(3)
        why = ", ".join(f"{n} {reason}" for reason, n in reasons) or "none"
        counts = " | ".join(str(count(some[branch], renumbered=renumbered)) for some in (one, two))
        print(f"| {name} | {counts} | {why} |")
    rng = Random(SEED)
    from_situations = [problem for problem in two["similar"].kept if not problem.renumbered]
    print(f"\n## {FOREIGN} similar problems from situations\n")
    print("Each has the operations of its parent, in one of the teacher's own situations.\n")
    print("\n".join(map(list_item, rng.sample(from_situations, FOREIGN))))
    print(f"\n## {RENUMBERED} similar problems with other numbers\n")
    print("The program before and after the change; the text changes with it.\n")
    renumbered_ones = [p for p in two["similar"].kept if p.renumbered and "situation" not in p.teacher_notes]
    print("\n".join(changed(p, parents[str(p.parent_id)]) for p in rng.sample(renumbered_ones, RENUMBERED)))
    print(f"\n## {FOREIGN} more complex problems\n")
    print("First the phrase that replaces the parent's question, and its answer; then what the teacher added.\n")
    print("\n".join(added(p, parents[str(p.parent_id)]) for p in rng.sample(two["complex"].kept, FOREIGN)))


if __name__ == "__main__":
    main()
