"""What an artifact says about its model."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ArtifactLabels"]


@dataclass(frozen=True)
class ArtifactLabels:
    """What is stored in an artifact about the model that it holds.

    Attributes:
        name: Name of the model.
        prompt_template: The prompt it was trained on, or is to be asked with, holding ``{question}``; the runner uses
            it.
        license: Its license, if known.
        base: Name of the model it was trained from, if it was trained here.
        round: The round it comes from, if it comes from a run.
        quantization_aware: The tensor type whose rounding it was trained for, if any.
        trained: Whether it was trained on ``prompt_template``, so that its chat template must produce the same prompt;
            an untrained model keeps its own chat template.
    """

    name: str
    prompt_template: str
    license: str | None = None
    base: str | None = None
    round: int | None = None
    quantization_aware: str | None = None
    trained: bool = True
