"""Feedback-driven distillation of small math models, judged on the device they will run on.

``run``, ``export``, ``certify``, ``evaluate``, ``bench`` and ``solve`` mirror the commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdd_edge.api import bench, certify, evaluate, evolve, export, run, solve, split

__version__ = "0.1.0"

__all__ = ["__version__", "bench", "certify", "evaluate", "evolve", "export", "run", "solve", "split"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Load a function when it is asked for, so that importing the package costs nothing."""
    if name in __all__:
        from fdd_edge import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
