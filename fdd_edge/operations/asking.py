"""How problems are put to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fdd_edge.artifacts.model_facts import ModelFacts
from fdd_edge.ondevice.protocol import Decoding, Settings, Shot
from fdd_edge.ondevice.verdicts import AnswerRule
from fdd_edge.progress import announce
from fdd_edge.targets import TargetRuntime, is_emulated

__all__ = ["Asking", "announce_prompt"]


@dataclass(frozen=True)
class Asking:
    """How problems are put to a model, and how its replies are decoded.

    Attributes:
        decoding: How replies are decoded.
        num_return_sequences: Replies per problem.
        seed: Draws, if the temperature is above 0.
        answer: ``program``; for free-form text ``number``, the number that it marks as its answer or else its last
            one, or ``last-number``.
        prompt: A template that holds ``{question}``, ``chat``, or None for the file's own.
        examples: Worked examples before the question.
    """

    decoding: Decoding = Decoding()
    num_return_sequences: int = 1
    seed: int = 0
    answer: AnswerRule = "program"
    prompt: str | None = None
    examples: tuple[Shot, ...] = ()

    @property
    def together(self) -> int:
        """How many replies are decoded at a time."""
        return min(self.decoding.batch_size, self.decoding.wave)

    def on(self, runtime: TargetRuntime) -> Asking:
        """Return the same with the number of threads that the target will use."""
        return replace(self, decoding=replace(self.decoding, threads=runtime.threads(self.decoding.threads)))

    def leaves_attention_open(self, runtime: TargetRuntime) -> bool:
        """Return whether the attention follows from a measurement of the target; see ``attention_choice``."""
        is_open = self.decoding.flash_attention is None and self.together > 1
        return is_open and runtime.family == "gguf" and not is_emulated(runtime.profile)

    def with_attention(self, *, flash: bool) -> Asking:
        """Return the same with flash attention or without it."""
        return replace(self, decoding=replace(self.decoding, flash_attention=flash))

    def settings(self, runtime: TargetRuntime) -> Settings:
        """Return what the runner of a target needs to know; attention that was left open is the standard one."""
        return Settings(decoding=self.on(runtime).decoding, seed=self.seed, answer=self.answer)


def announce_prompt(artifact: Path, facts: ModelFacts, prompt: str | None) -> None:
    """Announce that a file which stores no prompt is asked through its chat template, if it has one."""
    if prompt is None and facts.prompt_template is None and facts.has_chat_template:
        announce(f"{artifact.name} stores no prompt, so questions go through its chat template (prompt: chat)")
