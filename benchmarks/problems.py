"""What the symbolic teacher writes, printed to be read: 60 problems of its own, and what it makes of foreign ones.

Of a foreign problem only what the teacher added is printed, with the phrase that stands for its question: the rest is
its author's. With GSM8K's training file it also counts how much curation lets in. Run it with:

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
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, load_teacher
from fdd_edge.teachers.symbolic import SITUATIONS, generate
from fdd_edge.teachers.symbolic.foreign import as_given

SEED = 60
OWN, FOREIGN, RENUMBERED, ASKED = 60, 30, 15, 1000


def own_problems() -> list[Problem]:
    """Return 60 problems of as many situations, drawn by the seed."""
    train = [situation for situation in SITUATIONS.values() if not situation.held_out]
    return Random(SEED).sample(generate("train", len(train), SEED), OWN)


def on_one_line(problem: Problem, skip: int = 0) -> str:
    """Return a program without its first lines, and its answer."""
    return f"`{'; '.join((problem.program or '').splitlines()[skip:])}` = {problem.answer:.12g}"


def tell(problem: Problem) -> str:
    """Return one item of a list: the question, the program on one line, the answer."""
    return f"- {problem.question}\n  {on_one_line(problem)}"


def foreign_problems(path: Path) -> list[Problem]:
    """Return 1,000 problems of GSM8K that have a program, drawn by the seed."""
    problems = Random(SEED).sample(read_dataset(path, format="gsm8k").problems, 2 * ASKED)
    answers = asyncio.run(load_teacher("annotated").rationale(problems))
    solved = [replace(p, program=a) for p, a in zip(problems, answers, strict=True) if isinstance(a, str)]
    return curate(solved, protected={}).kept[:ASKED]


def children(problems: Sequence[Problem], branch: str, per_problem: int) -> Curated:
    """Return the first offspring of each problem, parted by curation."""
    teacher = load_teacher("symbolic")
    write = {"similar": teacher.similar, "complex": teacher.complexify}[branch]
    made = []
    for parent, answer in zip(problems, asyncio.run(write(problems, per_problem=per_problem, seed=SEED)), strict=True):
        for n, draft in enumerate([] if isinstance(answer, Declined) else answer):
            fields = {"question": draft.question, "program": draft.program, "answer": draft.answer}
            made.append(
                offspring(parent, n, origin=branch, round_number=0, teacher=teacher.name, extra=draft.extra, **fields)  # type: ignore[arg-type]
            )
    return curate(made, known=problems, protected={})


def added(child: Problem, parent: Problem) -> str:
    """Return what a further step added to a foreign problem, the phrase for its question, and the new program lines."""
    given = as_given(parent.question)
    assert given is not None
    further = child.question.removeprefix(given.text).strip()
    first = f"*{given.phrase}* = {parent.answer:.12g} {given.noun}"
    return f"- {first}. {further}\n  {on_one_line(child, skip=len((parent.program or '').splitlines()))}"


def changed(child: Problem, parent: Problem) -> str:
    """Return the program of a foreign problem before and after its numbers changed."""
    return f"- {on_one_line(parent)}\n  {on_one_line(child)}"


def count(curated: Curated, *, renumbered: bool = True) -> int:
    """Return how many parents have offspring that curation lets in."""
    return len({problem.parent_id for problem in curated.kept if renumbered or not problem.extra.get("renumbered")})


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
    print("The held-out ones are not shown: nothing is trained on or chosen by them.\n")
    print(
        "A run reads them as `{path: symbolic:train, limit: 500}`; with `max_operations: 1` too, none has more than "
        "one operation.\n"
    )
    print(f"## {OWN} problems, drawn by the seed {SEED}\n")
    print("\n".join(map(tell, own_problems())))
    if options.gsm8k is None:
        return
    problems = foreign_problems(options.gsm8k)
    parents = {problem.id: problem for problem in problems}
    one, two = (
        {branch: children(problems, branch, per_problem) for branch in ("similar", "complex")} for per_problem in (1, 2)
    )
    print(f"\n## From {len(problems)} problems of GSM8K-train\n")
    print("Parents with offspring that curation lets in, by how many are asked for of each parent:\n")
    print("| branch | of one | of two | commonest rejections, of two |\n|---|---|---|---|")
    for name, branch, renumbered in (
        ("`similar`, beyond a change of numbers", "similar", False),
        ("`similar`, a change of numbers among them", "similar", True),
        ("`complexify`", "complex", True),
    ):
        reasons = Counter(str(problem.extra["reason"]) for problem in two[branch].rejected).most_common(3)
        why = ", ".join(f"{n} {reason}" for reason, n in reasons) or "none"
        counts = " | ".join(str(count(some[branch], renumbered=renumbered)) for some in (one, two))
        print(f"| {name} | {counts} | {why} |")
    rng = Random(SEED)
    retold = [problem for problem in two["similar"].kept if not problem.extra.get("renumbered")]
    print(f"\n## {FOREIGN} similar ones\n")
    print("Each has the operations of its parent, in a situation of the teacher's own.\n")
    print("\n".join(map(tell, rng.sample(retold, FOREIGN))))
    print(f"\n## {RENUMBERED} with other numbers\n")
    print("The program before and after; the text changed with it.\n")
    redone = [p for p in two["similar"].kept if p.extra.get("renumbered") and "situation" not in p.extra]
    print("\n".join(changed(p, parents[str(p.parent_id)]) for p in rng.sample(redone, RENUMBERED)))
    print(f"\n## {FOREIGN} complex ones\n")
    print("First the phrase that stands for the question of the parent, and its answer, then what was added.\n")
    print("\n".join(added(p, parents[str(p.parent_id)]) for p in rng.sample(two["complex"].kept, FOREIGN)))


if __name__ == "__main__":
    main()
