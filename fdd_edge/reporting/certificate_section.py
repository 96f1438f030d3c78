"""Whether the exported files match their float models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fdd_edge.parity import Certificate, was_checked_here
from fdd_edge.reporting.page_parts import Section, Table
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import SHORT_HASH, counted, share
from fdd_edge.runs.fingerprint import Json

__all__ = ["certificates"]


def certificates(run: RunFacts) -> Section:
    """Return the section of the certificates, with those of the student before training."""
    named = [
        *((f"untuned {name}", "–", one) for name, one in run.untuned_certificates.items()),
        *((name, str(facts.number), one) for facts in run.rounds for name, one in facts.certificates.items()),
    ]
    title = "Certificates"
    if not named:
        return Section(
            "certificates", title, "The exported files were not compared with their float models (--no-parity)."
        )
    elsewhere = [name for name, _, one in named if one.passed and not was_checked_here(one)]
    finding = (
        f"{counted(len(named), 'file was', 'files were')} compared with {'its' if len(named) == 1 else 'their'} float "
    )
    finding += "model, item by item: "
    finding += _failures(run, named) or "all passed."
    if elsewhere:
        which = f"{len(elsewhere)} of these certificates" if len(elsewhere) < len(named) else "These certificates"
        finding += f" {which} were not made on this machine: what they say is claimed, not checked here."
    heads = ("artifact", "round", "result", "logit error", "KL", "same tokens", "same answers", "sha256 of the file")
    rows = [
        (name, number, _result(one), *_items(one), str(one.artifact.get("sha256", "–"))[:SHORT_HASH])
        for name, number, one in named
    ]
    caption = (
        "A file compared with the float model that it was made from: median relative error of the logits, mean KL "
        "divergence, greedy tokens and answers that are the same, with their 95 % intervals."
    )
    return Section("certificates", title, finding, [Table(heads, rows, caption, texts=3)])


def _failures(run: RunFacts, named: Sequence[tuple[str, str, Certificate]]) -> str:
    """Say which files failed, and whether there are figures of them; empty if all passed."""
    failed = [(name, number) for name, number, one in named if not one.passed]
    if not failed:
        return ""
    said = f"{', '.join(map(_in_round, failed))} failed"
    counted_in = {(f"untuned {one.recipe}", "–") for one in run.rounds[-1].summary.untuned}
    counted_in |= {(one.recipe, str(facts.number)) for facts in run.rounds for one in facts.summary.evaluations}
    nevertheless = [one for one in failed if one in counted_in]
    if not nevertheless:
        return f"{said}; this report has no figures of {'it' if len(failed) == 1 else 'them'}."
    which = (
        ", ".join(map(_in_round, nevertheless))
        if len(nevertheless) < len(failed)
        else "its"
        if len(failed) == 1
        else "their"
    )
    figures = f"the figures of {which}" if len(nevertheless) < len(failed) else f"{which} figures"
    return f"{said}; {figures} are shown above anyway; do not rely on them."


def _in_round(artifact: tuple[str, str]) -> str:
    name, number = artifact
    return name if number == "–" else f"{name} of round {number}"


def _result(certificate: Certificate) -> str:
    if certificate.passed:
        return "passed"
    return f"failed: {', '.join(item.name for item in certificate.failed) or 'incomplete'}"


def _items(certificate: Certificate) -> tuple[str, ...]:
    """Return logit error, divergence, and the shares of tokens and answers that are the same."""
    figures = {item.name: item.figures for item in certificate.items}
    logits = figures.get("logits", {})
    numbers = (_inside(logits, "relative_error", "median"), _inside(logits, "kl", "mean"))
    same = (_agreement(figures.get(name, {})) for name in ("greedy_tokens", "answers"))
    return *("–" if number is None else f"{number:.2g}" for number in numbers), *same


def _inside(figures: Mapping[str, Json], key: str, name: str) -> float | None:
    inner = figures.get(key)
    number = inner.get(name) if isinstance(inner, Mapping) else None
    return number if isinstance(number, int | float) else None


def _agreement(figures: Mapping[str, Json]) -> str:
    part, ends = figures.get("share"), figures.get("ci95")
    numbers = [end for end in ends if isinstance(end, int | float)] if isinstance(ends, list) else []
    return share(part, numbers) if isinstance(part, int | float) and len(numbers) == 2 else "–"
