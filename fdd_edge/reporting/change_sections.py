"""What rounds gained and lost on the same problems, and whether targets agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from fdd_edge.reporting.accuracy_section import artifact_name
from fdd_edge.reporting.page_parts import Charts, Drawing, Section, Table
from fdd_edge.reporting.round_changes import RoundChange, TargetDifference, round_changes, target_differences
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import counted, p_value, percent, points, span
from fdd_edge.reporting.svg_charts import Flip, flips

__all__ = ["changes", "targets"]

_CLEAR = 0.05
"""A p value below this is called a change."""


def changes(run: RunFacts) -> Section:
    """Return the section of what rounds gained and lost on the same problems."""
    found = round_changes(run)
    if not found:
        reason = "There is one round, and the student before training was not evaluated: nothing to compare."
        return Section("changes", "Gained and lost", reason)
    rows = [
        (
            change.dataset,
            f"{change.before} → {change.after}",
            f"{change.difference.n:,}",
            f"+{change.difference.gained}",
            f"\u2212{change.difference.lost}",
            points(change.difference.change),
            " to ".join(points(end) for end in change.difference.ci95),
            p_value(change.difference.p),
            p_value(change.p_holm),
        )
        for change in found
    ]
    heads = ("set", "rounds", "problems", "gained", "lost", "points", "95 % interval", "p", "Holm")
    caption = (
        f"{artifact_name(run.judge, run.target)} on the same problems, with the interval of the paired difference. p "
        "is McNemar’s exact test that gains and losses are equally likely; Holm adjusts it for the "
        f"{counted(len(found), 'comparison')} listed here."
    )
    charts = [_flip_chart(name, list(group)) for name, group in groupby(_by_set(found), lambda change: change.dataset)]
    return Section(
        "changes", "Gained and lost", _clear_changes(found), [Charts(charts), Table(heads, rows, caption, texts=2)]
    )


def _by_set(found: Sequence[RoundChange]) -> list[RoundChange]:
    names = list(dict.fromkeys(change.dataset for change in found))
    return sorted(found, key=lambda change: names.index(change.dataset))


def _flip_chart(dataset: str, found: Sequence[RoundChange]) -> Drawing:
    rows = [
        Flip(
            f"{change.before} → {change.after}",
            change.difference.lost,
            change.difference.gained,
            f"p {p_value(change.difference.p)}".replace("p 0", "p = 0").replace("p 1", "p = 1"),
        )
        for change in found
    ]
    said = "; ".join(f"{row.name}: {row.gained} gained, {row.lost} lost, {row.note}" for row in rows)
    last = found[-1]
    caption = f"{dataset}: {last.after} solves {last.difference.gained} that {last.before} did not"
    caption += f", and no longer solves {last.difference.lost}."
    return Drawing(caption, said, flips(rows, f"Problems of {dataset} gained and lost between rounds.", said))


def _clear_changes(found: Sequence[RoundChange]) -> str:
    """Say which changes are more than chance."""
    clear = [change for change in found if change.p_holm < _CLEAR]
    if not clear:
        return f"No change is larger than chance explains (Holm’s p is {_CLEAR} or more for every one)."
    said = "; ".join(
        f"{change.before} → {change.after} on {change.dataset} ({points(change.difference.change)} points)"
        for change in clear[:4]
    )
    rest = f", and {len(clear) - 4} more" if len(clear) > 4 else ""
    others = "" if len(clear) == len(found) else " The rest may be chance."
    return f"More than chance: {said}{rest}.{others}"


def targets(run: RunFacts) -> Section | None:
    """Return the section of how often targets disagree; None with a single target."""
    if len(run.targets) < 2:
        return None
    found = target_differences(run)
    if not found:
        reason = f"Only {run.target} answered with {run.judge}, so there is nothing to compare."
        return Section("targets", "Do the targets agree?", reason)
    rows = [
        (one.dataset, one.target, f"{one.n:,}", f"{one.flipped:,}", percent(one.flipped / one.n), span(one.ci95))
        for one in found
    ]
    caption = (
        f"Problems that {run.judge} of round {run.shown.number} solves on one of both targets only. Rounds label their "
        f"problems by what it solves on {run.target}."
    )
    heads = ("set", f"compared with {run.target}", "problems", "only one solves", "share", "95 % interval")
    return Section(
        "targets",
        "Do the targets agree?",
        f"Whether a problem is solved differs {', '.join(_agreement(run, found))}.",
        [Table(heads, rows, caption, 2)],
    )


def _agreement(run: RunFacts, found: Sequence[TargetDifference]) -> Iterator[str]:
    for target, group in groupby(found, lambda one: one.target):
        own = list(group)
        flipped, n = sum(one.flipped for one in own), sum(one.n for one in own)
        of_all = f"{flipped:,} of {counted(n, 'problem')} ({percent(flipped / n)})"
        yield f"between {run.target} and {target} for {of_all}"
