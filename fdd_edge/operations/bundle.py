"""Turns an exported file into a folder that can be copied to a board and used there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from fdd_edge import catalog
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.family import family_of
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.parity import Certificate
from fdd_edge.resolve.model import MeasuredSet
from fdd_edge.targets import RUNTIME_VERSIONS
from fdd_edge.targets.runner_archive import pack_runner

__all__ = ["PROMPT_FILE", "README_FILE", "RUNNER_FILE", "write_bundle"]

PROMPT_FILE, RUNNER_FILE, README_FILE = "prompt.txt", "runner.pyz", "README.md"

_TRAINED = """\
A small math model with everything needed to run it. It answers a word problem with a short program, whose result is
the answer."""
_UNTRAINED = """\
A language model with everything needed to run it. It is asked for a short program that solves a word problem, but was
not trained to write one, so many replies will not be valid programs."""


def write_bundle(
    folder: Path, labels: ArtifactLabels, certificate: Certificate | None, *, measured: Sequence[MeasuredSet] = ()
) -> None:
    """Put the prompt, the runner and a README next to a model file.

    Args:
        folder: Holds the model file.
        labels: What the file says about its model.
        certificate: The certificate of the file, or None.
        measured: What the file was measured to solve.
    """
    model = find_model(folder)
    facts, family = describe_model(model), family_of(model)
    (folder / PROMPT_FILE).write_text(labels.prompt_template, encoding="utf-8")
    (folder / RUNNER_FILE).write_bytes(pack_runner())  # not the one in the cache, which others may have written
    base = labels.base or labels.name
    text = Template((catalog.shelf_path("bundle") / README_FILE).read_text(encoding="utf-8")).substitute(
        title=f"{base}, {facts.recipe}",
        model=model.name,
        size=f"{facts.bytes / 1e6:.1f} MB",
        bits=f"{facts.bits_per_weight:.2f}",
        types=", ".join(f"{n} {kind}" for kind, n in facts.types.items()),
        parameters=_count(facts.parameters),
        about=_TRAINED if labels.base else _UNTRAINED,
        users="the runner and the file's chat template use" if labels.trained else "the runner uses",
        aware=f", trained for {labels.quantization_aware.upper()} rounding" if labels.quantization_aware else "",
        made="distilled from" if labels.base else "exported from",
        base=base,
        license=labels.license or "unknown; ask the authors of the base model",
        round=f", round {labels.round}" if labels.round is not None else "",
        measured=_measured(measured),
        parity=_parity(certificate),
        prompt="".join(f"    {line}\n" for line in labels.prompt_template.splitlines()),
        compiled=family.install_note,
        runtime=" ".join(f"{name}=={RUNTIME_VERSIONS[name]}" for name in family.device.packages),
    )
    (folder / README_FILE).write_text(text, encoding="utf-8")


def _count(parameters: int) -> str:
    return f"{parameters / 1e6:.0f} million" if parameters >= 1e6 else f"{parameters / 1e3:.0f} thousand"


def _measured(rows: Sequence[MeasuredSet]) -> str:
    """Return a table of what the file solved, or the command that measures it."""
    if not rows:
        return "This file has not been evaluated yet; use `fdd-edge eval`."
    lines = ["| problems | target | solved | | 95 % interval |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row.ci95
        share = f"{100 * row.correct / row.n:.1f} %"
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        lines.append(f"| {row.dataset} | {row.target} | {row.correct} of {row.n} | {share} | {interval} |")
    return "\n".join(lines)


def _parity(certificate: Certificate | None) -> str:
    if certificate is None:
        return "No certificate was made, so this file has not been compared with the model it was made from."
    n = certificate.prompts["answered"]
    summaries = {item.name: item.summary for item in certificate.items}
    return (
        f"Over {n} prompts, its prompt bytes, ids, vocabulary and chat template are exactly those of the float model, "
        "and its weights, logits and most likely tokens are within the bounds of its recipe. "
        f"Stops: {summaries['stops']}. Answers: {summaries['answers']}."
    )
