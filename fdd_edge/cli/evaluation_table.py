"""What ``fdd-edge eval`` prints on stdout: one evaluation line by line, several as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.cli.console import print_labelled, print_lines
from fdd_edge.cli.rich_table import Name, empty_table, print_table
from fdd_edge.cli.tables import NOT_OURS
from fdd_edge.data import Skipped, describe_skipped
from fdd_edge.evaluation import Difference, Votes
from fdd_edge.results import EvaluationResult, EvaluationTable, TableEntry
from fdd_edge.runs.stage_files import EvaluationFiles

__all__ = ["print_evaluation", "print_evaluations"]

_PARITY = {
    "passed": "its certificate passed",
    "failed": "its certificate FAILED: it does not match its reference model",
    "claimed": "claimed, not checked here: its certificate says that it matches {reference}; check it with: "
    "fdd-edge parity FILE --reference MODEL",
    "none": "no certificate; make one with: fdd-edge parity FILE --reference MODEL",
}
_EMULATED = " (in the emulator, not on the board)"


def print_evaluation(result: EvaluationResult, *, kept: str | None = None) -> None:
    """Print one evaluation.

    Args:
        result: The evaluation.
        kept: The folder it was written to, if any.
    """
    low, high = result.ci95
    artifact, target = result.artifact, result.target
    verdicts = ", ".join(f"{n} {name}" for name, n in result.verdicts.items() if n)
    emulated = _EMULATED if target.get("emulated") else ""
    said = _PARITY[artifact["parity"]].format(reference=_named(artifact.get("reference", {})))
    parity = [("parity", said)] if artifact["recipe"] or artifact["parity"] != "none" else []
    of_what = "" if result.votes is None else " replies"
    rows = [
        ("solved", f"{result.correct} of {result.n}{of_what}: {100 * result.accuracy:.1f} %"),
        ("95 %", f"{100 * low:.1f} to {100 * high:.1f} %"),
        *_voted(result.votes),
        *_repeated(result),
        ("verdicts", verdicts + _skipped(result.skipped)),
        *_cut(result),
        ("speed", _speed_of(result, emulated)),
        ("memory", f"{result.peak_rss_bytes / 1e6:.0f} MB at peak{emulated}"),
        ("file", f"{artifact['path']}, {artifact['bytes'] / 1e6:.1f} MB, {artifact['recipe'] or NOT_OURS}"),
        *parity,
        ("target", _target(target)),
        *([("rows", str(EvaluationFiles(Path(kept)).rows))] if kept else []),
    ]
    print_labelled(rows, width=9)


def _target(target: Mapping[str, Any]) -> str:
    said = " ".join(str(target.get(key, "-")) for key in ("name", "cpu", "runtime", "runtime_version"))
    return f"{said}, flash attention" if target.get("flash_attention") else said


def print_evaluations(found: EvaluationTable, *, kept: str | None = None) -> None:
    """Print several artifacts on several sets as one table.

    Args:
        found: The evaluations.
        kept: The folder they were written to, if any.
    """
    table, compares = empty_table(), bool(found.differences)
    for name in ("set", "artifact"):
        table.add_column(name)
    # Both would not fit into 80 columns; below the table, shares of votes have their intervals.
    own, per_second = ("majority", "replies\nper s") if _votes_in(found) else ("95 %", "problems\nper s")
    for name in ("MB", "%", own, *(["vs\nfirst", "95 %"] if compares else []), per_second):
        table.add_column(name, justify="right", no_wrap=True)
    last = None
    for entry in found:
        result, difference = entry.result, found.differences.get((entry.dataset, entry.artifact))
        if last not in (None, entry.dataset):
            table.add_section()
        speed = "-" if result.problems_per_second is None else f"{result.problems_per_second:.1f}"
        table.add_row(
            Name("" if entry.dataset == last else f"{entry.dataset} ({result.n})"),
            Name(entry.artifact),
            f"{result.artifact['bytes'] / 1e6:.1f}",
            f"{100 * result.accuracy:.1f}",
            _interval_of(result.ci95) if result.votes is None else f"{100 * result.votes.majority.share:.1f}",
            *(_points_cells(difference) if compares else []),
            f"{speed}*" if result.target.get("emulated") else speed,
        )
        last = entry.dataset
    print_table(table)
    print_lines("")
    print_labelled(_below(found, kept), width=9)


def _interval_of(ci95: tuple[float, float]) -> str:
    return "{:.1f}-{:.1f}".format(*(100 * end for end in ci95))


def _below(found: EvaluationTable, kept: str | None) -> list[tuple[str, str]]:
    """Return the lines below a table of evaluations."""
    first, votes = found[0].artifact, _votes_in(found)
    interval = "" if votes and not found.differences else "; 95 %: the interval of what is before it"
    rows = [("%", f"replies with the right answer, of the number next to the set{interval}")]
    if votes:
        rows.append(("", "majority: problems that the answer of most replies solves, in percent"))
    if found.differences:
        of_what = " of the majorities" if votes else ""
        rows.append(("vs first", f"points gained or lost{of_what} against {first} on the same problems"))
    rows += [row for entry in found for row in _votes_of(entry)]
    flash = dict.fromkeys(entry.artifact for entry in found if entry.result.target.get("flash_attention"))
    if flash:
        rows.append(("flash", f"decoded with flash attention: {', '.join(flash)}"))
    if any(entry.result.target.get("emulated") for entry in found):
        rows.append(("*", "in the emulator, not on the board"))
    rows += _cut_below(found)
    for entry in found:
        if entry.artifact == first and entry.result.skipped:
            rows.append(("skipped", f"{entry.dataset}: {_skipped(entry.result.skipped).removeprefix('; skipped ')}"))
    if kept:
        rows.append(("rows", f"in {kept}, a folder per artifact with one per set; see them with: fdd-edge rows {kept}"))
    return rows


def _votes_in(found: EvaluationTable) -> bool:
    """Return whether there are several replies to a problem."""
    return any(entry.result.votes for entry in found)


def _votes_of(entry: TableEntry) -> list[tuple[str, str]]:
    """Return a line with the shares of an entry that has several replies to a problem, each with its interval."""
    result, votes = entry.result, entry.result.votes
    if votes is None:
        return []
    said = (
        f"{entry.artifact} on {entry.dataset}, {votes.problems} {'problem' if votes.problems == 1 else 'problems'}: "
        f"replies {_percent(result.accuracy, result.ci95)}, "
        f"majority@{votes.samples} {_percent(votes.majority.share, votes.majority.ci95)}, "
        f"pass@{votes.samples} {_percent(votes.any.share, votes.any.ci95)}"
    )
    return [("votes", said)]


def _points_cells(difference: Difference | None) -> list[str]:
    """Return the cells of a difference: the points, and their interval."""
    if difference is None:
        return ["", ""]
    return [f"{100 * difference.change:+.1f}", "{:+.1f} to {:+.1f}".format(*(100 * end for end in difference.ci95))]


def _voted(votes: Votes | None) -> list[tuple[str, str]]:
    """Return the lines of several replies per problem: how many problems the majority solves, and any of them."""
    if votes is None:
        return []
    meant = f"the answer that most of {votes.samples} replies give"
    shares = (("majority", votes.majority, f": {meant}"), (f"pass@{votes.samples}", votes.any, ": at least one reply"))
    return [
        (label, f"{share.correct} of {votes.problems} problems, {_percent(share.share, share.ci95)}{text}")
        for label, share, text in shares
    ]


def _percent(share: float, ci95: tuple[float, float]) -> str:
    """Return a share with its interval."""
    low, high = ci95
    return f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _repeated(result: EvaluationResult) -> list[tuple[str, str]]:
    """Return a line that says how many problems are asked more than once, if any are."""
    asked = result.n if result.votes is None else result.votes.problems
    if result.distinct == asked:
        return []
    again = asked - result.distinct
    text = f"{result.distinct} different; {again} more replies to the same questions do not narrow the interval"
    return [("problems", text)]


def _named(reference: Mapping[str, Any]) -> str:
    """Return the name of a reference, as its certificate has it, and the beginning of its hash."""
    return f"{reference.get('name')!r} (sha256 {str(reference.get('sha256'))[:12]})"


def _speed_of(result: EvaluationResult, emulated: str) -> str:
    if result.problems_per_second is None:
        return "not measured, because several runners shared the work and some of it was done earlier"
    unit = "problems" if result.votes is None else "replies"
    return f"{result.problems_per_second:.2f} {unit}/s, {result.tokens_per_second:.0f} tokens/s{emulated}"


def _cut(result: EvaluationResult) -> list[tuple[str, str]]:
    """Return lines about replies that were cut, which count as not solved: by the token limit, and by the context."""
    cut, limit = result.cut, result.settings["max_new_tokens"]
    lines = []
    if cut.at_limit:
        lines.append(f"{_were_cut(cut.at_limit, f'at {limit} tokens')}; {_try(limit)}")
    if cut.context_full:
        lines.append(f"{_were_cut(cut.context_full, _CONTEXT_FULL)}; {_SHORTER_PROMPT}")
    return _labelled_once("cut", lines)


def _cut_below(found: EvaluationTable) -> list[tuple[str, str]]:
    """Return the same lines for several evaluations."""
    at_limit = [f"{e.result.cut.at_limit} by {e.artifact} on {e.dataset}" for e in found if e.result.cut.at_limit]
    full = [f"{e.result.cut.context_full} by {e.artifact} on {e.dataset}" for e in found if e.result.cut.context_full]
    limit = found[0].result.settings["max_new_tokens"]
    lines = []
    if at_limit:
        named = ", ".join(at_limit)
        lines.append(f"replies cut at {limit} tokens, which count as not solved: {named}; {_try(limit)}")
    if full:
        named = ", ".join(full)
        lines.append(f"replies cut {_CONTEXT_FULL}, which count as not solved: {named}; {_SHORTER_PROMPT}")
    return _labelled_once("cut", lines)


_CONTEXT_FULL = "where prompt and reply filled the model's context"
_SHORTER_PROMPT = "only a shorter prompt helps"


def _try(limit: int) -> str:
    return f"try --max-new-tokens {2 * limit}"


def _were_cut(n: int, where: str) -> str:
    if n == 1:
        return f"1 reply was cut {where} and counts as not solved"
    return f"{n} replies were cut {where} and count as not solved"


def _labelled_once(label: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return lines of which only the first has the label."""
    return [("" if i else label, line) for i, line in enumerate(lines)]


def _skipped(items: Sequence[Mapping[str, str]]) -> str:
    """Return how many items have no numeric answer, which, and why."""
    return f"; {describe_skipped([Skipped(item['item'], item['reason']) for item in items])}" if items else ""
