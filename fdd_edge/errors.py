"""What a user can mend. Anything else that goes wrong is a bug and keeps its traceback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = ["FddError", "GateError", "MissingExtraError", "ParityError", "TargetError", "did_you_mean", "no_file"]


class FddError(Exception):
    """A fault the user can mend; the message is one plain sentence that says how."""

    exit_code = 2


class GateError(FddError):
    """A round does not keep a gate of its config."""

    exit_code = 3


class ParityError(FddError):
    """An artifact does not answer as the float model it was made from.

    Attributes:
        artifacts: What the others are, which passed and are in their places.
    """

    exit_code = 4

    def __init__(self, message: str, artifacts: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.artifacts = list(artifacts)


class TargetError(FddError):
    """A target could not be reached, or its runtime failed there."""

    exit_code = 6


class MissingExtraError(FddError):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. Install it with: pip install 'fdd-edge[{extra}]'")


def no_file(name: str | Path) -> FddError:
    """Return what is the matter with a path at which no regular file is."""
    path = Path(name).expanduser()
    if path.is_dir():
        return FddError(f"{name} is a folder; name a file.")
    return FddError(f"{name} is not a regular file." if path.exists() else f"{name} does not exist.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to ``name``, or nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
