"""The certificates of a run: few prompts are answered where they suffice, and an untuned student is compared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.feedback import sample_pool
from fdd_edge.ondevice.model_files import find_model, hash_model
from fdd_edge.operations.certify import CERTIFICATE_PROMPTS, certify_file, reference_of
from fdd_edge.operations.runtime_build import build_of
from fdd_edge.parity import (
    CERTIFICATE_VERSION,
    ReferenceOutputs,
    answer_waiting,
    certificate_made_here,
    keep_certificate,
    load_reference,
    save_reference,
)
from fdd_edge.parity_bounds import Bounds
from fdd_edge.progress import announce
from fdd_edge.records import Problem, ProblemSet, read_problems
from fdd_edge.resolve.student import Student
from fdd_edge.runs.fingerprint import Json, fingerprint
from fdd_edge.runs.hashing import HashCache
from fdd_edge.targets import TargetRuntime

__all__ = ["certify", "certify_untuned", "compute_reference"]


def compute_reference(
    out: Path,
    *,
    merged: Path,
    problems: Sequence[Path],
    student: Student,
    template: str,
    seed: int,
    threads: int | None,
    packaged: Sequence[Problem],
) -> None:
    """Write the reference's side of a round's certificates: its answers to a few of 64 prompts.

    Args:
        out: The file to write.
        merged: Folder of the merged student.
        problems: Files of problems; 64 are drawn, spread over their sources.
        student: The one that ``merged`` was trained from.
        template: The prompt, holding ``{question}``.
        seed: Seed of the draw.
        threads: Number of torch threads; None for torch's default.
        packaged: Prompts to add, see ``reference_of``.
    """
    drawn = _draw(problems, seed)
    reference = student.at(merged)
    outputs = reference_of(
        reference, drawn, packaged=packaged, template=template, trained=True, few=True, threads=threads
    )
    save_reference(outputs, out)


def certify(
    out: Path,
    *,
    artifact: Path,
    merged: Path,
    reference: Path,
    recipe: Recipe,
    bounds: Bounds,
    runtime: TargetRuntime,
    threads: int,
) -> None:
    """Write the certificate of an artifact of a round.

    Args:
        out: The file to write.
        artifact: Folder of the artifact.
        merged: Folder of the merged student.
        reference: Written by ``compute_reference``.
        recipe: The recipe of the artifact.
        bounds: The recipe's bounds, which its fingerprint leaves out.
        runtime: Where the artifact runs.
        threads: Number of threads.
    """
    recipe = recipe.model_copy(update={"parity": bounds})
    certify_file(
        find_model(artifact),
        merged,
        load_reference(reference),
        recipe,
        answer_all=partial(_answer_all, reference, HashCache().of(reference), merged, threads),
        runtime=runtime,
        threads=threads,
        # Files of a student that mean nothing may have changed since: a run keeps its outputs then.
        as_computed=False,
    ).write(out)


@lru_cache(maxsize=1)
def _answer_all(reference: Path, sha256: str, folder: Path, threads: int) -> ReferenceOutputs:
    """Let a round's float model answer the prompts that wait, once for all artifacts that need them.

    Args:
        reference: Written by ``compute_reference``.
        sha256: Its hash.
        folder: Folder of the merged student.
        threads: Number of torch threads.
    """
    del sha256  # only distinguishes one reference from another in the same place
    return answer_waiting(load_reference(reference), folder, threads=threads)


def certify_untuned(
    out: Path,
    *,
    artifact: Path,
    problems: Sequence[Path],
    student: Student,
    recipe: Recipe,
    bounds: Bounds,
    runtime: TargetRuntime,
    threads: int,
    template: str,
    seed: int,
    packaged: Sequence[Problem],
) -> None:
    """Write the certificate of the untuned student's artifact, or take that of another run that compared the same.

    Args:
        out: The file to write.
        artifact: Folder of the artifact.
        problems: See ``compute_reference``.
        student: The student.
        recipe: The recipe of the artifact.
        bounds: The recipe's bounds, which its fingerprint leaves out.
        runtime: Where the artifact runs.
        threads: Number of threads.
        template: The prompt, holding ``{question}``.
        seed: Seed of the draw.
        packaged: Prompts to add, see ``reference_of``.
    """
    recipe, model, drawn = recipe.model_copy(update={"parity": bounds}), find_model(artifact), _draw(problems, seed)
    compared: dict[str, Json] = {
        "artifact": hash_model(model),
        "reference": [student.name, HashCache().of(student.folder)],
        "prompts": ProblemSet([*drawn, *packaged]).fingerprint(),
        "template": template,
        "recipe": recipe.name,
        "bounds": asdict(bounds),
        "runtime": build_of(runtime),
        "float model": [metadata.version(name) for name in ("torch", "transformers")],
        "threads": threads,
    }
    key = fingerprint(CERTIFICATE_VERSION, compared, {})
    # What is installed on another machine is not known here.
    is_shared = runtime.profile.transport == "local"
    certificate = certificate_made_here(key) if is_shared else None
    if certificate is None or not certificate.passed:
        few = reference_of(
            student, drawn, packaged=packaged, template=template, trained=False, few=True, threads=threads
        )
        certificate = certify_file(
            model,
            student.folder,
            few,
            recipe,
            answer_all=partial(answer_waiting, few, student.folder, threads=threads),
            stops_rarely=True,
            runtime=runtime,
            threads=threads,
        )
        if is_shared:
            keep_certificate(certificate, key)
    else:
        announce(f"{recipe.name} of the untuned student passed in an earlier run here: its certificate is the same")
    certificate.write(out)


def _draw(problems: Sequence[Path], seed: int) -> list[Problem]:
    """Draw the prompts of a run's certificates."""
    return sample_pool([problem for file in problems for problem in read_problems(file)], CERTIFICATE_PROMPTS, seed)
