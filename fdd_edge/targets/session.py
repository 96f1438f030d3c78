"""The interface of all transports: an open runner that turns waves into completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fdd_edge.errors import TargetError
from fdd_edge.ondevice.protocol import Score, Scores, TargetInfo, Totals, Wave, WaveResult

__all__ = ["IDENTICAL_FIELDS", "FalseAnswerError", "OnWithdrawn", "Session"]

IDENTICAL_FIELDS = (
    *("runtime", "runtime_version", "system_info", "machine", "cpu", "cpu_features"),
    *("model", "n_params", "n_ctx_train", "special", "prompt", "flash_attention"),
)
"""Fields of ``TargetInfo`` that must be identical on all devices that share a data set, so that it does not matter
which of them decoded a wave."""

OnWithdrawn = Callable[[frozenset[int]], None]
"""Takes the numbers of waves whose results no longer count; they are decoded again."""


class FalseAnswerError(TargetError):
    """A runner sent what no honest runner sends, so nothing that it said before counts either.

    Attributes:
        waves: The numbers of the waves that it answered; None for all of the session.
    """

    def __init__(self, message: str, waves: frozenset[int] | None = None) -> None:
        super().__init__(message)
        self.waves = waves


class Session(Protocol):
    """A model that is loaded on a target."""

    @property
    def info(self) -> TargetInfo:
        """Describes the target, its runtime and the loaded model."""

    @property
    def runners(self) -> int:
        """Number of runners that share the waves."""

    @property
    def totals(self) -> Totals:
        """What the session cost, including peak memory.

        Raises:
            RuntimeError: The session is still open.
        """

    def complete(
        self,
        waves: Iterable[Wave],
        on_progress: Callable[[int], None] | None = None,
        on_withdrawn: OnWithdrawn | None = None,
    ) -> Iterator[WaveResult]:
        """Decode waves and yield each result when it is complete; a pool yields them in the order of completion.

        Results that were yielded stay valid if a later wave fails, unless a runner is caught lying. To resume after a
        failure, open a new session and send the missing waves.

        Args:
            waves: The waves.
            on_progress: Called with the number of problems finished in this call.
            on_withdrawn: Called when a board of a pool is caught lying, with the waves that it had answered. They are
                yielded again, so of two results of a wave the later one counts.

        Raises:
            FalseAnswerError: The runner lied, and there is no other.
            TargetError: The runner died, or the connection was lost.
            FddError: The runner reported that it cannot continue.
        """

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Score texts that another runtime wrote.

        Args:
            texts: Its prompts and replies.
            on_progress: Called with the number of finished texts.

        Raises:
            TargetError: The runner died, or the connection was lost.
            FddError: The runner reported that it cannot continue.
        """
