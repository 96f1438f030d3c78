"""What a run has to do, in counts: problems, tokens, steps, replies, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fdd_edge.planning.span import Span

__all__ = ["EASY", "Decoding", "RoundWork", "Texts", "Training", "Work", "candidates", "training_of"]

EASY = (0.2, 0.8)
"""The lowest and the highest share of the labelled problems that may be easy."""


@dataclass(frozen=True)
class Texts:
    """How long texts are, in tokens.

    Attributes:
        question: Of a prompt, without what all prompts share.
        shared: What all prompts begin with.
        reply: Of a program, with the id that ends it.
    """

    question: float
    shared: float
    reply: float

    @property
    def example(self) -> float:
        """Of a problem that is trained on."""
        return self.question + self.shared + self.reply


@dataclass(frozen=True)
class Decoding:
    """A set of problems that an artifact answers on this machine.

    Attributes:
        recipe: Of the artifact.
        replies: How many are written.
        texts: How long they are; with worked examples, ``shared`` holds them.
        longest: Tokens of the longest reply that is allowed.
        wave: Replies that are decoded as a unit.
    """

    recipe: str
    replies: Span
    texts: Texts
    longest: int
    wave: int


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        examples: Problems that it sees, each as often as it is repeated.
        batches: Forward and backward passes.
        tokens: That it trains on, all epochs together.
        valid_tokens: Of the validation loss, all evaluations together.
    """

    examples: Span
    batches: Span
    tokens: Span
    valid_tokens: float


@dataclass(frozen=True)
class RoundWork:
    """What a round does on this machine, or the untuned student's part.

    Attributes:
        exported: Recipes of the artifacts that are written.
        certified: Recipes of those that get a certificate.
        measured: Recipes of those whose cost is measured, once for each target that is this machine.
        decodings: Sets that are answered.
        texts: Those of the certificates.
        training: None for the untuned student.
        unproved: Recipes among the certified ones whose rounding cannot be repeated, so that all prompts are answered.
    """

    exported: Sequence[str]
    certified: Sequence[str]
    measured: Sequence[str]
    decodings: Sequence[Decoding]
    texts: Texts
    training: Training | None = None
    unproved: Sequence[str] = ()


@dataclass(frozen=True)
class Work:
    """What a run does.

    Attributes:
        parts: The rounds, and then the untuned student's part if it is evaluated.
        parameters: Weights of the student.
        sizes: Bytes of each artifact, by recipe.
        prompts: Prompts that are answered for the certificate of an unproved recipe.
        few_prompts: Those that are answered for the others, as long as they settle it.
        longest_reply: Tokens of the longest reply to them.
        rounds_weights: Whether training rounds weights as a recipe does.
        kept: How many earlier rounds' models are on the disk while a round is made.
        reference_bytes: What the reference's outputs for certificates take, once a part.
    """

    parts: Sequence[RoundWork]
    parameters: int
    sizes: Mapping[str, float]
    prompts: int
    few_prompts: int
    longest_reply: int
    rounds_weights: bool
    kept: int
    reference_bytes: float = 0.0


def candidates(
    labelled: float, per_easy: int, per_hard: int, *, easy: float, between: Span | None = None
) -> dict[str, Span]:
    """Predict how many new problems a round asks its teacher for, by purpose.

    Args:
        labelled: Problems that are labelled.
        per_easy: More complex ones for each that is easy.
        per_hard: Similar ones for each that is hard.
        easy: Share of the labelled problems that are easy, which is only known once they are labelled.
        between: How many are asked for in all, if a number is to be reached: then the others only say of which kind.
    """
    once = {"complexify": easy * labelled * per_easy, "similar": (1 - easy) * labelled * per_hard}
    total = sum(once.values())
    if between is None or not total:
        return {purpose: Span.of(n) for purpose, n in once.items()}
    return {purpose: between * (n / total) for purpose, n in once.items()}


def training_of(
    examples: Span,
    tokens: float,
    *,
    epochs: float,
    batch: int,
    accumulation: int,
    max_tokens: int | None,
    eval_steps: int | None,
    valid_tokens: float,
) -> Training:
    """Return the work of a training.

    Args:
        examples: Problems.
        tokens: Of one, prompt and program.
        epochs: Passes over them, if ``max_tokens`` does not say.
        batch: Examples of a batch.
        accumulation: Batches of a step.
        max_tokens: Tokens to train on in all; None for whole epochs.
        eval_steps: Steps between two evaluations; None for one an epoch.
        valid_tokens: Of one evaluation.
    """

    def one(n: float) -> tuple[float, float]:
        passes = max_tokens / max(1.0, n * tokens) if max_tokens is not None else epochs
        return passes, max(1.0, -(-n // (batch * accumulation)) * passes)

    (low_passes, low), (high_passes, high) = one(examples.low), one(examples.high)
    evaluations = high / eval_steps if eval_steps is not None else -(-high_passes // 1)
    return Training(
        examples,
        Span(low, high) * accumulation,
        Span(examples.low * tokens * low_passes, examples.high * tokens * high_passes),
        valid_tokens * evaluations,
    )
