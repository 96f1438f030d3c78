"""How fast a machine trains and runs a student: what was measured, taken to the student's full depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

__all__ = ["FileSpeed", "MachineSpeed", "TorchPoint"]


@dataclass(frozen=True)
class TorchPoint:
    """What was measured on a student of a few layers; the seconds are those of ``students.training_trial``."""

    layers: int
    short_step: float
    long_step: float
    reading: float
    writing: float


@dataclass(frozen=True)
class FileSpeed:
    """What a model file takes in its runtime.

    Attributes:
        load_seconds: Until it can be asked.
        prompt_token_seconds: Reading a token of a prompt.
        alone_seconds: Writing a token of one reply.
        together_seconds: Writing a token of each of ``batch`` replies.
        batch: How many these are.
        context: Tokens before each of them.
        context_seconds: By how much that grows with each token more.
        row_seconds: Looking through the logits of a token that is scored.
        peak_rss_bytes: Memory of the process.
    """

    load_seconds: float
    prompt_token_seconds: float
    alone_seconds: float
    together_seconds: float
    batch: int
    context: int
    context_seconds: float
    row_seconds: float
    peak_rss_bytes: float

    def step(self, replies: float, context: float) -> float:
        """Return the time of a step: a token for each of some replies, which go on from some tokens."""
        share = (replies - 1) / (self.batch - 1) if self.batch > 1 else 1.0
        longer = self.context_seconds * max(0.0, context - self.context) * replies / self.batch
        return self.alone_seconds + (self.together_seconds - self.alone_seconds) * share + longer

    def scaled(self, factor: float) -> FileSpeed:
        """Return the speed of a model with ``factor`` times the weights."""
        return replace(
            self,
            prompt_token_seconds=self.prompt_token_seconds * factor,
            alone_seconds=self.alone_seconds * factor,
            together_seconds=self.together_seconds * factor,
            context_seconds=self.context_seconds * factor,
            load_seconds=self.load_seconds * factor,
            peak_rss_bytes=self.peak_rss_bytes * factor,
        )


@dataclass(frozen=True)
class MachineSpeed:
    """What a student takes on a machine.

    Attributes:
        step_seconds: A step of training, however long its texts are.
        token_seconds: What each token of it adds.
        reference_token_seconds: The float model in torch reads a token of a prompt.
        reference_step_seconds: It writes a token of each of its 16 replies.
        quantize_seconds: Quantizing a weight.
        byte_seconds: Writing and hashing a byte.
        start_seconds: Loading torch and what belongs to it.
        files: By recipe.
    """

    step_seconds: float
    token_seconds: float
    reference_token_seconds: float
    reference_step_seconds: float
    quantize_seconds: float
    byte_seconds: float
    start_seconds: float
    files: Mapping[str, FileSpeed]

    @classmethod
    def from_points(
        cls,
        layers: int,
        points: tuple[TorchPoint, TorchPoint],
        *,
        tokens: tuple[int, int],
        prompt_tokens: int,
        quantize_seconds: float,
        byte_seconds: float,
        start_seconds: float,
        files: Mapping[str, FileSpeed],
    ) -> Self:
        """Take what was measured on two students of few layers to one of all its layers: layers take equal time.

        Args:
            layers: Of the student.
            points: The two; the second has more layers.
            tokens: Of the short and the long step.
            prompt_tokens: That the reference read.
            quantize_seconds: See the attribute, as the next ones.
            byte_seconds: The same.
            start_seconds: The same.
            files: The same.
        """
        short, long, reading, writing = (
            _at_depth(layers, points, name) for name in ("short_step", "long_step", "reading", "writing")
        )
        per_token = max(0.0, long - short) / (tokens[1] - tokens[0])
        return cls(
            step_seconds=max(0.0, short - per_token * tokens[0]),
            token_seconds=per_token,
            reference_token_seconds=reading / prompt_tokens,
            reference_step_seconds=writing,
            quantize_seconds=quantize_seconds,
            byte_seconds=byte_seconds,
            start_seconds=start_seconds,
            files=files,
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read the JSON object back.

        Raises:
            ValueError: A speed is missing, or is none.
        """
        files = {str(name): FileSpeed(**file) for name, file in row["files"].items()}
        found = cls(**{**row, "files": files})
        numbers = [value for one in (found, *files.values()) for name, value in vars(one).items() if name != "files"]
        if any(isinstance(n, bool) or not isinstance(n, int | float) or not 0 <= n < 1e15 for n in numbers):
            raise ValueError("a speed is not a number")
        return found


def _at_depth(layers: int, points: tuple[TorchPoint, TorchPoint], name: str) -> float:
    few, more = (getattr(point, name) for point in points)
    n_few, n_more = (point.layers for point in points)
    if n_more == n_few:
        return float(more * layers / n_more)
    layer = max(0.0, more - few) / (n_more - n_few)
    return float(max(0.0, few - layer * n_few) + layer * layers)
