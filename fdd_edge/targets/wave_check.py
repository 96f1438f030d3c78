"""What a runner answers is checked against what it was asked, and its verdicts against the replies' own text."""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from fdd_edge.ondevice.judging import judge
from fdd_edge.ondevice.protocol import Completion, Settings, Task, Wave, WaveResult, prompt_ids_sha
from fdd_edge.ondevice.verdicts import AnswerRule, Verdict

__all__ = ["SeenPrompts", "fault_of"]

SeenPrompts = MutableMapping[str, tuple[str, int]]
"""What was said of the prompt of each question so far: the hash of its ids, and their number."""

_MOST_PER_SECOND = 1e9
"""More tokens per second than any device reads or writes."""

_SLACK = 1e-3
"""Seconds by which sums of times may differ from the whole."""


def fault_of(
    result: WaveResult, wave: Wave, settings: Settings, *, n_ctx: int, seen: SeenPrompts | None = None
) -> str | None:
    """Return what is wrong with the answer to a wave, or None.

    Judging a reply costs next to nothing beside decoding it, so the host does it again: a device whose Python, memory
    or honesty differs gives no number.

    Args:
        result: What the runner sent.
        wave: What it was asked.
        settings: How it was to answer.
        n_ctx: The model's context, as the runner describes it.
        seen: The prompts of earlier waves, to which those of this one are added: equal questions have equal prompts.
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
    seen = {} if seen is None else seen
    for reply, task in zip(result.completions, wave.tasks, strict=True):
        fault = (
            _misjudged(reply, settings.answer, n_ctx)
            or _wrong_prompt(reply, task, seen, with_ids=settings.return_ids)
            or _wrong_length(reply, settings, n_ctx)
        )
        if fault is not None:
            return fault
    return _wrong_timing(result)


def _misjudged(reply: Completion, answer: AnswerRule, n_ctx: int) -> str | None:
    said = (reply.verdict, reply.program, reply.answer)
    if reply.n_prompt_tokens >= n_ctx:  # too long to be decoded
        is_so: tuple[Verdict | None, str | None, float | None] = (Verdict.limit, None, None)
    else:
        outcome = judge(reply.text, unfinished=reply.verdict is Verdict.unfinished, answer=answer)
        is_so = (outcome.verdict, outcome.program, outcome.answer)
    if said == is_so:
        return None
    there, here = (value if verdict is None else str(verdict) for verdict, _, value in (said, is_so))
    if there == here:
        return f"the reply to {reply.problem_id!r} has another program or number here than it has there"
    return f"the reply to {reply.problem_id!r} gives {there!r} there, but {here!r} here"


def _wrong_prompt(reply: Completion, task: Task, seen: SeenPrompts, *, with_ids: bool) -> str | None:
    if not re.fullmatch("[0-9a-f]{16}", reply.prompt_ids_sha):
        return f"the prompt of {reply.problem_id!r} has the hash {reply.prompt_ids_sha[:80]!r}, which is none"
    if (reply.prompt_ids is not None, reply.ids is not None) != (with_ids, with_ids):
        return f"the reply to {reply.problem_id!r} comes {'without' if with_ids else 'with'} ids"
    said = (reply.prompt_ids_sha, reply.n_prompt_tokens)
    if reply.prompt_ids is not None and (prompt_ids_sha(reply.prompt_ids), len(reply.prompt_ids)) != said:
        return f"the ids of the prompt of {reply.problem_id!r} do not have the hash and the number that it states"
    if seen.setdefault(task.question, said) != said:
        return f"the prompt of {reply.problem_id!r} has other ids than that of the same question before"
    return None


def _wrong_length(reply: Completion, settings: Settings, n_ctx: int) -> str | None:
    """Check how many tokens a reply has: cut replies have all that they may have, others not more."""
    most = max(0, min(settings.decoding.max_new_tokens, n_ctx - reply.n_prompt_tokens))
    least = most if reply.verdict is Verdict.unfinished else min(1, most)
    if not least <= reply.n_tokens <= most or (reply.ids is not None and len(reply.ids) != reply.n_tokens):
        return f"the reply to {reply.problem_id!r} has {reply.n_tokens} tokens, where it may have {least} to {most}"
    if not most and reply.text:
        return f"the reply to {reply.problem_id!r} has a text, but its prompt fills the context"
    return None


def _wrong_timing(result: WaveResult) -> str | None:
    """Check what a wave is said to have cost against itself and against the replies."""
    timing = result.timing
    written = sum(reply.n_tokens for reply in result.completions)
    if timing.decode_tokens != written:
        return f"it counts {timing.decode_tokens} generated tokens, but its replies have {written}"
    if timing.prompt_tokens > sum(reply.n_prompt_tokens for reply in result.completions):
        return f"it counts {timing.prompt_tokens} prompt tokens, which is more than its prompts have"
    parts = (timing.prompt_seconds, timing.first_token_seconds or 0.0)
    if max(parts) > timing.seconds + _SLACK:
        return f"a part of its {timing.seconds:g} seconds took {max(parts):g}"
    if (timing.first_token_seconds is None) != (written == 0):
        return f"it states {timing.first_token_seconds} seconds to the first of {written} tokens"
    if (tokens := timing.prompt_tokens + written) > timing.seconds * _MOST_PER_SECOND:
        return f"it says that {tokens} tokens took {timing.seconds:g} seconds"
    return None
