"""From a split to new problems: the teacher writes harder ones for easy problems, similar ones for hard problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from fdd_edge.curation import Admission, ProgramStyle
from fdd_edge.errors import WaitingError
from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import EvolveOptions, Turn, branches, candidates_for, offspring, one_turn_each, wave_of
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.curate import read_protected
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.split import read_split
from fdd_edge.operations.teaching import NamedTeacher, write_calls
from fdd_edge.progress import announce, warn
from fdd_edge.records import Origin, Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers import Declined, Draft, Stocked, Teacher

__all__ = ["Refusals", "evolve", "read_declined"]

Refusals = dict[str, dict[str, list[str]]]
"""Parents for which the teacher wrote nothing: branch -> reason -> ids."""

_SEEDS_APART = 1_000_003
"""Between the seeds of two waves of a round, so that none is the seed of another round."""


def evolve(
    out: Path,
    *,
    split: Path,
    teacher: NamedTeacher,
    options: EvolveOptions,
    round_number: int,
    seed: int,
    used: Sequence[Path] = (),
    known: Sequence[Path] = (),
    protected: Mapping[str, Path] | None = None,
    style: ProgramStyle = "as_written",
    answered: Path | None = None,
) -> None:
    """Ask the teacher for offspring of a split; write them, not yet curated, and what it declined.

    Args:
        out: Folder, see ``OffspringFiles``.
        split: Folder of the labelled problems.
        teacher: Who writes.
        options: How many, from which problems.
        round_number: Noted in each new problem.
        seed: Draws what is random.
        used: Problem records whose questions a teacher with a stock must not give out: what the run trains or tests
            on, and what it was given in earlier rounds.
        known: Problems that are trained on, or will be; with ``target_new``, which counts what curation will accept.
        protected: Likewise the valid and eval sets, by name.
        style: Likewise how programs are trained on.
        answered: The judge's evaluation folder: a language model is shown the student's wrong programs in it.
    """
    labelled = read_split(split)
    both = branches(labelled, max_depth=options.max_depth, policy=options.policy, seed=seed)
    per_problem: dict[Origin, int] = {"complex": options.per_easy, "similar": options.per_hard}
    writer = teacher.open(round_number, failures=None if answered is None else _wrong_programs(answered))
    written = _Written(writer, round_number, [problem.question for path in used for problem in read_problems(path)])
    for branch in both:
        written.decline(branch.origin, branch.too_deep, "max_depth")
    if options.target_new is None:
        written.ask([Turn(b.origin, parent, per_problem[b.origin]) for b in both for parent in b.parents], seed)
    else:
        inside = [problem for path in known for problem in read_problems(path)]
        valid, tests = read_protected(protected or {})
        admission = Admission(inside, valid, tests, style)
        _write_until(written, one_turn_each(both, per_problem, seed), admission, options, seed)
    files = OffspringFiles(out)
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(files.problems, (p.to_row() for p in written.problems))
    write_jsonl(files.declined, written.declined())
    write_calls(files.calls, teacher.calls, round_number)


@dataclass
class _Written:
    """What a teacher has written for a split so far.

    Attributes:
        teacher: Who writes.
        round_number: Noted in each new problem.
        used: Questions that a teacher with a stock must not give out.
        problems: The new problems, in the order in which they were asked for.
        reasons: Why a parent got nothing when it was asked, by branch and id; the first reason counts.
        counts: How many problems a parent has, by branch and id.
    """

    teacher: Teacher
    round_number: int
    used: Sequence[str]
    problems: list[Problem] = field(default_factory=list)
    reasons: dict[tuple[Origin, str], str] = field(default_factory=dict)
    counts: Counter[tuple[Origin, str]] = field(default_factory=Counter)

    def ask(self, turns: Sequence[Turn], seed: int) -> list[Problem]:
        """Ask for the new problems of these turns, in which no parent occurs twice; return them.

        Raises:
            WaitingError: Replies come later, for all of the turns that wait for some.
        """
        before = len(self.problems)
        waiting: list[WaitingError] = []
        for origin in get_args(Origin):
            own = [turn for turn in turns if turn.origin == origin and turn.candidates]
            if not own:
                continue
            parents = [turn.parent for turn in own]
            writer = _left_in_stock(self.teacher, [*self.used, *(problem.question for problem in self.problems)])
            write = writer.complexify if origin == "complex" else writer.similar
            try:
                answers = run_to_end(write(parents, per_problem=own[0].candidates, seed=seed))
            except WaitingError as error:  # the other branch can wait at the same time
                waiting.append(error)
                continue
            for parent, answer in zip(parents, answers, strict=True):
                self._note(origin, parent, answer)
        if waiting:
            raise WaitingError([line for error in waiting for line in error.waiting], waiting[0].next_step)
        return self.problems[before:]

    def decline(self, origin: Origin, parents: Sequence[Problem], reason: str) -> None:
        """Note why parents got nothing."""
        for parent in parents:
            self.reasons.setdefault((origin, parent.id), reason)

    def declined(self) -> Iterator[dict[str, str]]:
        """Yield a row for each parent that has no new problem although it was asked."""
        for (origin, name), reason in self.reasons.items():
            if not self.counts[origin, name]:
                yield {"parent_id": name, "branch": origin, "reason": reason}

    def _note(self, origin: Origin, parent: Problem, answer: list[Draft] | Declined) -> None:
        if isinstance(answer, Declined) or not answer:
            self.decline(origin, [parent], answer.reason if isinstance(answer, Declined) else "nothing_written")
            return
        for draft in answer:
            self.problems.append(
                offspring(
                    parent,
                    self.counts[origin, parent.id],
                    origin=origin,
                    round_number=self.round_number,
                    teacher=self.teacher.name,
                    question=draft.question,
                    program=draft.program,
                    answer=draft.answer,
                    notes=draft.notes,
                )
            )
            self.counts[origin, parent.id] += 1


def _write_until(
    written: _Written, turns: Sequence[Turn], admission: Admission, options: EvolveOptions, seed: int
) -> None:
    """Ask in waves until enough problems would be accepted, enough were asked for, or a whole pass brought none.

    A wave is as large as the rate of acceptance so far demands.
    """
    target, most = options.target_new or 0, options.most_candidates or 0
    accepted = asked = position = wave = written_before = 0
    while turns and accepted < target:
        wanted = candidates_for(target - accepted, accepted=accepted, asked=asked)
        chosen = wave_of(turns, position, wanted, most=most - asked)
        if not chosen:
            break
        accepted += len(admission.curate(written.ask(chosen, seed + _SEEDS_APART * wave)).kept)
        asked += sum(turn.candidates for turn in chosen)
        announce(f"new problems: {accepted} of {target} accepted, {asked} asked for")
        wave, position = wave + 1, position + len(chosen)
        if position == len(turns):
            if len(written.problems) == written_before:
                break
            position, written_before = 0, len(written.problems)
    if accepted < target and options.policy != "none":
        why = _why_fewer(turns, most, asked)
        warn(f"{accepted} of feedback.target_new {target} new problems passed curation: {why}")


def _why_fewer(turns: Sequence[Turn], most: int, asked: int) -> str:
    """Return what ended the writing before there were enough problems."""
    if not turns:
        return "no labelled problem may evolve."
    if most - asked < min(turn.candidates for turn in turns):
        return f"{asked} were asked for, the most that feedback.max_candidates allows."
    return f"{asked} were asked for, and the teacher wrote no more."


def _wrong_programs(evaluation: Path) -> dict[str, str]:
    """Return the first wrong program of each problem in an evaluation folder, by the problem's id."""
    found: dict[str, str] = {}
    for completion in read_rows(evaluation):
        if completion.verdict == Verdict.wrong and completion.program is not None:
            found.setdefault(completion.problem_id, completion.program)
    return found


def _left_in_stock(writer: Teacher, questions: Sequence[str]) -> Teacher:
    """Return a teacher that gives out none of these questions, if it has a stock; any other writes what it likes."""
    return writer.without(questions) if isinstance(writer, Stocked) else writer


def read_declined(path: Path) -> Refusals:
    """Read which parents the teacher wrote nothing for, the most frequent reason first."""
    found: Refusals = {}
    for _, row in read_jsonl(path):
        found.setdefault(row["branch"], {}).setdefault(row["reason"], []).append(row["parent_id"])
    return {branch: dict(sorted(reasons.items(), key=lambda item: -len(item[1]))) for branch, reasons in found.items()}
