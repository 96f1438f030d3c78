"""Exporting a Hugging Face folder by recipe: one float file, and every other one quantized from it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from glob import escape
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.artifacts.recipe import FLOAT_ONNX, FLOAT_RECIPE, GgufRecipe, OnnxRecipe, Recipe, names_of
from fdd_edge.errors import FddError, ParityError
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.operations.bundle import write_bundle
from fdd_edge.operations.certify import CERTIFICATE_FILE, certify, failure_message, packaged_prompts, reference_of
from fdd_edge.operations.imatrix import imatrix_for, measure_imatrix, wants_own
from fdd_edge.parity import Certificate
from fdd_edge.progress import announce
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.model import Source
from fdd_edge.resolve.student import Student
from fdd_edge.runs.layout import MODEL_FILE, find_model
from fdd_edge.safetensors_folder import weight_files

if TYPE_CHECKING:
    from fdd_edge.artifacts.gguf import Fallback

__all__ = [
    "EXPORT_VERSION",
    "check_disk",
    "check_recipes",
    "check_room",
    "count_parameters",
    "export_all",
    "export_float",
    "export_onnx",
    "export_quantized",
    "read_card",
    "warn_of_rounding",
]

EXPORT_VERSION = 2

_CARD_FILE = "artifact.json"
_FLOAT_BYTES = 4

_ONNX_COPIES = {"fp32": 1.0, "int8": 1.6, "int4": 1.3}
"""Disk that an export takes while it runs, in float32 copies of the model: int8 is made from a float graph."""


def export_float(
    folder: Path,
    vocab: Path,
    out: Path,
    *,
    name: str,
    template: str,
    license: str | None,
    base: str | None = None,
    round: int | None = None,
    aware_of: str | None = None,
    trained: bool = True,
) -> None:
    """Write the float artifact of a Hugging Face folder into the folder ``out``.

    Args:
        folder: The merged student.
        vocab: Its vocabulary file.
        out: Folder of the artifact.
        name: Stored as ``general.name``.
        template: The prompt it was trained on; stored in the file, which the runner reads.
        license: Stored where known.
        base: What it was trained from, where it was.
        round: The round it comes from, where it does.
        aware_of: Tensor type whose rounding it was trained for, where it was.
        trained: Whether it was trained on ``template``, so that its chat template must say the same; a model as it
            came keeps its own.
    """
    from fdd_edge.artifacts.chat_template import fitting_chat_template
    from fdd_edge.artifacts.gguf import write_float_gguf
    from fdd_edge.artifacts.vocab import open_vocab

    announce(f"exporting {FLOAT_RECIPE} ...")
    out.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, str | int] = {
        "general.name": name,
        "fdd_edge.prompt_template": template,
        "fdd_edge.recipe": FLOAT_RECIPE,
    }
    if license:
        metadata["general.license"] = license
    if base:
        metadata |= {"general.base_model.count": 1, "general.base_model.0.name": base}
    if round is not None:
        metadata["fdd_edge.round"] = round
    if aware_of is not None:
        metadata["fdd_edge.quantization_aware"] = aware_of
    chat_template = None
    if trained:
        with open_vocab(vocab) as device:
            chat_template = fitting_chat_template(device.chat_template, template, device)
    write_float_gguf(folder, vocab, out / MODEL_FILE, metadata=metadata, chat_template=chat_template)
    _write_card(out, FLOAT_RECIPE, [])


def export_quantized(float_model: Path, out: Path, recipe: GgufRecipe, *, own_imatrix: Path | None = None) -> None:
    """Quantize the float file by a recipe into the folder ``out``; its size is said, and checked, beforehand.

    Args:
        float_model: The float file.
        out: Folder of the artifact.
        recipe: How.
        own_imatrix: The importance matrix that was measured for this model, where the recipe asks for it.

    Raises:
        FddError: The disk is too small, or llama.cpp cannot write the file.
    """
    from fdd_edge.artifacts.gguf import predict_quantized, quantize_gguf

    imatrix = imatrix_for(recipe, float_model, own_imatrix)
    coming = predict_quantized(float_model, recipe.type, recipe=recipe.name, imatrix=imatrix)
    announce(f"exporting {recipe.name}: {_size(coming.bytes)}, {coming.bits_per_weight:.2f} bits a weight ...")
    check_room(out, coming.bytes)
    out.mkdir(parents=True, exist_ok=True)
    quantize_gguf(float_model, out / MODEL_FILE, recipe.type, recipe=recipe.name, imatrix=imatrix)
    _write_card(out, recipe.name, coming.fallbacks)


def export_onnx(
    folder: Path,
    vocab: Path,
    out: Path,
    recipe: OnnxRecipe,
    *,
    name: str,
    template: str,
    license: str | None,
    base: str | None = None,
    round: int | None = None,
    aware_of: str | None = None,
    trained: bool = True,
) -> None:
    """Write the ONNX artifact of a Hugging Face folder into the new folder ``out``.

    Args:
        folder: The merged student.
        vocab: Its vocabulary file.
        out: Folder of the artifact.
        recipe: How.
        name: Stored in the card beside the graph, as are the others.
        template: The prompt it was trained on, which the runner reads.
        license: Where known.
        base: What it was trained from, where it was.
        round: The round it comes from, where it does.
        aware_of: Tensor type whose rounding it was trained for, where it was.
        trained: Whether it was trained on ``template``, so that its chat template must say the same.

    Raises:
        MissingExtraError: A package of the export is not installed.
        FddError: The builder cannot build this model, or the disk is too small.
    """
    from fdd_edge.artifacts.chat_template import fitting_chat_template
    from fdd_edge.artifacts.onnx import make_graph, write_folder
    from fdd_edge.artifacts.vocab import open_vocab

    announce(f"exporting {recipe.name} ...")
    parameters = count_parameters(folder)
    check_disk(out, parameters, copies=_ONNX_COPIES[recipe.precision])
    out.parent.mkdir(parents=True, exist_ok=True)
    make_graph(folder, out, recipe)
    with open_vocab(vocab) as device:
        own = device.chat_template
        chat_template = fitting_chat_template(own, template, device) if trained else own
        stop_ids, adds_bos = device.stops, device.adds_bos
    card: dict[str, Any] = {
        "recipe": recipe.name,
        "name": name,
        "base": base,
        "license": license,
        "round": round,
        "quantization_aware": aware_of,
        "prompt_template": template,
        "adds_bos": adds_bos,
        "parameters": parameters,
    }
    write_folder(out, folder, card=card, stop_ids=stop_ids, chat_template=chat_template)
    _write_card(out, recipe.name, [])


def export_all(
    source: Source,
    out: Path,
    recipes: Sequence[Recipe],
    *,
    prompts: Sequence[Problem] = (),
    parity: bool = True,
    on_certificate: Callable[[Certificate], None] = lambda certificate: None,
) -> list[dict[str, Any]]:
    """Export a model by every recipe into ``out``, one folder a recipe, each ready to be copied to a board.

    An artifact whose certificate fails is left out; of it, only the certificate is kept, as ``RECIPE.parity.json``.

    Args:
        source: What is exported.
        out: Gets one folder a recipe.
        recipes: How.
        prompts: Of the certificates; packaged ones fill them up to 64.
        parity: Whether certificates are made.
        on_certificate: Called with each certificate, in the order of the recipes.

    Returns:
        What each artifact is.

    Raises:
        FddError: A recipe's folder is there already, or the disk is too small.
        ParityError: An artifact is not its model; the others are in their places, and the error holds their cards.
    """
    student = source.student
    _check_free(out, recipes)
    check_recipes(student, recipes)
    if source.aware_of is not None:
        warn_of_rounding(source.aware_of, recipes)
    check_disk(out, count_parameters(student.folder), copies=1 + 0.5 * len(recipes))
    out.parent.mkdir(parents=True, exist_ok=True)
    failed: list[Certificate] = []
    _tidy_after_killed(out)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-{os.getpid()}-") as temporary:
        work = Path(temporary)
        _make_files(source, work, recipes, prompts)
        record = None
        if parity:
            record = reference_of(student, prompts, template=source.template, trained=source.trained)
        out.mkdir(exist_ok=True)
        for recipe in recipes:
            made, certificate = work / recipe.name, None
            if record is not None:
                certificate = certify(find_model(made), student.folder, record, recipe, target="local")
                on_certificate(certificate)
                if not _certified(certificate, made, out / f"{recipe.name}.{CERTIFICATE_FILE}"):
                    failed.append(certificate)
                    continue
            write_bundle(made, source, certificate)
            made.rename(out / recipe.name)
    cards = [read_card(out / recipe.name) for recipe in recipes if (out / recipe.name).is_dir()]
    if failed:
        raise ParityError(failure_message(failed, str(out)), cards)
    return cards


def _tidy_after_killed(out: Path) -> None:
    """Delete what an export of the same name left behind when it was killed: a process that is no more."""
    for left in out.parent.glob(f".{escape(out.name)}-*-*"):
        pid = left.name.split("-")[-2]
        if pid.isdecimal() and not _runs(int(pid)):
            announce(f"{left} is deleted: an export that was killed has left it")
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    """Say whether there is such a process, be it another user's."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (ProcessLookupError, OverflowError):
        return False
    return True


def check_recipes(student: Student, recipes: Sequence[Recipe]) -> None:
    """Refuse recipes that a student cannot be exported by, before anything is made.

    Raises:
        FddError: It is an encoder-decoder, and one of them is int4; the fitting ones are named.
    """
    unfit = [recipe.name for recipe in recipes if isinstance(recipe, OnnxRecipe) and recipe.precision == "int4"]
    if unfit and decoder_start(student.folder) is not None:
        fitting = [name for name in names_of("onnx") if not name.startswith("onnx-int4")]
        raise FddError(f"{student.name} is an encoder-decoder, and {unfit[0]} is for decoders: {', '.join(fitting)}.")


def warn_of_rounding(aware_of: str, recipes: Sequence[Recipe]) -> None:
    """Say so where a student that is trained for the rounding of a tensor type is rounded in another way too."""
    for recipe in recipes:
        if recipe.name not in (FLOAT_RECIPE, FLOAT_ONNX) and recipe.grid != aware_of:
            announce(
                f"Warning: {recipe.name} is made of weights that were trained for the rounding of {aware_of} and lie "
                f"on its grid: expect no more of it than of gguf-{aware_of}."
            )


def _make_files(source: Source, work: Path, recipes: Sequence[Recipe], prompts: Sequence[Problem]) -> None:
    """Write every recipe's artifact, one folder each; a GGUF is quantized from the float file, which is made first."""
    student = source.student
    labels: dict[str, Any] = {
        "name": student.name,
        "template": source.template,
        "license": student.license,
        "base": source.base,
        "round": source.round,
        "aware_of": source.aware_of,
        "trained": source.trained,
    }
    if any(isinstance(recipe, GgufRecipe) for recipe in recipes):
        export_float(student.folder, student.vocab, work / FLOAT_RECIPE, **labels)
    imatrix = work / "imatrix.gguf"
    if wants_own(recipes):
        own = source.trained_on
        asked = read_problems(own.problems) if own else prompts or packaged_prompts()
        facts: dict[str, Any] = {
            "template": source.template,
            "adds_bos": student.adds_bos,
            "seed": own.seed if own else 0,
        }
        measure_imatrix(student.folder, asked, imatrix, **facts, source="the run's" if own else "the certificate's")
    for recipe in recipes:
        if isinstance(recipe, OnnxRecipe):
            export_onnx(student.folder, student.vocab, work / recipe.name, recipe, **labels)
        elif recipe.name != FLOAT_RECIPE:
            export_quantized(work / FLOAT_RECIPE / MODEL_FILE, work / recipe.name, recipe, own_imatrix=imatrix)


def _certified(certificate: Certificate, artifact: Path, alone: Path) -> bool:
    """Write a certificate into its artifact if it passed, else alone; say whether it passed."""
    if certificate.passed:
        certificate.write(artifact / CERTIFICATE_FILE)
        alone.unlink(missing_ok=True)  # of an earlier failure
    else:
        certificate.write(alone)
    return certificate.passed


def _check_free(out: Path, recipes: Sequence[Recipe]) -> None:
    """Refuse a folder that holds one of the artifacts already."""
    if out.exists() and not out.is_dir():
        raise FddError(f"{out} is a file; name a folder.")
    taken = [recipe.name for recipe in recipes if (out / recipe.name).exists()]
    if taken:
        raise FddError(f"{out / taken[0]} exists already; name another folder, or remove it.")


def read_card(artifact: Path) -> dict[str, Any]:
    """Return what an artifact folder says of its model file, and the file's path."""
    card: dict[str, Any] = json.loads((artifact / _CARD_FILE).read_text(encoding="utf-8"))
    return {"path": str(find_model(artifact))} | card


def count_parameters(folder: Path) -> int:
    """Return the number of weights of a Hugging Face folder, from the headers of its safetensors.

    Raises:
        FddError: A file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    total = 0
    file: Any
    for path in weight_files(folder):
        try:
            file = safe_open(path, framework="numpy")
        except SafetensorError as error:
            raise FddError(f"{path} is damaged or truncated: {error}.") from None
        with file:
            total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no mapping)
    return total


def check_disk(folder: Path, parameters: int, *, copies: float) -> None:
    """Refuse before work begins where the disk is too small.

    Args:
        folder: Where the output goes; it need not exist yet.
        parameters: Number of weights of the student.
        copies: How many float32 copies of them will be written.

    Raises:
        FddError: The disk has less room.
    """
    check_room(folder, round(parameters * _FLOAT_BYTES * copies))


def check_room(folder: Path, needed: int) -> None:
    """Refuse to write so many bytes into a folder, which need not exist yet, where they do not fit.

    Raises:
        FddError: The disk has less room.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise FddError(f"{folder} needs about {_size(needed)} of disk, and {_size(free)} are free; make room there.")


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _write_card(out: Path, recipe: str, fallbacks: Sequence[Fallback]) -> None:
    """Write what the model is, for readers without a reader of its family."""
    from fdd_edge.artifacts.facts import describe_model

    facts: dict[str, Any] = describe_model(find_model(out))._asdict()
    card = {"recipe": recipe} | {k: v for k, v in facts.items() if k not in ("name", "recipe", "prompt_template")}
    card["fallbacks"] = [fallback._asdict() for fallback in fallbacks]
    (out / _CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
