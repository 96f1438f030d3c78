"""What every transport gives: an open runner that turns waves into completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fdd_edge.ondevice.protocol import Score, Scores, TargetInfo, Totals, Wave, WaveResult

__all__ = ["EQUAL", "Session"]

EQUAL = ("runtime", "runtime_version", "system_info", "machine", "cpu", "cpu_features")
"""What the devices of one set of rows have in common, so that it does not matter which of them decoded a wave."""


class Session(Protocol):
    """A model that is loaded on a target."""

    @property
    def info(self) -> TargetInfo:
        """What the target, its runtime and the loaded file are."""

    @property
    def runners(self) -> int:
        """How many runners share the waves."""

    @property
    def totals(self) -> Totals:
        """What the session cost, peak memory included.

        Raises:
            RuntimeError: The session is still open.
        """

    def complete(self, waves: Iterable[Wave], on_progress: Callable[[int], None] | None = None) -> Iterator[WaveResult]:
        """Decode waves and yield each result when it is whole: in their order, or in that in which a pool finishes.

        What was yielded is the caller's, whatever happens later: to go on after a failure, open a session and send
        the waves that are missing.

        Args:
            waves: The waves.
            on_progress: Called with the number of problems that this call has finished.

        Raises:
            TargetError: The runner died.
            FddError: The runner said why it cannot go on.
        """

    def score(self, texts: Iterable[Score], on_progress: Callable[[int], None] | None = None) -> Iterator[Scores]:
        """Score what another runtime wrote, text by text.

        Args:
            texts: Its prompts and replies.
            on_progress: Called with the number of texts that are done.

        Raises:
            TargetError: The runner died.
            FddError: The runner said why it cannot go on.
        """
