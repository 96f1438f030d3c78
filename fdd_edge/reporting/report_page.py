"""The page of one run, or of several next to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fdd_edge import __version__
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.pipeline.kept_evaluations import best_name
from fdd_edge.pipeline.paired_comparison import compare_paths
from fdd_edge.reporting.accuracy_section import accuracy, artifact_name
from fdd_edge.reporting.certificate_section import certificates
from fdd_edge.reporting.change_sections import changes, targets
from fdd_edge.reporting.comparison_section import comparison, verdicts
from fdd_edge.reporting.cost_sections import cost, teacher
from fdd_edge.reporting.origin_sections import again, data
from fdd_edge.reporting.page_parts import Page, Section
from fdd_edge.reporting.problem_sections import losses, problems
from fdd_edge.reporting.reply_section import replies
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import counted, megabytes, percent, rate, share, span
from fdd_edge.reporting.shown_text import cut
from fdd_edge.runs.stage_files import VALID

__all__ = ["report_page"]

_MOST_SETS = 3
"""Sets that fit into one sentence."""


def report_page(runs: Sequence[RunFacts], *, most_replies: int) -> Page:
    """Put the report together.

    Args:
        runs: The runs.
        most_replies: How many replies of each verdict are shown, of each run.

    Raises:
        FddError: The runs have no set or problem in common.
    """
    made_by = f"fdd-edge {__version__}"
    if len(runs) == 1:
        run = runs[0]
        sections = [section for section in _sections(run, most_replies) if section is not None]
        return Page(_title(run), _lead(run), _tiles(run), list(_notes(run)), sections, made_by)
    found = compare_paths([run.layout.root for run in runs])
    chapters = [
        section
        for one, run in zip(found.contestants, runs, strict=True)
        for section in _chapter(one.letter, run, most_replies)
    ]
    leads = [f"{one.letter}: {_lead(run)}" for one, run in zip(found.contestants, runs, strict=True)]
    return Page(
        f"{counted(len(runs), 'run')} compared", verdicts(found), [], leads, [comparison(found), *chapters], made_by
    )


def _sections(run: RunFacts, most_replies: int) -> Iterator[Section | None]:
    yield accuracy(run)
    yield changes(run)
    yield problems(run)
    yield losses(run)
    yield cost(run)
    yield certificates(run)
    yield targets(run)
    yield teacher(run)
    yield replies(run, most_replies)
    yield data(run)
    yield again(run)


def _chapter(letter: str, run: RunFacts, most_replies: int) -> Iterator[Section]:
    """Yield the sections of one of several runs, below a heading of its own."""
    mark = letter.lower()
    yield Section(mark, f"{letter}: {run.name}", " ".join(_notes(run)))
    for section in _sections(run, most_replies):
        if section is not None:
            yield replace(section, id=f"{mark}-{section.id}", level=3)


def _title(run: RunFacts) -> str:
    return f"{run.student} as {artifact_name(run.judge, run.target)}"


def _lead(run: RunFacts) -> str:
    """Say what was made and how good it is, in one sentence."""
    held_out = [name for name in run.sets if name != VALID]
    known = [run.figures(run.shown.summary.evaluations, name) for name in held_out or run.sets]
    shown = [figures for figures in known if figures is not None]
    size = next((one.bytes for one in shown), None)
    made = f"{run.student}, distilled in {counted(run.shown.number + 1, 'round')} and exported as {run.judge}"
    made += "" if size is None else f" ({megabytes(size)} MB)"
    if not shown:
        return f"{made}, was not evaluated."
    said = " and ".join(
        f"{share(one.correct / one.n, one.ci95, named=not number)} of the {one.n:,} problems of {one.dataset}"
        for number, one in enumerate(shown[:_MOST_SETS])
    )
    where = "" if run.target == "local" else f" on {run.target}"
    lead = f"{made}, solves {said}{where}"
    if not held_out:
        return f"{lead}: the problems that chose the round, so that the figure flatters it."
    return f"{lead}{_before(run, shown[0])}."


def _before(run: RunFacts, now: EvaluationFigures) -> str:
    untuned = run.figures(run.rounds[-1].summary.untuned, now.dataset)
    if untuned is None:
        return ""
    examples = run.rounds[-1].summary.num_fewshot
    asked = f", with {counted(examples, 'worked example')} in its prompt" if examples else ""
    return f"; before training{asked}, it solved {share(untuned.correct / untuned.n, untuned.ci95)}"


def _tiles(run: RunFacts) -> list[tuple[str, str]]:
    dataset = run.sets[0]
    figures = run.figures(run.shown.summary.evaluations, dataset)
    tiles = []
    if figures is not None:
        tiles.append((percent(figures.correct / figures.n), f"of {dataset} solved, {span(figures.ci95)}"))
        tiles.append((f"{megabytes(figures.bytes)} MB", f"the file, {run.judge}"))
    own = [one for one in run.shown.summary.measured if (one.recipe, one.target) == (run.judge, run.target)]
    for one in own:
        where = "in an emulator" if one.emulated else f"on {one.device.board or one.device.cpu}"
        tiles.append((f"{megabytes(one.peak_rss_bytes)} MB", "memory at most"))
        tiles.append((f"{rate(one.decode_tokens_per_second)} tokens/s", where))
    return tiles


def _notes(run: RunFacts) -> Iterator[str]:
    """Yield what to know before reading on."""
    last = run.rounds[-1]
    wanted = last.summary.rounds
    if not run.is_best:
        yield f"{_why_none_is_best(run)}: the figures are those of the newest, round {last.number}."
    elif run.shown.number != last.number:
        yield f"Round {run.shown.number} is the best of {len(run.rounds)}; the figures are those of this round."
    if last.summary.would_repeat is not None:
        yield last.summary.would_repeat
    elif len(run.rounds) < wanted:
        yield f"{len(run.rounds)} of {counted(wanted, 'round')} have finished; the others are not in this report."
    if all(name == VALID for name in run.sets):
        yield "No held-out set was evaluated: give one as data.eval for a figure that nothing was chosen by."


def _why_none_is_best(run: RunFacts) -> str:
    """Say why no round is the best one, as far as the run folder knows."""
    named, last = best_name(run.layout), run.rounds[-1].summary
    if named is not None:
        return f"The best round, {cut(named)}, has no figures (they are missing or not finished)"
    if last.held_back:
        return f"No round is the best one ({'; '.join(last.held_back)})"
    if not any(one.summary.solved_any for one in run.rounds):
        return "No round is the best one (none solved a validation problem)"
    return "The run folder does not say which round is the best one (its link to it is missing)"
