"""The parity certificate: an artifact held against the float model it was made from, before it judges anything."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge import catalog
from fdd_edge.artifacts.recipe import NO_IMATRIX, OnnxRecipe, Recipe, load_recipe, names_of
from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.feedback import sample_pool
from fdd_edge.ondevice.model_files import family_of, hash_model, is_onnx
from fdd_edge.parity import (
    CERTIFICATE_VERSION,
    NO_OWN_WEIGHTS,
    WRONG_WEIGHTS,
    Bounds,
    Certificate,
    DeviceOutputs,
    Item,
    ParityPrompt,
    ReferenceOutputs,
    Vocabulary,
    compute_reference,
    load_reference,
    save_reference,
)
from fdd_edge.progress import announce
from fdd_edge.records import Problem, hash_problems, read_problems
from fdd_edge.resolve.student import Student
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.layout import MODEL_FILE, ONNX_FILE, SEQ2SEQ_FILE, RoundLayout
from fdd_edge.targets import load_profile, resolve_threads, runtime_version

__all__ = [
    "CERTIFICATE_FILE",
    "CERTIFICATE_PROMPTS",
    "PARITY_VERSION",
    "certificate_params",
    "certify",
    "check_new",
    "failure_message",
    "find_bounds",
    "find_certificate",
    "packaged_prompts",
    "packaged_sha256",
    "reference_of",
    "write_certificate",
    "write_reference",
]

PARITY_VERSION = CERTIFICATE_VERSION

CERTIFICATE_PROMPTS = 64
"""Prompts that the reference replies to, at least."""

_FOR_EXAMPLE = {"gguf": "gguf-q8_0", "onnx": "onnx-int4"}

CERTIFICATE_FILE = "parity.json"
"""Beside a model file."""


def packaged_prompts() -> list[Problem]:
    """Return 64 word problems of our own that hold what tokenizers trip over."""
    path = catalog.shelf_path("configs/prompts") / "parity.jsonl"
    return read_dataset(path, name="packaged").problems


def reference_of(
    student: Student, problems: Sequence[Problem], *, template: str, trained: bool, threads: int | None = None
) -> ReferenceOutputs:
    """Have the float student answer the prompts of a certificate.

    Args:
        student: The reference.
        problems: The prompts; packaged ones fill them up to 64, and all others of these are compared in their bytes
            and ids.
        template: The prompt it was trained on, or is asked by.
        trained: Whether it was trained on it; else its own chat template may stand in the file as well.
        threads: Of torch; None leaves it its own number.
    """
    from fdd_edge.artifacts.chat_template import chat_prompts, expected_prompts
    from fdd_edge.artifacts.vocab import open_vocab

    with open_vocab(student.vocab) as vocab:
        stops = vocab.stops
        own = [] if trained else [chat_prompts(vocab.chat_template, vocab)]
        vocabulary = Vocabulary(vocab.pieces, (*own, expected_prompts(template, vocab)))
    return compute_reference(
        student.folder,
        _asked(problems),
        name=student.name,
        sha256=HashCache().of(student.folder),
        template=template,
        stops=stops,
        vocabulary=vocabulary,
        threads=threads,
    )


def _asked(problems: Sequence[Problem]) -> list[ParityPrompt]:
    """Return the prompts that are answered, and behind them the packaged ones that are only encoded."""
    own = {p.question for p in problems}
    others = [p for p in packaged_prompts() if p.question not in own]
    missing = max(0, CERTIFICATE_PROMPTS - len(problems))
    answered = [ParityPrompt(p.id, p.question, p.answer) for p in (*problems, *others[:missing])]
    return [*answered, *(ParityPrompt(p.id, p.question, p.answer, answered=False) for p in others[missing:])]


def write_reference(
    student: Student,
    pool: Sequence[Path],
    out: Path,
    *,
    template: str,
    trained: bool,
    seed: int,
    threads: int | None,
) -> None:
    """Write the reference's side of a run's certificates to the file ``out``.

    Args:
        student: The reference.
        pool: Files of problems; 64 are drawn by the seed, spread over their sources.
        out: The file.
        template: The prompt it was trained on, or is asked by.
        trained: Whether it was trained on it.
        seed: Of the draw.
        threads: Of torch; None leaves it its own number.
    """
    drawn = sample_pool([p for path in pool for p in read_problems(path)], CERTIFICATE_PROMPTS, seed)
    save_reference(reference_of(student, drawn, template=template, trained=trained, threads=threads), out)


def write_certificate(
    artifact: Path, reference: Path, record: Path, recipe: Recipe, out: Path, *, target: str, threads: int | None
) -> None:
    """Write the certificate of an artifact to the file ``out``; see ``certify``."""
    certify(artifact, reference, load_reference(record), recipe, target=target, threads=threads).write(out)


def certificate_params(recipe: Recipe, *, target: str, threads: int | None) -> dict[str, Any]:
    """Return what a certificate depends on beside the file and its reference."""
    profile = load_profile(target)
    return {
        "recipe": recipe.name,
        "bounds": recipe.parity.model_dump(),
        "target": profile.name,
        "threads": resolve_threads(profile, threads),
        "runtime": runtime_version(profile, recipe.family),
    }


def packaged_sha256() -> str:
    """Return the hash of the packaged prompts."""
    return hash_problems(packaged_prompts())


def certify(
    artifact: Path,
    reference: Path,
    record: ReferenceOutputs,
    recipe: Recipe,
    *,
    target: str,
    threads: int | None = None,
    prompt: str | None = None,
) -> Certificate:
    """Hold a model file against its reference.

    Args:
        artifact: The model file.
        reference: Hugging Face folder of the float model.
        record: What the reference does on the prompts.
        recipe: Whose bounds apply.
        target: Name or path of the device profile on which the file runs.
        threads: To decode with; None for one a physical core.
        prompt: The template, for a file that carries none.

    Raises:
        FddError: The file cannot be loaded, or asked this way.
        TargetError: The target failed.
    """
    from fdd_edge.artifacts.facts import model_bytes
    from fdd_edge.parity import judge_items, read_file

    profile = load_profile(target)
    bounds = Bounds(**recipe.parity.model_dump())
    look = _look_into_onnx if is_onnx(artifact) else _look_into_gguf
    looked = look(artifact, reference, record, bounds)
    on_target = resolve_threads(profile, threads)
    reading = read_file(profile, artifact, record, threads=on_target, prompt=prompt)
    computed = _own_weights(artifact, reference, record, reading, looked, bounds, threads=threads, prompt=prompt)
    items = judge_items(
        record,
        reading,
        looked.vocabulary,
        bounds,
        configs=looked.configs,
        weights=[looked.tensors, computed],
    )
    info = asdict(reading.info)
    facts = {key: info[key] for key in ("cpu", "machine", "runtime", "runtime_version", "system_info")}
    answered = record.answered
    questions = [Problem(r.id, r.question, r.gold or 0, "parity") for r in answered]
    return Certificate(
        artifact={"sha256": hash_model(artifact), "bytes": model_bytes(artifact), "recipe": recipe.name},
        reference={"name": record.name, "sha256": record.sha256},
        target={"name": profile.name, "threads": on_target, "kv": reading.kv} | facts,
        prompts={"answered": len(answered), "encoded": len(record.replies), "sha256": hash_problems(questions)},
        bounds=bounds,
        items=items,
    )


class _Looked(NamedTuple):
    """What can be told of a file without running it.

    Attributes:
        tensors: The comparison of the weights.
        quantized: Those that are quantized, by Hugging Face's names; empty for a float file.
        vocabulary: The file's.
        configs: See ``judge_items``.
    """

    tensors: Item
    quantized: dict[str, Any]
    vocabulary: Vocabulary
    configs: list[dict[str, Any]] | None


def _look_into_gguf(artifact: Path, reference: Path, record: ReferenceOutputs, bounds: Bounds) -> _Looked:
    """Compare the weights of a file with its reference's, and read its vocabulary."""
    from fdd_edge.artifacts.gguf import QuantizedFile, gguf_tensors, stored_tensors
    from fdd_edge.parity import compare_tensors

    tensors = compare_tensors(lambda: gguf_tensors(reference), stored_tensors(artifact), bounds)
    own = QuantizedFile(artifact, reference).matrices() if tensors.passed else ()
    return _Looked(tensors, dict(own), _vocabulary_of(artifact), None)


def _look_into_onnx(artifact: Path, reference: Path, record: ReferenceOutputs, bounds: Bounds) -> _Looked:
    """Compare the weights of a graph with its reference's, and read the tokenizer and the configs beside it."""
    from fdd_edge.artifacts.onnx import onnx_tensors, quantized_weights, stored_weights, wrong_keys
    from fdd_edge.artifacts.vocab import TOKENIZER
    from fdd_edge.parity import compare_tensors

    stored = stored_weights(artifact)
    tensors = compare_tensors(lambda: onnx_tensors(reference), stored, bounds)
    own = dict(quantized_weights(stored, reference)) if tensors.passed else {}
    wrong = [key._asdict() for key in wrong_keys(artifact.parent, reference, record.special.stops)]
    return _Looked(tensors, own, _vocabulary_of(artifact.with_name(TOKENIZER)), wrong)


def _own_weights(
    artifact: Path,
    reference: Path,
    record: ReferenceOutputs,
    reading: DeviceOutputs,
    looked: _Looked,
    bounds: Bounds,
    *,
    threads: int | None,
    prompt: str | None,
) -> Item:
    """Hold what a file computes against the float model with the file's own weights.

    Of a file that rounds its activations too, a float twin is asked on this machine: its wires are the file's.
    """
    from fdd_edge.artifacts.onnx import rounds_activations, write_dequantized
    from fdd_edge.parity import compare_own_weights, read_rows, rows_of, sample_replies

    if not looked.tensors.passed:
        return WRONG_WEIGHTS
    if not looked.quantized:
        return NO_OWN_WEIGHTS
    replies = sample_replies(record)
    if is_onnx(artifact) and rounds_activations(artifact):
        local = load_profile("local")
        with tempfile.TemporaryDirectory(prefix="fdd-edge-twin-") as folder:
            try:
                twin = write_dequantized(artifact, Path(folder))
            except FddError as error:
                return Item(NO_OWN_WEIGHTS.name, False, str(error).rstrip("."), {"n": 0})
            rows = read_rows(local, twin, replies, threads=resolve_threads(local, threads), prompt=prompt)
    else:
        rows = rows_of(record, reading, replies)
    weights = looked.quantized.items()
    return compare_own_weights(reference, weights, replies, rows, bound=bounds.own_weights, threads=threads)


def _vocabulary_of(path: Path) -> Vocabulary:
    """Return an artifact's side of what is compared of both vocabularies."""
    from fdd_edge.artifacts.chat_template import chat_prompts
    from fdd_edge.artifacts.vocab import open_vocab

    with open_vocab(path) as vocab:
        return Vocabulary(vocab.pieces, (chat_prompts(vocab.chat_template, vocab),))


def find_bounds(artifact: Path, recipe: str | None) -> Recipe:
    """Return the recipe whose bounds apply to a model file: the named one, or the one the file carries.

    What a file says of itself is a stranger's word: it may name a packaged recipe only, and its tensors must be of the
    types that this recipe gives them, so that no file picks coarser bounds than its own.

    Raises:
        FddError: It carries none, none that is packaged, or one that it was not made by.
    """
    from fdd_edge.artifacts.facts import describe_model
    from fdd_edge.artifacts.gguf import types_by
    from fdd_edge.artifacts.onnx import kinds_by

    if recipe is not None:
        return _fitting(load_recipe(recipe), artifact)
    facts = describe_model(artifact)
    if not facts.types:
        raise FddError(f"{artifact} holds no weights: it is damaged, or no model.")
    ask = f"say whose bounds apply, as in --recipe {_FOR_EXAMPLE[family_of(artifact)]}."
    if facts.recipe is None:
        raise FddError(f"{artifact} names no recipe; {ask}")
    if facts.recipe not in catalog.names("export/recipes"):
        raise FddError(f"{artifact} names the recipe {facts.recipe!r}, which is not a packaged one; {ask}")
    own = load_recipe(facts.recipe)
    if isinstance(own, OnnxRecipe):
        fits = set(facts.types) == kinds_by(own)
        found, expected = (" and ".join(sorted(kinds)) for kinds in (facts.types, kinds_by(own)))
    else:
        given = types_by(artifact, own.type, weighted=own.imatrix != NO_IMATRIX)
        fits = facts.types == given
        found, expected = (", ".join(f"{n} {kind}" for kind, n in types.items()) for types in (facts.types, given))
    if not fits:
        raise FddError(f"{artifact} names the recipe {own.name}, which gives {expected}, but holds {found}; {ask}")
    return own


def _fitting(recipe: Recipe, artifact: Path) -> Recipe:
    """Refuse the recipe of another family than a model's.

    Raises:
        FddError: It is; names those that fit.
    """
    family = family_of(artifact)
    if recipe.family != family:
        raise FddError(f"{recipe.name} makes no {artifact.suffix} file; its recipes are {', '.join(names_of(family))}.")
    return recipe


def check_new(out: Path) -> None:
    """Refuse to write a certificate over something.

    Raises:
        FddError: There is something, or no folder to hold it.
    """
    if out.exists():
        raise FddError(f"{out} exists already; name another file, or remove it.")
    if not out.parent.is_dir():
        raise FddError(f"{out.parent} does not exist; name a folder that does.")


def find_certificate(artifact: Path, sha256: str) -> Certificate | None:
    """Return the certificate of this very file that lies beside it or in its run; None if there is none.

    What lies there and is no certificate, or one of another version, is none: one line says so.
    """
    artifact = artifact.resolve()
    places = [artifact.with_name(CERTIFICATE_FILE), artifact.with_suffix(".parity.json")]
    if artifact.name in (MODEL_FILE, ONNX_FILE, SEQ2SEQ_FILE) and len(artifact.parents) > 2:
        places.append(RoundLayout(artifact.parents[2]).parity(artifact.parent.name))
    for path in places:
        if not path.is_file():
            continue
        try:
            certificate = Certificate.read(path)
        except FddError as error:
            announce(f"{error} It is passed over.")
            continue
        if certificate.artifact.get("sha256") == sha256:
            return certificate
    return None


def failure_message(failed: Sequence[Certificate], where: str) -> str:
    """Return the message about artifacts that failed: one line an item, with its first difference.

    Args:
        failed: Their certificates.
        where: What they are left out of.
    """
    names = ", ".join(str(certificate.artifact["recipe"]) for certificate in failed)
    items = [(certificate.artifact["recipe"], item) for certificate in failed for item in certificate.failed]
    lines = "".join(f"\n  {recipe}: {item.failure_message}" for recipe, item in items)
    return f"{names} failed the parity certificate and is left out of {where}:{lines}"
