"""What an evaluation cost: speeds, memory and the device, as ``timing.json`` holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.protocol import WaveResult
from fdd_edge.runs.fingerprint import Json

__all__ = ["EvaluationTiming", "per_second", "read_timing", "timing_of"]

_MOST_PER_SECOND = 1e9
"""More tokens or problems per second than any device handles."""


@dataclass(frozen=True, kw_only=True)
class EvaluationTiming:
    """What an evaluation cost; None for what was not measured.

    Problems and tokens per second are those of the whole target; prompt and reply speeds are those of one runner.

    Attributes:
        artifact_bytes: Size of the model file.
        seconds: Time the target took; None if runners shared the waves and some were finished by an earlier call.
        problems_per_second: Completions per second.
        tokens_per_second: Generated tokens per second.
        prompt_tokens_per_second: Speed of reading prompts.
        decode_tokens_per_second: Speed of writing replies.
        prompt_tokens: Prompt tokens that were decoded.
        decode_tokens: Generated tokens.
        peak_rss_bytes: Most memory that a runner held.
        target: Name and transport of the target, and its ``TargetInfo``, as JSON.
    """

    artifact_bytes: int
    seconds: float | None
    problems_per_second: float | None
    tokens_per_second: float | None
    prompt_tokens_per_second: float | None
    decode_tokens_per_second: float | None
    prompt_tokens: int
    decode_tokens: int
    peak_rss_bytes: int
    target: Mapping[str, Json]

    @property
    def emulated(self) -> bool:
        """Whether speed and memory are those of an emulator, not of a board."""
        return bool(self.target["emulated"])

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read the JSON object back."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


def timing_of(
    results: Sequence[WaveResult], seconds: float | None, *, artifact_bytes: int, target: Mapping[str, Json]
) -> EvaluationTiming:
    """Return what finished waves cost.

    Args:
        results: The waves.
        seconds: Time the target took; None if runners shared the waves and some were finished earlier.
        artifact_bytes: Size of the model file.
        target: Name, transport and ``TargetInfo`` of the target.
    """
    timings = [result.timing for result in results]
    busy, reading = sum(t.seconds for t in timings), sum(t.prompt_seconds for t in timings)
    prompt_tokens, decode_tokens = sum(t.prompt_tokens for t in timings), sum(t.decode_tokens for t in timings)
    return EvaluationTiming(
        artifact_bytes=artifact_bytes,
        seconds=None if seconds is None else round(seconds, 3),
        problems_per_second=per_second(sum(len(r.completions) for r in results), seconds),
        tokens_per_second=per_second(decode_tokens, seconds),
        prompt_tokens_per_second=per_second(prompt_tokens, reading),
        decode_tokens_per_second=per_second(decode_tokens, busy - reading),
        prompt_tokens=prompt_tokens,
        decode_tokens=decode_tokens,
        peak_rss_bytes=max(t.peak_rss_bytes for t in timings),
        target=target,
    )


def read_timing(path: Path) -> EvaluationTiming:
    """Read ``timing.json`` of an evaluation folder."""
    return EvaluationTiming.from_row(parse_json(path.read_text(encoding="utf-8")))


def per_second(count: int, seconds: float | None, digits: int = 3) -> float | None:
    """Return a rate; None if the time is unknown, or too short to be one that was measured."""
    if seconds is None or seconds <= 0 or count > seconds * _MOST_PER_SECOND:
        return None
    return round(count / seconds, digits)
