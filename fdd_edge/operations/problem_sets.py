"""Reading every problem set of a run once, and setting a tenth of the training problems apart for validation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from fdd_edge.curation import find_copies, find_leaks, mask_numbers
from fdd_edge.data import Skipped, describe_skipped
from fdd_edge.errors import FddError
from fdd_edge.progress import announce, warn
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, read_set
from fdd_edge.runs.stage_files import ProblemSetFiles

__all__ = ["read_problem_sets", "share_of_valid"]

_MAX_VALID = 200

Files = Mapping[str, Mapping[str, Sequence[Path]]]
"""The files of data sets, by role and name."""


def read_problem_sets(
    out: Path,
    *,
    files: Files,
    train: Sequence[DatasetOptions],
    valid: Sequence[DatasetOptions],
    eval: Sequence[DatasetOptions],
    seed: int,
    name_sources: bool = False,
) -> None:
    """Read every set once and write the problems to the folder ``out``, see ``ProblemSetFiles``.

    Without ``valid``, a tenth of ``train``, at most 200 problems, is set apart by the seed. Nothing is chosen on what
    is reported: problems of an eval set are neither drawn for ``valid`` nor kept in it.

    Args:
        out: Folder.
        files: The files of every set.
        train: Problems to train on.
        valid: Problems that choose the best round.
        eval: Problems that are only reported.
        seed: Draws symbolic sets, and ``valid`` if there is none.
        name_sources: Whether ``train`` gets the names of its sets as ``source``, whatever its rows say: the problems
            that are written from them have the same source.

    Raises:
        FddError: A set is broken, two problems of one role have the same id, or nothing is left of ``valid``.
    """
    written = ProblemSetFiles(out)
    skipped: list[dict[str, str]] = []

    def read(role: str, sets: Sequence[DatasetOptions]) -> list[list[Problem]]:
        found = []
        for spec in sets:
            # Seeded by the set's name, not its position, so that adding sets does not change the others.
            draw = seed if role == "train" else seed + crc32(f"{role}:{spec.label}".encode())
            problems, left_out, _ = read_set(spec, files[role][spec.label], seed=draw)
            skipped.extend(left_out)
            if left_out:
                described = describe_skipped([Skipped(entry["item"], entry["reason"]) for entry in left_out])
                announce(f"{spec.label}: {described} (see {written.skipped.name})")
            renames = name_sources and role == "train"
            found.append([replace(p, source=spec.label) for p in problems] if renames else problems)
        return found

    seeds = _joined(read("train", train), "train")
    chosen = _joined(read("valid", valid), "valid")
    reported = dict(zip((spec.label for spec in eval), read("eval", eval), strict=True))
    if chosen:
        chosen = _not_reported(chosen, reported)
    else:
        chosen, seeds = _set_apart(seeds, seed, reported)
    write_jsonl(written.seeds, (p.to_row() for p in seeds))
    write_jsonl(written.valid, (p.to_row() for p in chosen))
    for label, problems in reported.items():
        write_jsonl(written.eval_set(label), (replace(p, program=None, n_ops=None).to_row() for p in problems))
    write_jsonl(written.skipped, skipped)


def share_of_valid(problems: int) -> int:
    """Return how many of the training problems are set apart for validation, if no set is named for it."""
    return min(_MAX_VALID, problems // 10)


def _joined(sets: Sequence[Sequence[Problem]], role: str) -> list[Problem]:
    """Join several sets of one role.

    Raises:
        FddError: Two problems have the same id.
    """
    problems = [problem for one in sets for problem in one]
    repeated = [name for name, n in Counter(p.id for p in problems).items() if n > 1]
    if repeated:
        raise FddError(f"Two problems of data.{role} have the id {repeated[0]!r}; give each set its own name.")
    return problems


def _not_reported(valid: list[Problem], reported: Mapping[str, Sequence[Problem]]) -> list[Problem]:
    """Return the problems of ``valid`` that are in no eval set, and announce how many are left out.

    Raises:
        FddError: All of them are.
    """
    copies = find_copies(valid, reported)
    if not copies:
        return valid
    example, against = next(iter(copies.items()))
    if len(copies) == len(valid):
        raise FddError(
            f"All {len(valid)} problems of data.valid are also in data.eval ({example} is {against}), so the best "
            "round would be chosen on what is reported; name other problems in data.valid, or leave it out."
        )
    warn(
        f"data.valid: left out {len(copies)} of {len(valid)} problems that are also in data.eval ({example} is "
        f"{against}): nothing is chosen on what is reported"
    )
    return [problem for problem in valid if problem.id not in copies]


def _set_apart(
    problems: Sequence[Problem], seed: int, reported: Mapping[str, Sequence[Problem]]
) -> tuple[list[Problem], list[Problem]]:
    """Draw a tenth for validation; problems that differ only in their numbers stay together, or the rest would leak.

    Problems like one of an eval set are not drawn. They are not trained on either, which curation sees to.

    Raises:
        FddError: No tenth can be separated.
    """
    leaks = find_leaks(problems, reported)
    if leaks:
        warn(
            f"{len(leaks)} of {len(problems)} problems of data.train are like one of data.eval, such as "
            f"{next(iter(leaks))}: they are neither drawn for validation nor trained on"
        )
    drawn_from = [problem for problem in problems if problem.id not in leaks]
    n = share_of_valid(len(drawn_from))
    wordings: dict[str, list[Problem]] = {}
    for problem in drawn_from:
        wordings.setdefault(mask_numbers(problem.question), []).append(problem)
    groups = list(wordings.values())
    random.Random(f"valid:{seed}").shuffle(groups)
    apart: set[str] = set()
    for group in groups:
        if len(apart) + len(group) <= n:
            apart |= {problem.id for problem in group}
    if not apart:
        like = f"{len(leaks)} of them are like problems of data.eval, " if leaks else ""
        raise FddError(
            f"A tenth of the {len(problems)} training problems cannot be set apart for validation: {like}there are too "
            "few, or they differ only in their numbers. Name a validation set in data.valid, such as [{path: FILE}]."
        )
    return [p for p in problems if p.id in apart], [p for p in problems if p.id not in apart]
