"""The parity certificate: an artifact is compared with the float model it was made from before it judges anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fdd_edge import catalog
from fdd_edge.artifacts.chat_template import chat_prompts, expected_prompts
from fdd_edge.artifacts.facts import model_bytes
from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.data import read_dataset
from fdd_edge.feedback import sample_pool
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.operations.certificate_lookup import check_new, find_bounds, find_certificate
from fdd_edge.operations.file_content import own_weights_item, read_content
from fdd_edge.operations.unchanged import unchanged
from fdd_edge.parity import (
    Certificate,
    ParityPrompt,
    ReferenceOutputs,
    Vocabulary,
    compare_outputs,
    compute_reference_outputs,
    keep_certificate,
    load_reference,
    read_file,
    save_reference,
)
from fdd_edge.parity_bounds import Bounds
from fdd_edge.records import Problem, ProblemSet, read_problems
from fdd_edge.resolve.student import Student
from fdd_edge.runs.hashing import HashCache
from fdd_edge.targets import TargetRuntime

__all__ = [
    "CERTIFICATE_PROMPTS",
    "certify",
    "certify_file",
    "check_new",
    "compute_reference",
    "failure_message",
    "find_bounds",
    "find_certificate",
    "judge_failure_message",
    "packaged_prompts",
    "reference_of",
]

CERTIFICATE_PROMPTS = 64
"""Minimum number of prompts that the reference answers."""


def packaged_prompts() -> ProblemSet:
    """Return the packaged word problems: 64 that are answered, and more that tokenizers often get wrong.

    The latter are decomposed letters, several scripts, and a text of more than 700 tokens. They are only encoded.
    """
    path = catalog.shelf_path("configs/prompts") / "parity.jsonl"
    return ProblemSet(read_dataset(path, name="packaged").problems)


def compute_reference(
    out: Path,
    *,
    merged: Path | None,
    problems: Sequence[Path] | Mapping[str, Path],
    student: Student,
    template: str,
    trained: bool,
    seed: int,
    threads: int | None,
    packaged: Sequence[Problem],
) -> None:
    """Write the reference's side of a run's certificates.

    Args:
        out: The file to write.
        merged: Folder of the merged student; None takes ``student`` itself.
        problems: Files of problems; 64 are drawn, spread over their sources.
        student: The student, or the one that ``merged`` was trained from.
        template: The prompt, holding ``{question}``.
        trained: Whether the reference was trained on it.
        seed: Seed of the draw.
        threads: Number of torch threads; None for torch's default.
        packaged: Prompts to add, see ``reference_of``.
    """
    files = problems.values() if isinstance(problems, Mapping) else problems
    drawn = sample_pool([problem for file in files for problem in read_problems(file)], CERTIFICATE_PROMPTS, seed)
    reference = student if merged is None else student.at(merged)
    outputs = reference_of(reference, drawn, packaged=packaged, template=template, trained=trained, threads=threads)
    save_reference(outputs, out)


def certify(
    out: Path,
    *,
    artifact: Path,
    merged: Path | None,
    reference: Path,
    student: Student,
    recipe: Recipe,
    bounds: Bounds,
    runtime: TargetRuntime,
    threads: int,
) -> None:
    """Write the certificate of an artifact of a run.

    Args:
        out: The file to write.
        artifact: Folder of the artifact.
        merged: Folder of the merged student; None if the artifact was made from ``student`` itself.
        reference: Written by ``compute_reference``.
        student: The student, or the one that ``merged`` was trained from.
        recipe: The recipe of the artifact.
        bounds: The recipe's bounds, which its fingerprint leaves out.
        runtime: Where the artifact runs.
        threads: Number of threads.
    """
    folder = student.folder if merged is None else merged
    recipe = recipe.model_copy(update={"parity": bounds})
    outputs = load_reference(reference)
    # Files of a student that mean nothing may have changed since its outputs were made: a run keeps those.
    found = HashCache().of(folder)
    model = find_model(artifact)
    certify_file(model, folder, outputs, recipe, runtime=runtime, threads=threads, folder_sha256=found).write(out)


def reference_of(
    student: Student,
    problems: Sequence[Problem],
    *,
    template: str,
    trained: bool,
    threads: int | None = None,
    packaged: Sequence[Problem] | None = None,
) -> ReferenceOutputs:
    """Let the float student answer the prompts of a certificate.

    Args:
        student: The reference.
        problems: The prompts.
        template: The prompt it was trained on, or is asked with.
        trained: Whether it was trained on it; otherwise an artifact may also keep the student's own chat template.
        threads: Number of torch threads; None for torch's default.
        packaged: More prompts, which fill them up to 64; the rest is compared in bytes and ids only. Default:
            ``packaged_prompts``.

    Raises:
        FddError: The student was changed meanwhile.
    """
    with open_vocab(student.vocab) as vocab:
        eos_ids = vocab.eos_ids
        own_chats = [] if trained else [chat_prompts(vocab.chat_template, vocab)]
        vocabulary = Vocabulary(vocab.pieces, (*own_chats, expected_prompts(template, vocab)))
    with unchanged(student.folder, "compared") as sha256:
        return compute_reference_outputs(
            student.folder,
            _with_packaged(problems, packaged_prompts() if packaged is None else packaged),
            name=student.name,
            sha256=sha256,
            template=template,
            eos_ids=eos_ids,
            vocabulary=vocabulary,
            threads=threads,
        )


def _with_packaged(problems: Sequence[Problem], packaged: Sequence[Problem]) -> list[ParityPrompt]:
    """Return the prompts to answer, followed by the packaged ones that are only encoded."""
    questions = {p.question for p in problems}
    others = [p for p in packaged if p.question not in questions]
    missing = max(0, CERTIFICATE_PROMPTS - len(problems))
    answered = [ParityPrompt(p.id, p.question, p.answer) for p in (*problems, *others[:missing])]
    return [*answered, *(ParityPrompt(p.id, p.question, p.answer, answered=False) for p in others[missing:])]


def certify_file(
    artifact: Path,
    folder: Path,
    reference: ReferenceOutputs,
    recipe: Recipe,
    *,
    runtime: TargetRuntime,
    threads: int | None = None,
    prompt: str | None = None,
    folder_sha256: str | None = None,
) -> Certificate:
    """Compare a model file with its float model, and keep the certificate, so that it counts as made here.

    Args:
        artifact: The model file.
        folder: Hugging Face folder of the float model.
        reference: The float model's outputs for the prompts.
        recipe: Its bounds apply.
        runtime: Where the file runs.
        threads: Number of threads to decode with. Default: one per physical core.
        prompt: The prompt template, for a file that does not store one.
        folder_sha256: Hash of the folder. Default: as it was when the reference's outputs were computed.

    Raises:
        FddError: The file cannot be loaded, or cannot be asked with this prompt; or one side was changed meanwhile.
        TargetError: The target failed.
    """
    on_target = runtime.threads(threads)
    # Both are read several times, by several processes: a certificate names a file that all of them have read.
    with (
        unchanged(folder, "compared", sha256=folder_sha256 or reference.sha256),
        unchanged(artifact, "compared") as sha256,
    ):
        content = read_content(artifact, folder, reference, recipe.parity)
        outputs = read_file(runtime.profile, artifact, reference, threads=on_target, prompt=prompt)
        own_weights = own_weights_item(
            artifact,
            folder,
            reference,
            outputs,
            content,
            bound=recipe.parity.own_weights,
            threads=threads,
            prompt=prompt,
        )
    items = compare_outputs(
        reference,
        outputs,
        content.vocabulary,
        recipe.parity,
        configs=content.wrong_configs,
        weights=[content.tensors, own_weights],
    )
    info = asdict(outputs.info)
    facts = {key: info[key] for key in ("cpu", "machine", "runtime", "runtime_version", "system_info")}
    questions = ProblemSet(Problem(r.id, r.question, r.gold or 0, "parity") for r in reference.answered)
    n_prompts = {"answered": len(questions), "encoded": len(reference.replies)}
    certificate = Certificate(
        artifact={"sha256": sha256, "bytes": model_bytes(artifact), "recipe": recipe.name},
        reference={"name": reference.name, "sha256": reference.sha256},
        target={"name": runtime.profile.name, "threads": on_target, "kv": outputs.kv, **facts},
        prompts=n_prompts | {"sha256": questions.fingerprint()},
        bounds=recipe.parity,
        items=items,
    )
    keep_certificate(certificate)
    return certificate


def failure_message(failed: Sequence[Certificate], where: str) -> str:
    """Return the message about artifacts that failed: one line per item, with its first difference.

    Args:
        failed: Their certificates.
        where: What they are left out of.
    """
    names = ", ".join(str(certificate.artifact["recipe"]) for certificate in failed)
    lines = "".join(_failed_items(certificate) for certificate in failed)
    check, verb = ("its parity check", "is") if len(failed) == 1 else ("their parity checks", "are")
    return f"{names} failed {check} and {verb} left out of {where}:{lines}"


def judge_failure_message(failed: Certificate, round_name: str) -> str:
    """Return the message about a judge that failed: one line per item, with its first difference."""
    recipe = failed.artifact["recipe"]
    return f"{recipe} failed its parity check, so it cannot judge {round_name}:{_failed_items(failed)}"


def _failed_items(certificate: Certificate) -> str:
    recipe = certificate.artifact["recipe"]
    return "".join(f"\n  {recipe}: {item.failure_message}" for item in certificate.failed)
