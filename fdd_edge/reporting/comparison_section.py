"""Several runs next to each other: how the others did, compared with the first."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.pipeline.paired_comparison import Comparison, ComparisonRow
from fdd_edge.reporting.page_parts import Part, Section, Table
from fdd_edge.reporting.private_text import shareable
from fdd_edge.reporting.shown_numbers import p_value, percent, points

__all__ = ["comparison", "verdicts"]


def verdicts(found: Comparison) -> str:
    """Say in one sentence how the others did, compared with the first."""
    return "; ".join(map(_verdict, found.overall.values())) + "."


def _verdict(row: ComparisonRow) -> str:
    interval = f"{' to '.join(points(end) for end in row.difference.ci95)} points"
    return f"{row.letter} is {row.verdict} on {row.dataset} ({interval}, {row.difference.n:,} problems)"


def comparison(found: Comparison) -> Section:
    """Return the section that compares the runs on the same problems."""
    rows = [
        (
            row.dataset,
            row.letter,
            f"{row.difference.n:,}",
            percent(row.difference.first),
            percent(row.difference.second),
            points(row.difference.change),
            " to ".join(points(end) for end in row.difference.ci95),
            f"+{row.difference.gained} \u2212{row.difference.lost}",
            p_value(row.difference.p),
            p_value(row.p_holm),
        )
        for row in found.rows
    ]
    heads = ("set", "with", "problems", "A", "other", "points", "95 % interval", "flips", "p", "Holm")
    caption = (
        "The judge’s artifact of each best round, on the problems that both were asked. Flips: problems that only the "
        "other one solves (+), or only A (\u2212); p: McNemar’s exact test; Holm: adjusted for their number."
    )
    who = Table(
        ("", "run", "artifact"), [(one.letter, Path(one.path).name, one.artifact) for one in found.contestants], texts=3
    )
    differing = [
        (key, *(_brief(key, values.get(one.letter)) for one in found.contestants))
        for key, values in found.configs.items()
    ]
    heads_of = ("config", *(one.letter for one in found.contestants))
    parts: list[Part] = [who, Table(heads, rows, caption, texts=2)]
    if differing:
        parts.append(Table(heads_of, differing, "Where the configs differ.", texts=len(heads_of)))
    return Section("comparison", "Compared on the same problems", verdicts(found), parts)


def _brief(key: str, value: object) -> str:
    text = "not set" if value is None else str(shareable(value, key=key))
    return text if len(text) <= 60 else f"{text[:57]}…"
