"""The lines of an evaluation: replies with their problems, answers and verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.protocol import ProtocolError
from fdd_edge.records import read_jsonl
from fdd_edge.runs.stage_files import EvaluationFiles

__all__ = ["read_rows"]


def read_rows(folder: Path) -> list[ScoredReply]:
    """Read the scored replies of an evaluation folder; a version that wrote no questions left these out.

    Raises:
        FddError: It is not an evaluation folder, or its completions cannot be read.
    """
    path = EvaluationFiles(folder).rows
    if folder.is_dir() and not path.exists():
        raise FddError(
            f"{folder} is not an evaluation; name a folder such as RUN/round-00/eval/TARGET/RECIPE/pool, or one that "
            "fdd-edge eval -o wrote."
        )
    completions: list[ScoredReply] = []
    try:
        for number, row in read_jsonl(path):
            completions.append(ScoredReply.from_row(row))
            if (fault := _fault_of(completions[-1])) is not None:
                raise ProtocolError(f"in line {number}, {fault}")
    except ProtocolError as error:
        raise FddError(f"{folder} is not an evaluation ({error}); name a folder that fdd-edge eval wrote.") from None
    replies = Counter((completion.problem_id, completion.sample) for completion in completions)
    (name, sample), n = replies.most_common(1)[0] if replies else (("", 0), 0)
    if n > 1:
        raise FddError(f"{path} holds sample {sample} of {name!r} {n} times, so it is damaged; evaluate again.")
    return completions


def _fault_of(row: ScoredReply) -> str | None:
    """Return what is wrong with a row that a user, or a damaged disk, may have changed."""
    sample = row.sample
    if not isinstance(row.problem_id, str) or not isinstance(row.text, str):
        return "the problem's id or the text is not a text"
    for name, number in (("answer", row.answer), ("gold answer", row.gold)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            return f"the {name} {number!r:.40} is not a number"
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
        return f"the sample {sample!r:.40} is not a number from 0"
    for name in ("program", "question", "detail"):
        if not isinstance(getattr(row, name), str | None):
            return f"the {name} is not a text"
    return None
