"""What makes of an exported file a folder that a stranger can copy to a board and use."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from string import Template

from fdd_edge import catalog
from fdd_edge.artifacts.facts import describe_model
from fdd_edge.ondevice.model_files import family_of, is_onnx
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.round_summary import EvaluationFigures, evaluation_figures
from fdd_edge.resolve.model import Source
from fdd_edge.runs.layout import NON_EASY, POOL, RoundLayout, find_model
from fdd_edge.targets import RUNTIME, packages_for, runner_archive

__all__ = ["PROMPT_FILE", "README_FILE", "RUNNER_FILE", "write_bundle"]

PROMPT_FILE, RUNNER_FILE, README_FILE = "prompt.txt", "runner.pyz", "README.md"

_TRAINED = """\
A small math model in one file, with all it takes to ask it. It answers a word problem with a short program; running
the program gives the answer."""
_UNTRAINED = """\
A language model in one file, with all it takes to ask it. It is asked for a short program that solves a word problem,
and was not trained here to write one: whatever it writes is read as such a program."""


_COMPILED = (
    " pip compiles llama.cpp on the device, which needs a compiler and, on a small board, 10 to 40 minutes; from "
    "another computer, `fdd-edge targets setup` brings the build that was measured instead."
)


def write_bundle(folder: Path, source: Source, certificate: Certificate | None) -> None:
    """Put prompt, runner and README beside a model file.

    Args:
        folder: Holds the model file.
        source: What it was exported from.
        certificate: That of the file; None where none was made.
    """
    model = find_model(folder)
    facts = describe_model(model)
    (folder / PROMPT_FILE).write_text(source.template, encoding="utf-8")
    shutil.copyfile(runner_archive(), folder / RUNNER_FILE)
    base = source.base or source.student.name
    text = Template((catalog.shelf_path("bundle") / README_FILE).read_text(encoding="utf-8")).substitute(
        title=f"{base}, {facts.recipe}",
        model=model.name,
        size=f"{facts.bytes / 1e6:.1f} MB",
        bits=f"{facts.bits_per_weight:.2f}",
        types=", ".join(f"{n} {kind}" for kind, n in facts.types.items()),
        parameters=f"{facts.parameters / 1e6:.0f} million",
        about=_TRAINED if source.base else _UNTRAINED,
        users="the runner and the file's chat template use" if source.trained else "the runner uses",
        aware=f", for the rounding of {source.aware_of}" if source.aware_of else "",
        made="distilled from" if source.base else "exported from",
        base=base,
        license=source.student.license or "unknown: ask whoever made the base",
        round=f", round {source.round}" if source.round is not None else "",
        measured=_measured(source.place, str(facts.recipe)),
        parity=_parity(certificate),
        prompt="".join(f"    {line}\n" for line in source.template.splitlines()),
        compiled="" if is_onnx(model) else _COMPILED,
        runtime=" ".join(f"{name}=={RUNTIME[name]}" for name in packages_for(family_of(model))),
    )
    (folder / README_FILE).write_text(text, encoding="utf-8")


def _measured(place: RoundLayout | None, recipe: str) -> str:
    """Return the table of what a round's file solved, or that nothing is known."""
    rows = [] if place is None else _figures(place, recipe)
    if not rows:
        return "Nothing was measured on this file; `fdd-edge eval` does."
    lines = ["| problems | target | solved | | 95 % |", "|---|---|---|---|---|"]
    for row in rows:
        low, high = row.ci95
        share = f"{100 * row.correct / row.n:.1f} %"
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        lines.append(f"| {row.dataset} | {row.target} | {row.correct} of {row.n} | {share} | {interval} |")
    return "\n".join(lines)


def _figures(place: RoundLayout, recipe: str) -> Sequence[EvaluationFigures]:
    found = sorted(place.root.glob(f"eval/*/{recipe}/*/summary.json"))
    named = [(path.parts[-4], path.parts[-2]) for path in found]
    # The pool was trained on, and what is not easy is chosen for being failed: neither says what the file can do.
    return [evaluation_figures(place, target, recipe, name) for target, name in named if name not in (POOL, NON_EASY)]


def _parity(certificate: Certificate | None) -> str:
    if certificate is None:
        return "None was made, so nobody has compared this file with the model it was made from."
    n = certificate.prompts["answered"]
    said = {item.name: item.summary for item in certificate.items}
    return (
        f"Over {n} prompts its prompt bytes, ids, vocabulary and chat template are exactly those of the float model, "
        "and its weights, logits and likeliest tokens are within the bounds of its recipe. "
        f"Stops: {said['stops']}. Answers: {said['answers']}."
    )
