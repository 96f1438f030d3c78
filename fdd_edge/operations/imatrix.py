"""Importance matrices: measured on a student's own prompts and programs, or read from a file that a recipe names."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.progress import progress
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.student import Student

__all__ = ["check_imatrix", "imatrix_path", "measure_imatrix", "measure_on"]

_PROBLEMS = 256
"""Number of problems that are run through the model: about 20,000 tokens; more would change little."""


def check_imatrix(recipe: Recipe) -> None:
    """Check that the importance matrix that a recipe names exists, before anything is made.

    Raises:
        FddError: The file is missing, or is not an importance matrix.
    """
    from fdd_edge.artifacts.gguf import open_imatrix

    if recipe.imatrix_file is not None:
        open_imatrix(recipe.imatrix_file)


def imatrix_path(recipe: Recipe, measured: Path | None) -> Path | None:
    """Return the importance matrix that a recipe uses, or None.

    Args:
        recipe: Uses none, the one measured on the student, or a file.
        measured: The importance matrix measured on the student.
    """
    return measured if recipe.measures_imatrix else recipe.imatrix_file


def measure_imatrix(
    out: Path, *, merged: Path | None, problems: Path, student: Student, template: str, seed: int
) -> None:
    """Measure the importance matrix of a student on the problems of its run.

    Args:
        out: The file to write.
        merged: Folder of the merged student; None measures ``student`` itself.
        problems: File of problem records, with programs if they have one.
        student: The student, or the one that ``merged`` was trained from.
        template: The prompt, holding ``{question}``.
        seed: Seed of the draw from the problems.
    """
    measured = student if merged is None else student.at(merged)
    measure_on(measured, read_problems(problems), out, template=template, seed=seed, source="the run's")


def measure_on(
    student: Student,
    problems: Sequence[Problem],
    out: Path,
    *,
    template: str,
    seed: int,
    source: str,
    threads: int | None = None,
) -> None:
    """Measure the importance matrix of a student in float32.

    Args:
        student: The student.
        problems: Prompts, and programs if they have one; at most 256 are drawn.
        out: The file to write.
        template: The prompt, holding ``{question}``.
        seed: Seed of the draw.
        source: Whose problems they are; noted in the file.
        threads: Number of torch threads; None for torch's default.
    """
    from fdd_edge.artifacts.gguf import hf_names, write_imatrix
    from fdd_edge.students.activations import input_squares
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    drawn = list(problems)
    random.Random(f"imatrix:{seed}").shuffle(drawn)
    prompt = Prompt.parse(template)
    pairs = [(prompt.render(p.question), p.program or "") for p in drawn[:_PROBLEMS]]
    examples = encode_examples(load_tokenizer(student.folder), pairs, adds_bos=student.adds_bos)
    with progress("measuring the importance matrix", len(examples), "texts") as advance:
        squares = input_squares(student.folder, examples, threads=threads, on_progress=advance)
    gguf_names = {hf_name: name for name, hf_name in hf_names(student.folder).items()}
    sums = {gguf_names[hf_name]: columns for hf_name, columns in squares.sums.items()}
    write_imatrix(out, sums, squares.n_inputs, source=f"{len(pairs)} of {source} problems")
