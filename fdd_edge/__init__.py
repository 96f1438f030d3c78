"""Feedback-driven distillation of small math models, judged on the device they will run on.

Every command is a function: ``run``, ``train``, ``export``, ``certify`` (``fdd-edge parity``), ``evaluate``, ``split``,
``evolve``, ``bench``, ``solve``, ``doctor`` and ``ls``. ``load`` holds a model open for many questions, ``load_run``
opens a run folder. Errors that the caller can fix are raised as ``FddError`` or one of its subclasses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdd_edge.api import (
        bench,
        certify,
        doctor,
        evaluate,
        evolve,
        export,
        load,
        load_run,
        ls,
        run,
        solve,
        split,
        train,
    )
    from fdd_edge.errors import FddError, GateError, MissingExtraError, ParityError, TargetError
    from fdd_edge.loaded_model import Model

__version__ = "0.2.0"

_ERRORS = ("FddError", "GateError", "MissingExtraError", "ParityError", "TargetError")

__all__ = [
    "FddError",
    "GateError",
    "MissingExtraError",
    "Model",
    "ParityError",
    "TargetError",
    "__version__",
    "bench",
    "certify",
    "doctor",
    "evaluate",
    "evolve",
    "export",
    "load",
    "load_run",
    "ls",
    "run",
    "solve",
    "split",
    "train",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Load a function when it is first used, so that importing the package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _ERRORS:
        from fdd_edge import errors

        return getattr(errors, name)
    if name == "Model":
        from fdd_edge.loaded_model import Model

        return Model
    from fdd_edge import api

    return getattr(api, name)
