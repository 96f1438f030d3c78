"""How good the artifacts are: the share of every set that each solves, by round."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.reporting.page_parts import Charts, Drawing, Section, Table
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import percent, points, share, span
from fdd_edge.reporting.svg_axes import COLOURS
from fdd_edge.reporting.svg_charts import Series, Share, whiskers
from fdd_edge.runs.stage_files import VALID

__all__ = ["accuracy", "artifact_name"]


def artifact_name(recipe: str, target: str) -> str:
    """Return what an artifact is called: its recipe, and the target unless it is this machine."""
    return recipe if target == "local" else f"{recipe} on {target}"


def accuracy(run: RunFacts) -> Section:
    """Return the section of all shares, with a chart for each set."""
    columns = _columns(run)
    drawings = [_accuracy_chart(run, columns, dataset) for dataset in run.sets]
    rows = [
        (
            figures.dataset,
            name,
            artifact_name(figures.recipe, figures.target),
            f"{figures.correct:,} of {figures.n:,}",
            percent(figures.correct / figures.n),
            span(figures.ci95),
            "" if figures.change is None else points(figures.change),
            f"{figures.no_answer:,}",
        )
        for dataset in run.sets
        for name, evaluations in columns
        for figures in evaluations
        if figures.dataset == dataset
    ]
    heads = ("set", "round", "artifact", "solved", "share", "95 % interval", "change", "no answer")
    caption = (
        "Share of problems solved. The interval is Wilson’s, over different problems; change is in points, on the same "
        "problems as in the round before; no answer counts replies without a number."
    )
    chosen = f" {VALID} chose the best round, so the figure on {VALID} flatters it." if VALID in run.sets else ""
    return Section(
        "accuracy",
        "Accuracy by round",
        _course(run, run.sets[0]) + chosen,
        [Charts(drawings), Table(heads, rows, caption, texts=3)],
    )


def _columns(run: RunFacts) -> list[tuple[str, Sequence[EvaluationFigures]]]:
    """Return the evaluations of the untuned student, if there are any, and of each round."""
    untuned = run.rounds[-1].summary.untuned
    rounds = [(f"round {one.number}", one.summary.evaluations) for one in run.rounds]
    return [*([("untuned", untuned)] if untuned else []), *rounds]


def _course(run: RunFacts, dataset: str) -> str:
    """Say how the share of the judge's artifact went on a set."""
    found = [(name, run.figures(evaluations, dataset)) for name, evaluations in _columns(run)]
    known = [(name, figures) for name, figures in found if figures is not None]
    if len(known) == 1:
        name, figures = known[0]
        return f"{_judge(run)} solves {share(figures.correct / figures.n, figures.ci95)} of {dataset} in {name}."
    *steps, last = (
        f"{percent(figures.correct / figures.n)} {'before training' if name == 'untuned' else f'in {name}'}"
        for name, figures in (known if len(known) <= 5 else [known[0], known[-1]])
    )
    return f"Of {dataset}, {_judge(run)} solves {', '.join(steps)} and {last}."


def _judge(run: RunFacts) -> str:
    return artifact_name(run.judge, run.target)


def _accuracy_chart(run: RunFacts, columns: Sequence[tuple[str, Sequence[EvaluationFigures]]], dataset: str) -> Drawing:
    """Draw the shares of a set; the judge's artifact comes first."""
    kinds = dict.fromkeys((one.recipe, one.target) for _, evaluations in columns for one in evaluations)
    ordered = sorted(kinds, key=lambda kind: kind != (run.judge, run.target))[:COLOURS]
    series = [
        Series(artifact_name(*kind), [_share_of(evaluations, dataset, kind) for _, evaluations in columns])
        for kind in ordered
    ]
    series = [one for one in series if any(one.shares)]
    said = "; ".join(
        f"{one.name}: "
        + ", ".join(
            f"{name} {share(found.part, found[1:])}"
            for (name, _), found in zip(columns, one.shares, strict=True)
            if found is not None
        )
        for one in series
    )
    left = len(kinds) - COLOURS
    caption = f"{dataset}: {_last_change(run, dataset)}" + (f" The other {left} are in the table." if left > 0 else "")
    drawn = whiskers(
        [name for name, _ in columns],
        series,
        f"Share of {dataset} solved, by round.",
        said,
        apart=columns[0][0] == "untuned",
    )
    return Drawing(caption, said, drawn, [one.name for one in series] if len(series) > 1 else ())


def _share_of(evaluations: Sequence[EvaluationFigures], dataset: str, kind: tuple[str, str]) -> Share | None:
    found = (one for one in evaluations if (one.dataset, (one.recipe, one.target)) == (dataset, kind))
    return next((Share(one.correct / one.n, *one.ci95) for one in found), None)


def _last_change(run: RunFacts, dataset: str) -> str:
    """Say in a few words how the judge's artifact ends on a set."""
    shown = run.figures(run.shown.summary.evaluations, dataset)
    if shown is None:
        return "the judge’s artifact was not evaluated on it."
    first = run.figures(_columns(run)[0][1], dataset)
    now = f"{percent(shown.correct / shown.n)} in round {run.shown.number}"
    if first is None or first is shown:
        return f"{now}."
    named = "before training" if _columns(run)[0][0] == "untuned" else f"in {_columns(run)[0][0]}"
    return f"{now}, {percent(first.correct / first.n)} {named}."
