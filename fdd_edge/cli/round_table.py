"""The table of a round: accuracy by set and artifact, cost, and what happened to the problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from fdd_edge.cli.console import print_labelled, print_lines
from fdd_edge.cli.rich_table import Name, empty_table, print_table
from fdd_edge.evaluation import CutReplies
from fdd_edge.feedback import Side
from fdd_edge.operations.bench import Measurement
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.operations.operation_counts import OperationFigures
from fdd_edge.pipeline.round_summary import UNTUNED, LabelledFigures, RoundSummary
from fdd_edge.runs.stage_files import POOL

__all__ = ["print_before_and_after", "print_legend", "print_round"]

_LABEL_WIDTH = 12

_Cell = str | Text


def print_round(summary: RoundSummary, *, claimed: Collection[str] = ()) -> None:
    """Print what happened in a round.

    Args:
        summary: The round.
        claimed: Artifacts whose certificates were not made on this machine.
    """
    print_lines("")
    print_table(_accuracies(summary))
    if summary.measured:
        print_lines("")
        print_table(_costs(summary.measured))
    print_lines("")
    print_labelled(_lines(summary, claimed), width=_LABEL_WIDTH)
    print_lines("")


def print_before_and_after(rounds: Sequence[RoundSummary], *, claimed: Collection[str] = ()) -> None:
    """Print what the judge's file solves before training and after each round; nothing if that was not asked for.

    Args:
        rounds: The rounds of a finished run.
        claimed: As for ``print_round``.
    """
    last = rounds[-1]
    parity = {name: failed for name, failed in last.parity.items() if name.startswith(UNTUNED)}
    if not (last.untuned or parity):
        return
    if last.untuned:
        print_table(_before_and_after(rounds))
        print_lines("")
    rows = [
        ("untuned", f"with {last.num_fewshot} worked examples in its prompt; the trained student needs none"),
        *_cut(last.untuned, []),
    ]
    print_labelled([*rows, *([("parity", _parity(parity, claimed))] if parity else [])], width=_LABEL_WIDTH)
    print_lines("")


def _before_and_after(rounds: Sequence[RoundSummary]) -> Table:
    untuned = rounds[-1].untuned
    judged = {(f.dataset, f.target, f.recipe) for f in untuned}
    first = untuned[0]
    table = empty_table(f"Before and after training: {_artifact(first.recipe, first.target)}")
    table.add_column("")
    for figures in untuned:
        table.add_column(Name(figures.dataset), justify="right")
    named = [("untuned", untuned), *((f"round {one.round}", one.evaluations) for one in rounds)]
    for name, evaluations in named:
        shares = {f.dataset: f for f in evaluations if (f.dataset, f.target, f.recipe) in judged}
        table.add_row(name, *(_solved(shares.get(figures.dataset)) for figures in untuned))
    return table


def _solved(figures: EvaluationFigures | None) -> str:
    return "-" if figures is None else _share(figures.correct / figures.n, figures.ci95)


def print_legend(summaries: Sequence[RoundSummary]) -> None:
    """Explain the columns, once per run."""
    parts = ["share: problems solved, with its 95 % interval", "no answer: replies without a number"]
    if len(summaries) > 1:
        parts.append("change: points gained or lost on the same problems since the round before")
    if any(summary.measured for summary in summaries):
        parts.append("tok/s: tokens per second, one reply at a time; batched: 16 replies together")
    if any(figures.emulated for summary in summaries for figures in summary.evaluations):
        parts.append("*: measured in the emulator, not on the board")
    print_labelled([("legend", f"{'; '.join(parts)}.")], width=_LABEL_WIDTH)
    print_lines("")


def _accuracies(summary: RoundSummary) -> Table:
    columns = _columns(summary)
    table = empty_table(f"Round {summary.round}")
    for name in ("set", "artifact"):
        table.add_column(name)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    last = None
    for figures in _by_set(summary.untuned, summary.evaluations):
        if last not in (None, figures.dataset):
            table.add_section()
        artifact = _artifact(figures.recipe, figures.target)
        table.add_row(
            Name(figures.dataset if figures.dataset != last else ""),
            Name(f"untuned {artifact}" if figures in summary.untuned else artifact),
            *(cell(figures) for _, cell in columns),
        )
        last = figures.dataset
    return table


def _by_set(untuned: Sequence[EvaluationFigures], tuned: Sequence[EvaluationFigures]) -> list[EvaluationFigures]:
    """Order by set, the untuned student first."""
    names = list(dict.fromkeys(f.dataset for f in tuned))
    return sorted([*untuned, *tuned], key=lambda f: names.index(f.dataset))


def _columns(summary: RoundSummary) -> list[tuple[str, Callable[[EvaluationFigures], _Cell]]]:
    """Return the columns of figures, from left to right: the heading, and what an evaluation shows there."""
    changed = any(figures.change is not None for figures in summary.evaluations)
    return [
        ("solved", lambda f: f"{f.correct}/{f.n}"),
        ("share", lambda f: f"{100 * f.correct / f.n:.1f} %"),
        ("95 %", lambda f: f"{100 * f.ci95[0]:.1f}-{100 * f.ci95[1]:.1f}"),
        *([("change", _change)] if changed else []),
        ("no\nanswer", lambda f: str(f.no_answer)),
        ("problems\nper s", _problems_per_second),
    ]


def _problems_per_second(figures: EvaluationFigures) -> str:
    speed = "-" if figures.problems_per_second is None else f"{figures.problems_per_second:.1f}"
    return speed + ("*" if figures.emulated else "")


def _artifact(recipe: str | None, target: str) -> str:
    """Return the recipe, and the target unless it is this machine."""
    return f"{recipe}" if target == "local" else f"{recipe} on {target}"


def _change(figures: EvaluationFigures) -> Text:
    change = figures.change
    if change is None:
        return Text("")
    style = "green" if change > 0 else "red" if change < 0 else ""
    return Text(f"{100 * change:+.1f}", style=style)


def _costs(measured: Sequence[Measurement]) -> Table:
    """Return what every artifact costs on every target."""
    table = empty_table()
    table.add_column("artifact")
    for name, _ in _COST_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for m in measured:
        table.add_row(Name(_artifact(m.recipe, m.target)), *(cell(m) for _, cell in _COST_COLUMNS))
    return table


_COST_COLUMNS: Sequence[tuple[str, Callable[[Measurement], str]]] = (
    ("MB", lambda m: f"{m.bytes / 1e6:.1f}"),
    ("load s", lambda m: f"{m.load_seconds:.2f}{_mark(m)}"),
    ("1st token s", lambda m: f"{m.first_token_seconds:.3f}{_mark(m)}"),
    ("tok/s", lambda m: f"{_speed(m.decode_tokens_per_second)}{_mark(m)}"),
    ("batched tok/s", lambda m: _speed(m.batch_tokens_per_second)),
    ("peak MB", lambda m: f"{m.peak_rss_bytes / 1e6:.0f}{_mark(m)}"),
)
"""The columns of costs, from left to right: the heading, and what a measurement shows there."""


def _mark(measurement: Measurement) -> str:
    return "*" if measurement.emulated else ""


def _speed(tokens: float | None) -> str:
    return "-" if tokens is None else f"{tokens:.0f}" if tokens >= 10 else f"{tokens:.1f}"


def _lines(summary: RoundSummary, claimed: Collection[str]) -> list[tuple[str, str]]:
    """Return the lines below the tables."""
    total = sum(summary.data.values())
    rejected = f"; rejected: {_counts(summary.rejected)}" if summary.rejected else ""
    waiting = f"; {summary.reserve} more are reserved for labelling" if summary.reserve else ""
    return [
        *_repeated(summary.evaluations),
        *_cut(summary.untuned, summary.evaluations),
        ("data", f"{total} problems: {_counts(summary.data)}{waiting}{rejected}"),
        ("training", _training(summary)),
        *_mixed(summary.mixed),
        *_operations(summary.operations),
        ("parity", _parity(summary.parity, claimed)),
        ("labels", _labels(summary.split)),
        ("", _memorised(summary.labelled)),
        ("new problems", _new_problems(summary)),
        *_own_solutions(summary),
        *[("", _without(name, side)) for name, side in summary.without.items() if side.without_offspring],
        ("gates", _gates(summary)),
        *_untuned(summary),
    ]


def _untuned(summary: RoundSummary) -> list[tuple[str, str]]:
    """Return a line about the student before training, if it is evaluated."""
    examples = f"with {summary.num_fewshot} worked examples"
    if summary.untuned:
        return [("untuned", f"the student before training, {examples}")]
    return [("untuned", f"follows after the last round: the student before training, {examples}")] * (
        summary.untuned_follows
    )


def _repeated(evaluations: Sequence[EvaluationFigures]) -> list[tuple[str, str]]:
    """Return a line about sets that ask the same problem more than once."""
    found = {f.dataset: f"{f.dataset} has {f.distinct} different problems" for f in evaluations if f.distinct < f.n}
    return [("repeated", f"{'; '.join(found.values())}; the interval counts each once")] if found else []


def _cut(untuned: Sequence[EvaluationFigures], tuned: Sequence[EvaluationFigures]) -> list[tuple[str, str]]:
    """Return a line about replies that were cut, if any were: they count as not solved."""
    at_limit: Counter[str] = Counter()
    full: Counter[str] = Counter()
    for name, evaluations in (("untuned ", untuned), ("", tuned)):
        for figures in evaluations:
            cut, artifact = figures.cut or CutReplies(), name + _artifact(figures.recipe, figures.target)
            at_limit[artifact] += cut.at_limit
            full[artifact] += cut.context_full
    parts = []
    if total := at_limit.total():
        parts.append(f"{_replies(total)} reached decoding.max_new_tokens ({_by_artifact(at_limit)})")
    if total := full.total():
        parts.append(f"{_replies(total)} filled the model's context ({_by_artifact(full)})")
    return [("cut", f"{' and '.join(parts)}; cut replies count as not solved")] if parts else []


def _replies(n: int) -> str:
    return "1 reply" if n == 1 else f"{n} replies"


def _by_artifact(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} of {artifact}" for artifact, n in counts.items() if n)


def _training(summary: RoundSummary) -> str:
    text = "loss not recorded" if summary.loss is None else "loss {:.3f} → {:.3f}".format(*summary.loss)
    if summary.valid_loss is not None:
        text += f", validation loss {summary.valid_loss:.3f}"
    if summary.too_long:
        text += f"; left out {summary.too_long} problems longer than training.max_length"
    return text


def _mixed(tokens: Mapping[str, int] | None) -> list[tuple[str, str]]:
    """Return a line about the shares of the tokens, if they were chosen."""
    total = sum((tokens or {}).values())
    if not tokens or not total:
        return []
    shares = ", ".join(f"{group}: {n / total:.1%}" for group, n in tokens.items())
    return [("mix", f"{shares} of {total:,} tokens trained on")]


def _operations(figures: OperationFigures | None) -> list[tuple[str, str]]:
    """Return a line about the operations of the training data, and one about those of the answers."""
    if figures is None or not sum((trained := figures.tokens or figures.problems).values()):
        return []
    total = sum(trained.values())
    what = "tokens" if figures.tokens else "problems"
    shares = ", ".join(f"{n / total:.0%} with {_GROUPS.get(group, group)}" for group, n in trained.items())
    lines = [("operations", f"{what} trained on: {shares}")]
    answers = [
        f"{answered.more} of {answered.answered} of {answered.dataset}"
        for answered in figures.answered
        if answered.dataset != POOL and answered.answered
    ]
    return [*lines, *([("", f"answers with more than needed: {', '.join(answers)}")] * bool(answers))]


_GROUPS = {"1": "one", "2": "two", "3+": "three or more"}


def _labels(split: Mapping[str, int]) -> str:
    words = {"format": "without a runnable program", "lost": "lost to quantization"}
    counts = [f"{n} {words.get(label, label)}" for label, n in split.items() if n]
    return ", ".join(counts) or "none"


def _memorised(figures: LabelledFigures) -> str:
    """Compare how much of the labelled problems is solved with how much of valid."""
    kind = "not yet trained on" if figures.fresh else "it was trained on"
    text = f"solves {_share(figures.pass_rate, figures.ci95)} of {figures.n} problems {kind}"
    if figures.seed_pass_rate is not None and figures.seed_ci95 is not None and figures.seeds < figures.n:
        seeds = _share(figures.seed_pass_rate, figures.seed_ci95)
        text += f", {seeds} of the {figures.seeds} seed problems among them"
    text += f", {_share(figures.valid, figures.valid_ci95)} of valid"
    low, high = figures.gap or (0.0, 0.0)
    if low <= 0 <= high:
        return text
    gap = f"gap between seed problems and valid: {100 * low:+.1f} to {100 * high:+.1f} points"
    if low > 0 and not figures.fresh:
        return (
            f"{text}. It has memorised training problems ({gap}); set feedback.pool=fresh to label problems before "
            "they are trained on"
        )
    return f"{text} ({gap})"


def _share(rate: float, interval: tuple[float, float]) -> str:
    """Return a share with its 95 % interval."""
    low, high = interval
    return f"{rate:.1%} ({100 * low:.1f}-{100 * high:.1f})"


def _own_solutions(summary: RoundSummary) -> list[tuple[str, str]]:
    """Return a line about the student's own programs, if they are trained on."""
    if summary.own_solutions is None:
        return []
    programs = "program" if summary.own_solutions == 1 else "programs"
    return [("", f"{summary.own_solutions} other right {programs} of the student's own for labelled problems")]


def _new_problems(summary: RoundSummary) -> str:
    evolved, accepted = summary.evolved, summary.accepted
    how = "from a bank" if any(row.kind == "recorded" for row in summary.curation) else "written"
    words = {"complex": "harder", "similar": "similar"}
    written = {words.get(origin, origin): n for origin, n in evolved.items()}
    if not written:
        return f"none{_missed(summary)}"
    total, kept = sum(evolved.values()), sum(accepted.values())
    if kept == total:
        all_of_them = f"; all {total} accepted" if total > 1 else ", accepted"
        return f"{_counts(written)} {how}{all_of_them}{_missed(summary)}"
    taken = _counts({words.get(origin, origin): n for origin, n in accepted.items()}) or "none"
    return f"{_counts(written)} {how}; accepted {taken}{_missed(summary)}"


def _missed(summary: RoundSummary) -> str:
    """Return how many were wanted, if fewer were accepted."""
    is_missed = summary.target_new is not None and sum(summary.accepted.values()) < summary.target_new
    return f", of {summary.target_new} wanted" if is_missed else ""


def _without(name: str, side: Side) -> str:
    """Return how many of the easy or hard problems led to no new problem, and why."""
    return f"{side.without_offspring} of {side.parents} {name} problems led to none: {_counts(side.reasons)}"


def _gates(summary: RoundSummary) -> str:
    if summary.held_back:
        return f"failed: {'; '.join(summary.held_back)}"
    kept = "passed" if summary.gates else "none set"
    return f"{kept}; {'best round so far' if summary.solved_any else 'no validation problem solved yet'}"


def _parity(parity: Mapping[str, Sequence[str]], claimed: Collection[str]) -> str:
    """Return which artifacts passed their certificates, and the failed items of those that did not."""
    if not parity:
        return "not checked (--no-parity)"
    failed = {name: [line.split(":", 1)[0] for line in lines] for name, lines in parity.items() if lines}
    named = [f"{name} FAILED ({', '.join(items)}), left out" for name, items in failed.items()]
    passed = [name for name in parity if name not in failed and name not in claimed]
    if passed:
        named.append(f"{', '.join(passed)} passed")
    if claimed:
        named.append(
            f"{', '.join(claimed)} claimed, not checked here: their certificates are not from this machine's cache"
        )
    return "; ".join(named)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())
