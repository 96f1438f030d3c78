"""Errors that the user can fix. Anything else that goes wrong is a bug and keeps its traceback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from fdd_edge.visible import visible

__all__ = [
    "BudgetError",
    "EndpointError",
    "EndpointSetupError",
    "FddError",
    "GateError",
    "MissingExtraError",
    "ParityError",
    "TargetError",
    "WaitingError",
    "did_you_mean",
    "no_file",
]


class FddError(Exception):
    """An error that the user can fix; the message is one plain sentence that says how."""

    exit_code = 2

    def __str__(self) -> str:
        """Return the message, in which names of files and data cannot steer a terminal."""
        return visible(super().__str__())


class GateError(FddError):
    """A round fails a gate of its config."""

    exit_code = 3


class ParityError(FddError):
    """An artifact does not match its reference model.

    Attributes:
        artifacts: Descriptions of the other artifacts, which passed and have been written.
    """

    exit_code = 4

    def __init__(self, message: str, artifacts: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(message)
        self.artifacts = [dict(artifact) for artifact in artifacts]


class BudgetError(FddError):
    """The budget for language models is used up; what was accepted is kept, and a larger budget goes on from there."""

    exit_code = 5


class WaitingError(FddError):
    """Requests to a language model were written to files, and their replies have not been imported yet.

    Attributes:
        waiting: A sentence for each file.
        next_step: What to do with all of them.
    """

    exit_code = 7

    def __init__(self, waiting: Sequence[str], next_step: str) -> None:
        super().__init__("\n".join([*waiting, next_step]))
        self.waiting, self.next_step = tuple(waiting), next_step


class TargetError(FddError):
    """A target cannot be reached, or the runtime failed on it."""

    exit_code = 6


class EndpointError(FddError):
    """An endpoint of a language model does not answer any more; what it answered is kept."""

    exit_code = 6


class EndpointSetupError(EndpointError):
    """An endpoint answers, but not with these settings: the key, the model or the address is wrong."""

    exit_code = 2


class MissingExtraError(FddError):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. Install it with: pip install 'fdd-edge[{extra}]'")


def no_file(name: str | Path) -> FddError:
    """Return the error for a path that is not a regular file."""
    path = Path(name).expanduser()
    if path.is_dir():
        return FddError(f"{name} is a folder; name a file.")
    return FddError(f"{name} is not a regular file." if path.exists() else f"{name} does not exist.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name closest to ``name``, or an empty string."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
