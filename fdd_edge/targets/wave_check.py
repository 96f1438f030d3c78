"""What a runner answers is checked against what it was asked, and its verdicts against the replies' own text."""

from __future__ import annotations

from fdd_edge.ondevice.judging import judge
from fdd_edge.ondevice.protocol import Completion, Wave, WaveResult
from fdd_edge.ondevice.verdicts import AnswerRule, Verdict

__all__ = ["fault_of"]


def fault_of(result: WaveResult, wave: Wave, answer: AnswerRule) -> str | None:
    """Return what is wrong with the answer to a wave, or None.

    Judging a reply costs next to nothing beside decoding it, so the host does it again: a device whose Python, memory
    or honesty differs gives no number.

    Args:
        result: What the runner sent.
        wave: What it was asked.
        answer: How the answer of a reply is found.
    """
    if result.index != wave.index:
        return f"it sent wave {result.index}"
    asked = [(task.problem_id, task.sample) for task in wave.tasks]
    sent = [(reply.problem_id, reply.sample) for reply in result.completions]
    if len(sent) != len(asked):
        return f"it sent {len(sent)} replies to {len(asked)} questions"
    for one, other in zip(sent, asked, strict=True):
        if one != other:
            return f"it sent a reply to {one[0]!r} (sample {one[1]}) where {other[0]!r} (sample {other[1]}) was asked"
    return next((fault for reply in result.completions if (fault := _misjudged(reply, answer)) is not None), None)


def _misjudged(reply: Completion, answer: AnswerRule) -> str | None:
    if reply.verdict is Verdict.limit and not reply.text:
        return None  # the prompt was too long to be decoded
    outcome = judge(reply.text, unfinished=reply.verdict is Verdict.unfinished, answer=answer)
    said, is_so = ((found.verdict, found.program, found.answer) for found in (reply, outcome))
    if said == is_so:
        return None
    there, here = (value if verdict is None else str(verdict) for verdict, _, value in (said, is_so))
    return f"the reply to {reply.problem_id!r} gives {there!r} there, but {here!r} here"
