"""Stdout and stderr of the command line: no control sequence of a stranger passes, and what fails there ends no work.

``guard_streams`` puts both behind a ``Guarded`` stream, so whatever is printed, by whichever library, goes through it.
Only rich, which writes colours and moves the cursor, gets the stream behind it from ``styled``; what it prints was made
visible before.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from fdd_edge.visible import encodable, visible

__all__ = ["Guarded", "guard", "guard_streams", "lost_output", "styled"]


class Guarded:
    """A text stream that shows control characters, and what its encoding lacks, as escapes.

    It has no ``buffer``, through which bytes could be written past it.
    """

    def __init__(self, stream: TextIO, *, needed: bool, behind: Guarded | None = None) -> None:
        """Guard a stream.

        Args:
            stream: Where the text goes.
            needed: If it fails, remember that, for ``lost_output``, and let a pipe that nobody reads end the work; else
                what cannot be printed is left out.
            behind: The stream that this one is the other side of: nothing is shown as escapes.
        """
        self._stream = stream
        self._needed = needed
        self._front = behind or self
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        if not isinstance(text, str):
            raise TypeError(f"a string is needed, not {type(text).__name__}")
        shown = encodable(visible(text) if self._front is self else text, self._stream.encoding)
        self._attempt(lambda: self._stream.write(shown))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is buffered."""
        self._attempt(self._stream.flush)

    def styled(self) -> Guarded:
        """Return the same stream for text that contains control sequences of ours."""
        return Guarded(self._stream, needed=self._needed, behind=self._front)

    def _attempt(self, action: Any) -> None:
        try:
            action()
        except BrokenPipeError:
            self._divert()
            if self._needed:
                raise
        except OSError as error:
            if self._needed:
                self._front.error = self._front.error or error
                self._divert()
        except ValueError:  # it is closed
            if self._needed:
                raise

    def _divert(self) -> None:
        """Send the rest, and what is still buffered, nowhere: Python would fail on it again when it exits."""
        with suppress(OSError, ValueError):
            number = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        if name in ("_stream", "buffer", "detach"):
            raise AttributeError(name)
        return getattr(self._stream, name)


def guard(stream: TextIO, *, needed: bool) -> TextIO:
    """Return a stream behind a guard; one that has a guard is returned as it is."""
    return stream if isinstance(stream, Guarded) else cast("TextIO", Guarded(stream, needed=needed))


def styled(stream: TextIO) -> TextIO:
    """Return the stream for text that contains control sequences of ours, such as colours."""
    if isinstance(stream, Guarded):
        # While one bar is shown, another one draws next to it, not through it.
        proxied = getattr(stream, "rich_proxied_file", None)
        return cast("TextIO", stream.styled()) if proxied is None else styled(proxied)
    return stream


def guard_streams() -> None:
    """Guard stdout and stderr, for good; if the process was started without one of its streams, open it.

    A file that is opened later would otherwise get the number of the closed stream, and libraries print to that.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if not _is_open(number):
            # Stdout gets a descriptor that cannot be written to: nothing would say that the result went nowhere.
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number, inheritable=True)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # for good
    sys.stdout = guard(sys.stdout, needed=True)
    sys.stderr = guard(sys.stderr, needed=False)


def lost_output() -> OSError | None:
    """Return the error that kept something from being printed on stdout, or None."""
    return sys.stdout.error if isinstance(sys.stdout, Guarded) else None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
