"""What the symbolic teacher writes, printed to be read: 60 problems of its own, and what it makes of foreign ones.

Of a foreign problem that goes on, only what the teacher added is printed: the rest is its author's. With GSM8K's
training file it also counts how much curation lets in. Run it with:

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

SEED = 60
OWN, FOREIGN, ASKED = 60, 30, 1000


def own_problems() -> list[Problem]:
    """Return 60 problems of as many situations, drawn by the seed."""
    train = [situation for situation in SITUATIONS.values() if not situation.held_out]
    return Random(SEED).sample(generate("train", len(train), SEED), OWN)


def tell(problem: Problem, question: str | None = None) -> str:
    """Return one line of a list: the question, the program on one line, the answer."""
    program = "; ".join((problem.program or "").splitlines())
    return f"- {question or problem.question}\n  `{program}` = {problem.answer:g}"


def foreign_problems(path: Path) -> list[Problem]:
    """Return 1,000 problems of GSM8K that have a program, drawn by the seed."""
    problems = Random(SEED).sample(read_dataset(path, format="gsm8k").problems, 2 * ASKED)
    answers = asyncio.run(load_teacher("annotated").rationale(problems))
    solved = [replace(p, program=a) for p, a in zip(problems, answers, strict=True) if isinstance(a, str)]
    return curate(solved, protected={}).kept[:ASKED]


def children(problems: Sequence[Problem], branch: str) -> Curated:
    """Return the first offspring of each problem, parted by curation."""
    teacher = load_teacher("symbolic")
    write = {"similar": teacher.similar, "complex": teacher.complexify}[branch]
    made = []
    for parent, answer in zip(problems, asyncio.run(write(problems, per_problem=2, seed=SEED)), strict=True):
        for n, draft in enumerate([] if isinstance(answer, Declined) else answer):
            fields = {"question": draft.question, "program": draft.program, "answer": draft.answer}
            made.append(
                offspring(parent, n, origin=branch, round_number=0, teacher=teacher.name, extra=draft.extra, **fields)  # type: ignore[arg-type]
            )
    return curate(made, known=problems, protected={})


def added(problem: Problem) -> str:
    """Return what a further step added to a foreign problem: its last two sentences."""
    sentences = problem.question.replace("? ", "?\n").replace(". ", ".\n").split("\n")
    return " ".join(["[...]", *sentences[-2:]])


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
    print(f"## {OWN} problems, drawn by the seed {SEED}\n")
    print("\n".join(map(tell, own_problems())))
    if options.gsm8k is None:
        return
    problems = foreign_problems(options.gsm8k)
    similar, complex_ = children(problems, "similar"), children(problems, "complex")
    retold = [p for p in similar.kept if not p.extra.get("renumbered")]
    rows = (
        ("`similar`, beyond a change of numbers", {p.parent_id for p in retold}, similar),
        ("`similar`, a change of numbers among them", {p.parent_id for p in similar.kept}, similar),
        ("`complexify`", {p.parent_id for p in complex_.kept}, complex_),
    )
    print(f"\n## From {len(problems)} problems of GSM8K-train\n")
    print("| branch | parents with offspring that curation lets in | commonest rejections |\n|---|---|---|")
    for name, parents, curated in rows:
        reasons = Counter(str(p.extra["reason"]) for p in curated.rejected).most_common(3)
        print(f"| {name} | {len(parents)} of {len(problems)} | {', '.join(f'{n} {why}' for why, n in reasons)} |")
    rng = Random(SEED)
    print(
        f"\n## {FOREIGN} similar ones\n\nEach has the operations of its parent, in a situation of the teacher's own.\n"
    )
    print("\n".join(map(tell, rng.sample(retold, FOREIGN))))
    print(
        f"\n## {FOREIGN} complex ones\n\nOnly what was added to the problem is shown: what it asked is given first.\n"
    )
    print("\n".join(tell(p, added(p)) for p in rng.sample(complex_.kept, FOREIGN)))


if __name__ == "__main__":
    main()
