"""Feedback-driven distillation of small math models, judged on the device they will run on.

Every command but ``targets`` is a function: ``run``, ``plan``, ``train``, ``export``, ``certify`` (``fdd-edge
parity``), ``evaluate`` (``fdd-edge eval``), ``split``, ``evolve``, ``ledger`` and ``import_replies`` (``fdd-edge
ledger``), ``bench``, ``solve``, ``doctor``, ``cache_info`` and ``clean_cache`` (``fdd-edge cache``), and ``ls``. They
return a ``Result``, and so does ``load_run``, which opens a run folder; ``load`` returns a ``Model``, held open for
many questions. Errors that the caller can fix are raised as ``FddError`` or one of its subclasses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdd_edge.api import (
        bench,
        cache_info,
        certify,
        clean_cache,
        doctor,
        evaluate,
        evolve,
        export,
        import_replies,
        ledger,
        load,
        load_run,
        ls,
        plan,
        run,
        solve,
        split,
        train,
    )
    from fdd_edge.errors import (
        BudgetError,
        EndpointError,
        FddError,
        GateError,
        MissingExtraError,
        ParityError,
        TargetError,
    )
    from fdd_edge.loaded_model import Model
    from fdd_edge.ondevice.protocol import Completion
    from fdd_edge.operations.bench import MeasuredDevice, Measurement
    from fdd_edge.operations.cached_files import CachedKind, CacheInfo
    from fdd_edge.operations.listing import Listing
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.ledger_report import CallGroup, LedgerReport
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.pipeline.run_plan import RunPlan, TooMuch
    from fdd_edge.planning import Compared, Figure
    from fdd_edge.result_base import Result
    from fdd_edge.results import (
        DoctorResult,
        EvaluationResult,
        EvolveResult,
        ExportedArtifact,
        ExportResult,
        Solution,
        SplitResult,
        TrainResult,
    )
    from fdd_edge.run_result import RoundResult, RunResult
    from fdd_edge.targets.diagnostics import Check
    from fdd_edge.teachers.ledger.imported import ImportedReplies

__version__ = "0.2.0"

__all__ = [
    "BudgetError",
    "CacheInfo",
    "CachedKind",
    "CallGroup",
    "Certificate",
    "Check",
    "Compared",
    "Completion",
    "DoctorResult",
    "EndpointError",
    "EvaluationResult",
    "EvolveResult",
    "ExportResult",
    "ExportedArtifact",
    "FddError",
    "Figure",
    "GateError",
    "ImportedReplies",
    "LedgerReport",
    "Listing",
    "MeasuredDevice",
    "Measurement",
    "MissingExtraError",
    "Model",
    "ParityError",
    "Result",
    "RoundResult",
    "RoundSummary",
    "RunPlan",
    "RunResult",
    "Solution",
    "SplitResult",
    "TargetError",
    "TooMuch",
    "TrainResult",
    "__version__",
    "bench",
    "cache_info",
    "certify",
    "clean_cache",
    "doctor",
    "evaluate",
    "evolve",
    "export",
    "import_replies",
    "ledger",
    "load",
    "load_run",
    "ls",
    "plan",
    "run",
    "solve",
    "split",
    "train",
]

_MODULES = {
    "errors": (
        "BudgetError",
        "EndpointError",
        "FddError",
        "GateError",
        "MissingExtraError",
        "ParityError",
        "TargetError",
    ),
    "loaded_model": ("Model",),
    "ondevice.protocol": ("Completion",),
    "operations.bench": ("MeasuredDevice", "Measurement"),
    "operations.cached_files": ("CacheInfo", "CachedKind"),
    "pipeline.ledger_report": ("CallGroup", "LedgerReport"),
    "operations.listing": ("Listing",),
    "parity": ("Certificate",),
    "pipeline.round_summary": ("RoundSummary",),
    "pipeline.run_plan": ("RunPlan", "TooMuch"),
    "planning": ("Compared", "Figure"),
    "result_base": ("Result",),
    "run_result": ("RoundResult", "RunResult"),
    "targets.diagnostics": ("Check",),
    "teachers.ledger.imported": ("ImportedReplies",),
}
"""Where classes are defined; those that are not named here are in ``results``, and functions in ``api``."""


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that importing the package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    usual = "results" if name[0].isupper() else "api"
    module = next((module for module, names in _MODULES.items() if name in names), usual)
    return getattr(import_module(f"{__name__}.{module}"), name)
