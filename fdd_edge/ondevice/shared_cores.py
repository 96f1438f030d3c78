"""Share the cores with other programs: wait without keeping a core busy, and use the threads that get one.

The threads of a model wait for one another after every operation, thousands of times a second. If other programs use
the cores, each such wait spins until a thread that is not running gets its turn, and uses up the time in which it could
have run: decoding was up to 400 times slower, and training 5 to 20 times. So a thread spins briefly and then sleeps,
and llama.cpp is given fewer threads while there are fewer free cores.

Both are done on x86 only. There a token's logits are the same bits with any number of threads (tests compare them); and
on ARM OpenMP's own spinning ends 20 times sooner, because its pause instruction takes no time.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["SPIN_MICROSECONDS", "ThreadChoice", "shares_cores", "spin_briefly"]

SPIN_MICROSECONDS = 50
"""How long a thread spins before it sleeps: about what waking it costs, so that a wait never costs more than twice what
the better of the two, spinning or sleeping, would have."""

_SPINS = 2000
"""The same for GNU OpenMP, which counts its looks at the lock."""

_WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

_WINDOW = 0.05
"""Seconds over which threads are watched: several turns of the scheduler, which are 3 to 4 ms."""

_RUNNING = 0.75
"""Share of a core that each thread must get, on average."""

_PAUSES = (0.25, 2.0)
"""The first and the longest time, in seconds, until more threads are tried again; each failure doubles it."""


def shares_cores() -> bool:
    """Return whether threads may be chosen by the free cores here: the number must not change a result."""
    return os.uname().machine == "x86_64"


def spin_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads spin briefly and then sleep; what the user has set stays.

    For a process of our own, before a library loads OpenMP, which reads the environment only then.
    """
    if shares_cores() and not any(name in environment for name in _WAIT_VARIABLES):
        environment["GOMP_SPINCOUNT"] = str(_SPINS)


class ThreadChoice:
    """How many threads to use, by what those before got: all of them, or fewer while other programs use the cores.

    Attributes:
        threads: To use next.
    """

    def __init__(self, most: int) -> None:
        self.threads = self._most = self._good = most
        self._seconds = self._cpu_seconds = 0.0
        self._pause, self._left = _PAUSES[0], 0.0

    def note(self, seconds: float, cpu_seconds: float) -> bool:
        """Take into account how long a call took, and how much processor time; return whether ``threads`` changed."""
        self._seconds += seconds
        self._cpu_seconds += cpu_seconds
        if self._seconds < _WINDOW:
            return False
        before, got = self.threads, self._cpu_seconds / self._seconds
        if before > 1 and got < _RUNNING * before:
            # More than before were being tried, or else programs were started meanwhile.
            self.threads = self._good if self._good < before else max(1, min(before - 1, round(got)))
            self._left = self._pause
            self._pause = min(2 * self._pause, _PAUSES[1])
        elif before < self._most:
            self._left -= self._seconds
            if self._left <= 0:
                self._good, self.threads = before, before + -(-(self._most - before) // 2)
        else:
            self._good, self._pause = before, _PAUSES[0]
        self._seconds = self._cpu_seconds = 0.0
        return self.threads != before
