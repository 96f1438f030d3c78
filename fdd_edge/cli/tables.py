"""Tables on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from fdd_edge.feedback import Side
from fdd_edge.operations.bench import Measurement
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.round_summary import EvaluationFigures, LabelledFigures, RoundSummary

__all__ = ["print_artifacts", "print_certificate", "print_evaluation", "print_measurement", "print_round"]

_PARITY = {
    "passed": "its certificate passed",
    "failed": "its certificate FAILED: it is not the model it was made from",
    "none": "no certificate; make one with: fdd-edge parity",
}

_COSTS = "seconds to load and to a reply's first token, tokens/s one reply at a time and 16 together, peak memory"
_EMULATED = "; *: of the emulator, not of the board"

_WIDTH = 80
"""Of tables in files and pipes, where there is no terminal to ask."""


def print_round(summary: RoundSummary) -> None:
    """Print what happened in a round, within 80 columns."""
    table = Table(title=f"Round {summary.round}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("set", "artifact"):
        table.add_column(column, overflow="fold")
    for column in ("solved", "share", "95 %", "none", "per s"):
        table.add_column(column, justify="right", no_wrap=True)
    last = None
    for figures in _by_set(summary.untuned, summary.evaluations):
        if last not in (None, figures.dataset):
            table.add_section()
        table.add_row(figures.dataset if figures.dataset != last else "", *_cells(figures, figures in summary.untuned))
        last = figures.dataset
    _print("", table, *([_costs(summary.measured)] if summary.measured else []))
    for name, text in _lines(summary):
        _print(f"{name:<9} {text}")
    _print("")


def _print(*things: str | Table) -> None:
    """Print as wide as the terminal; as wide as a terminal is at least where there is none; no blanks at line ends."""
    out = Console()
    if not out.is_terminal:
        out = Console(width=_WIDTH, color_system=None)
    with out.capture() as captured:
        for thing in things:
            out.print(thing, highlight=False, soft_wrap=isinstance(thing, str))
    click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)


def _by_set(untuned: Sequence[EvaluationFigures], tuned: Sequence[EvaluationFigures]) -> list[EvaluationFigures]:
    """Order by set, the untuned student first."""
    names = list(dict.fromkeys(f.dataset for f in tuned))
    return sorted([*untuned, *tuned], key=lambda f: names.index(f.dataset))


def _cells(figures: EvaluationFigures, untuned: bool) -> list[str]:
    low, high = figures.ci95
    speed = "-" if figures.problems_per_second is None else f"{figures.problems_per_second:.1f}"
    return [
        ("untuned " if untuned else "") + _artifact(figures),
        f"{figures.correct}/{figures.n}",
        f"{100 * figures.correct / figures.n:.1f} %",
        f"{100 * low:.1f}-{100 * high:.1f}",
        str(figures.no_answer),
        speed + ("*" if figures.emulated else ""),
    ]


def _artifact(figures: EvaluationFigures) -> str:
    """Return the recipe, and the target where it is not this machine."""
    return figures.recipe if figures.target == "local" else f"{figures.recipe} on {figures.target}"


def _costs(measured: Sequence[Measurement]) -> Table:
    """Return what every artifact costs on every target."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("artifact", overflow="fold")
    for column in ("MB", "loads, s", "first, s", "tokens/s", "together", "peak MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for m in measured:
        mark = "*" if m.emulated else ""
        table.add_row(
            f"{m.recipe}" if m.target == "local" else f"{m.recipe} on {m.target}",
            f"{m.bytes / 1e6:.1f}",
            f"{m.load_seconds:.2f}{mark}",
            f"{m.first_token_seconds:.3f}{mark}",
            _speed(m.decode_tokens_per_second) + mark,
            _speed(m.batch_tokens_per_second),
            f"{m.peak_rss_bytes / 1e6:.0f}{mark}",
        )
    return table


def _speed(tokens: float | None) -> str:
    return "-" if tokens is None else f"{tokens:.0f}" if tokens >= 10 else f"{tokens:.1f}"


def print_measurement(measured: Measurement) -> None:
    """Print what one file costs on one target."""
    m, device = measured, measured.device
    rows = [
        ("file", f"{m.bytes / 1e6:.1f} MB, {m.recipe or 'no recipe of ours'}"),
        ("loads in", f"{m.load_seconds:.2f} s"),
        ("first token", f"after {1000 * m.first_token_seconds:.0f} ms"),
        ("prompts", _shown(m.prompt_tokens_per_second, "{:.1f} tokens/s")),
        ("replies", _shown(m.decode_tokens_per_second, "{:.1f} tokens/s, one at a time")),
    ]
    if m.batch_tokens_per_second is not None:
        together = f"{_speed(m.batch_tokens_per_second)} tokens/s, {m.sequences} together, prompts included"
        rows.append(("", together))
    rows += [
        ("memory", f"{m.peak_rss_bytes / 1e6:.0f} MB at its peak"),
        ("energy", _shown(m.joules_per_token, "{:.2f} J a token")),
        ("temperature", _shown(m.temperature_c, "{:.0f} C at its hottest")),
        ("clock", _shown(m.clock_mhz, "{:.0f} MHz at its slowest")),
        ("throttled", "not measured" if m.throttled is None else _THROTTLED[m.throttled]),
        ("target", f"{m.target}: {device['cpu']}, {m.threads} {'thread' if m.threads == 1 else 'threads'}"),
        *([("board", device["board"])] if device["board"] else []),
        ("features", " ".join(device["cpu_features"])),
        ("runtime", f"{device['runtime']} {device['runtime_version']}, Python {device['python']}"),
        ("build", device["system_info"].strip(" |")),
        *(("over budget", sentence) for sentence in m.broken_budgets),
    ]
    if m.emulated:
        rows.append(("emulated", "times and memory are those of the emulator, not of the board"))
    for name, text in rows:
        _print(f"{name:<12} {text}")


_THROTTLED = {True: "yes: these speeds are not what the board can do", False: "no"}


def _shown(value: float | None, form: str) -> str:
    return "not measured" if value is None else form.format(value)


def _lines(summary: RoundSummary) -> list[tuple[str, str]]:
    """Return the lines below the table: data, loss, parity, split, offspring."""
    total = sum(summary.data.values())
    rejected = f"; rejected {_counts(summary.rejected)}" if summary.rejected else ""
    loss = "-" if summary.loss is None else f"{summary.loss[0]:.3f} to {summary.loss[1]:.3f}"
    loss += "" if summary.valid_loss is None else f", {summary.valid_loss:.3f} on valid"
    loss += f"; left out {summary.too_long} longer than training.max_length" if summary.too_long else ""
    waiting = f"; {summary.reserve} more wait to be labelled first" if summary.reserve else ""
    evolved = f"{_counts(summary.evolved) or 'none'}; let in {_counts(summary.accepted) or 'none'}"
    untuned = f"the student before training, with {summary.shots} worked examples in its prompt"
    emulated = any(e.emulated for e in summary.evaluations)
    without = {name: side for name, side in summary.without.items() if side.without_offspring}
    return [
        (
            "columns",
            "share solved with its 95 % interval; none: replies without a number; problems per s",
        ),
        *([("files", _COSTS + (_EMULATED if emulated else ""))] if summary.measured else []),
        ("data", f"{total} problems: {_counts(summary.data)}{waiting}{rejected}"),
        ("training", f"loss {loss}"),
        ("parity", _parity(summary.parity)),
        ("split", _counts(summary.split)),
        ("labelled", _labelled(summary.labelled)),
        ("evolved", evolved),
        *[("", f"{name}: {_without(side)}") for name, side in without.items()],
        ("gates", "; ".join(summary.held_back) or "kept: the best round so far"),
        *([("untuned", untuned)] if summary.untuned else []),
    ]


def _labelled(figures: LabelledFigures) -> str:
    """Say how much of the labelled problems is solved beside valid, and what to do where they part beyond chance."""
    kind = "never trained on" if figures.fresh else "trained on"
    text = f"{figures.pass_rate:.1%} of {figures.n} {kind} solved"
    if figures.seed_pass_rate is not None and figures.seeds < figures.n:
        text += f" ({figures.seed_pass_rate:.1%} of its {figures.seeds} seed problems)"
    text += f", {figures.valid:.1%} of valid"
    low, high = figures.gap or (0.0, 0.0)
    if low <= 0 <= high:
        return text
    text += f"; the gap is more than chance ({100 * low:+.1f} to {100 * high:+.1f} points)"
    if low > 0 and not figures.fresh:
        text += ": feedback.pool: fresh would label problems before they are trained on"
    return text


def _without(side: Side) -> str:
    """Say what share of the easy, or of the hard problems has no offspring, and why."""
    share = side.without_offspring / side.parents
    return f"{side.without_offspring} of {side.parents} without offspring ({share:.0%}: {_counts(side.reasons)})"


def _parity(parity: Mapping[str, Sequence[str]]) -> str:
    """Return which artifacts have passed their certificates; of those that have not, the items that failed."""
    if not parity:
        return "no certificates were made (--no-parity)"
    failed = {name: [line.split(":", 1)[0] for line in lines] for name, lines in parity.items() if lines}
    named = [f"{name} FAILED ({', '.join(items)}), left out" for name, items in failed.items()]
    passed = [name for name in parity if name not in failed]
    return "; ".join([*named, f"{', '.join(passed)} passed"] if passed else named)


def print_certificate(certificate: Certificate) -> None:
    """Print a certificate, one line an item."""
    n = certificate.prompts["answered"]
    verdict = "passed" if certificate.passed else "FAILED"
    _print(f"{certificate.artifact['recipe']} against {certificate.reference['name']}, {n} prompts: {verdict}")
    for item in certificate.items:
        mark = "ok" if item.passed else "FAILED"
        text = item.summary if item.passed else item.failure_message.split(": ", 1)[1]
        _print(f"  {mark:<6} {item.name:<13} {text}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def print_artifacts(cards: Sequence[Mapping[str, Any]]) -> None:
    """Print what an export made."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("recipe", "MB", "bits a weight", "matrices"):
        table.add_column(column, justify="right" if column in ("MB", "bits a weight") else "left", overflow="fold")
    for card in cards:
        types = ", ".join(f"{n} {kind}" for kind, n in card["types"].items())
        table.add_row(card["recipe"], f"{card['bytes'] / 1e6:.1f}", f"{card['bits_per_weight']:.2f}", types)
    # A path is copied from here, and a table would break it.
    _print(table, *(str(card["path"]) for card in cards))
    for card in cards:
        for sentence in _fallbacks(card["fallbacks"]):
            _print(f"{card['recipe']}: {sentence}")


def _fallbacks(fallbacks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for every width of rows that could not have the type asked for."""
    sentences = []
    for row, block in dict.fromkeys((f["row"], f["block"]) for f in fallbacks):
        own = [f for f in fallbacks if (f["row"], f["block"]) == (row, block)]
        n = sum(f["matrices"] for f in own)
        types = ", ".join(dict.fromkeys(f["got"] for f in own))
        matrices = "1 matrix" if n == 1 else f"{n} matrices"
        sentences.append(f"{matrices} fell back to {types} because rows of {row} do not divide by {block}")
    return sentences


def print_evaluation(report: Mapping[str, Any]) -> None:
    """Print one evaluation as a person reads it."""
    low, high = report["ci95"]
    artifact, target = report["artifact"], report["target"] or {}
    verdicts = ", ".join(f"{n} {name}" for name, n in report["verdicts"].items() if n)
    speed = report["problems_per_second"]
    emulated = "; of the emulator, not of the board" if target.get("emulated") else ""
    rows = [
        ("solved", f"{report['correct']} of {report['n']}: {100 * report['accuracy']:.1f} %"),
        ("95 %", f"{100 * low:.1f} to {100 * high:.1f} %"),
        (
            "verdicts",
            verdicts + _skipped(report["skipped"]),
        ),
        (
            "speed",
            "not measured: several runners shared it, and a part was done before"
            if speed is None
            else f"{speed:.2f} problems/s, {report['tokens_per_second']:.0f} tokens/s{emulated}",
        ),
        ("memory", f"{report['peak_rss_mb']:.0f} MB at its peak{emulated}"),
        ("file", f"{artifact['path']}, {artifact['bytes'] / 1e6:.1f} MB, {artifact['recipe'] or 'no recipe of ours'}"),
        ("parity", _PARITY[report["parity"]]),
        (
            "target",
            " ".join(str(target.get(key, "-")) for key in ("name", "cpu", "runtime", "runtime_version")),
        ),
    ]
    for name, text in rows:
        _print(f"{name:<9} {text}")


def _skipped(items: Sequence[Mapping[str, str]]) -> str:
    """Return how many items have no numeric answer, and which."""
    if not items:
        return ""
    named = ", ".join(item["item"] for item in items[:3]) + (", ..." if len(items) > 3 else "")
    return f"; {len(items)} items without a numeric answer skipped: {named}"
