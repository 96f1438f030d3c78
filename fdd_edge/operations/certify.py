"""The parity certificate: an artifact is compared with the float model it was made from before it judges anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from fdd_edge import catalog
from fdd_edge.artifacts.chat_template import chat_prompts, expected_prompts
from fdd_edge.artifacts.facts import model_bytes
from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.data import read_dataset
from fdd_edge.operations.certificate_lookup import check_new, find_bounds, find_certificate
from fdd_edge.operations.file_content import FileContent, own_weights_item, read_content
from fdd_edge.operations.unchanged import unchanged
from fdd_edge.parity import (
    Certificate,
    DeviceOutputs,
    Item,
    ParityPrompt,
    ReferenceOutputs,
    Vocabulary,
    compare_outputs,
    compute_reference_outputs,
    few_suffice,
    keep_certificate,
    read_file,
)
from fdd_edge.parity_bounds import Bounds
from fdd_edge.progress import announce, working
from fdd_edge.records import Problem, ProblemSet
from fdd_edge.resolve.student import Student
from fdd_edge.targets import TargetRuntime

__all__ = [
    "CERTIFICATE_PROMPTS",
    "certify_file",
    "check_new",
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


def reference_of(
    student: Student,
    problems: Sequence[Problem],
    *,
    template: str,
    trained: bool,
    few: bool = False,
    threads: int | None = None,
    packaged: Sequence[Problem] | None = None,
) -> ReferenceOutputs:
    """Let the float student answer the prompts of a certificate.

    Args:
        student: The reference.
        problems: The prompts.
        template: The prompt it was trained on, or is asked with.
        trained: Whether it was trained on it; otherwise an artifact may also keep the student's own chat template.
        few: Whether a few prompts are answered, and the others wait: see ``compute_reference_outputs``.
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
    with working("the float model's replies"), unchanged(student.folder, "compared") as sha256:
        return compute_reference_outputs(
            student.folder,
            _with_packaged(problems, packaged_prompts() if packaged is None else packaged),
            name=student.name,
            sha256=sha256,
            template=template,
            eos_ids=eos_ids,
            vocabulary=vocabulary,
            few=few,
            trained=trained,
            threads=threads,
        )


def _with_packaged(problems: Sequence[Problem], packaged: Sequence[Problem]) -> list[ParityPrompt]:
    """Return the prompts to answer, followed by the packaged ones that are only encoded."""
    questions = {p.question for p in problems}
    others = [p for p in packaged if p.question not in questions]
    missing = max(0, CERTIFICATE_PROMPTS - len(problems))
    answered = [ParityPrompt(p.id, p.question, p.answer, program=p.program) for p in (*problems, *others[:missing])]
    return [*answered, *(ParityPrompt(p.id, p.question, p.answer, answered=False) for p in others[missing:])]


def certify_file(
    artifact: Path,
    folder: Path,
    reference: ReferenceOutputs,
    recipe: Recipe,
    *,
    runtime: TargetRuntime,
    answer_all: Callable[[], ReferenceOutputs] | None = None,
    stops_rarely: bool = False,
    threads: int | None = None,
    prompt: str | None = None,
    as_computed: bool = True,
) -> Certificate:
    """Compare a model file with its float model, and keep the certificate, so that it counts as made here.

    Args:
        artifact: The model file.
        folder: Hugging Face folder of the float model.
        reference: The float model's outputs for the prompts.
        recipe: Its bounds apply.
        runtime: Where the file runs.
        answer_all: If the reference has answered a few prompts and others wait: computes its outputs for all of them,
            which are compared unless the few settle the certificate.
        stops_rarely: Whether the float model hardly ever ends a reply, see ``few_suffice``.
        threads: Number of threads to decode with. Default: one per physical core.
        prompt: The prompt template, for a file that does not store one.
        as_computed: Whether the folder must have the hash that it had when the reference's outputs were computed.

    Raises:
        FddError: The file cannot be loaded, or cannot be asked with this prompt; or one side was changed meanwhile.
        TargetError: The target failed.
    """
    on_target, bounds = runtime.threads(threads), recipe.parity
    # Both are read several times, by several processes: a certificate names a file that all of them have read.
    with (
        working(f"certificate of {recipe.name}"),
        unchanged(folder, "compared", sha256=reference.sha256 if as_computed else None),
        unchanged(artifact, "compared") as sha256,
    ):
        content = read_content(artifact, folder, reference, bounds, prove=answer_all is not None)
        compare = partial(_compare, artifact, folder, content, bounds, runtime, threads=threads, prompt=prompt)
        if answer_all is not None and not content.tensors.figures["exact"]:
            reference, answer_all = answer_all(), None
        outputs, items = compare(reference)
        if answer_all is not None and not few_suffice(items, bounds, stops_rarely=stops_rarely):
            n = len(reference.answered)
            announce(f"{recipe.name}: {n} prompts are not conclusive, so the others are compared too")
            reference = answer_all()
            outputs, items = compare(reference)
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


def _compare(
    artifact: Path,
    folder: Path,
    content: FileContent,
    bounds: Bounds,
    runtime: TargetRuntime,
    reference: ReferenceOutputs,
    *,
    threads: int | None,
    prompt: str | None,
) -> tuple[DeviceOutputs, tuple[Item, ...]]:
    """Run a file on the reference's prompts; return what it outputs, and the items of the certificate."""
    outputs = read_file(runtime.profile, artifact, reference, threads=runtime.threads(threads), prompt=prompt)
    own_weights = own_weights_item(
        artifact, folder, reference, outputs, content, bound=bounds.own_weights, threads=threads, prompt=prompt
    )
    weights, configs = [content.tensors, own_weights], content.wrong_configs
    return outputs, compare_outputs(reference, outputs, content.vocabulary, bounds, configs=configs, weights=weights)


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
