"""Feedback-driven distillation of small math models, judged on the device they will run on.

Every command but ``init`` and ``targets`` is a function: ``run``, ``validate``, ``plan``, ``train``, ``export``,
``certify`` (``fdd-edge parity``), ``evaluate`` (``fdd-edge eval``), ``rows``, ``compare``, ``report``, ``split``,
``evolve``, ``ledger`` and ``import_replies`` (``fdd-edge ledger``), ``bench``, ``solve``, ``doctor``, ``cache_info``
and ``clean_cache`` (``fdd-edge cache``), and ``ls`` with ``list_runs`` (``fdd-edge ls runs``). They return a
``Result``, and so does ``load_run``, which opens a run folder; ``load`` returns a ``Model``, held open for many
questions. Errors that the caller can fix are raised as ``FddError`` or one of its subclasses.
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
        compare,
        doctor,
        evaluate,
        evaluate_all,
        evolve,
        export,
        import_replies,
        ledger,
        list_runs,
        load,
        load_run,
        ls,
        plan,
        report,
        rows,
        run,
        solve,
        split,
        train,
        validate,
        verify,
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
    from fdd_edge.evaluation import Difference, ScoredReply
    from fdd_edge.loaded_model import Model
    from fdd_edge.ondevice.protocol import Completion
    from fdd_edge.operations.bench import MeasuredDevice, Measurement
    from fdd_edge.operations.cached_files import CachedKind, CacheInfo
    from fdd_edge.operations.listing import Listing
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.findings import Finding, Verification
    from fdd_edge.pipeline.ledger_report import CallGroup, LedgerReport
    from fdd_edge.pipeline.paired_comparison import Comparison, ComparisonRow, Contestant
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.pipeline.run_listing import ListedRun, RunList
    from fdd_edge.pipeline.run_plan import RunPlan, TooMuch
    from fdd_edge.pipeline.shown_rows import RowsResult, ShownRow
    from fdd_edge.pipeline.validation import ValidConfig
    from fdd_edge.planning import Compared, Figure
    from fdd_edge.reporting import ReportResult
    from fdd_edge.result_base import Result
    from fdd_edge.results import (
        DoctorResult,
        EvaluationResult,
        EvaluationTable,
        EvolveResult,
        ExportedArtifact,
        ExportResult,
        Solution,
        SplitResult,
        TableEntry,
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
    "Comparison",
    "ComparisonRow",
    "Completion",
    "Contestant",
    "Difference",
    "DoctorResult",
    "EndpointError",
    "EvaluationResult",
    "EvaluationTable",
    "EvolveResult",
    "ExportResult",
    "ExportedArtifact",
    "FddError",
    "Figure",
    "Finding",
    "GateError",
    "ImportedReplies",
    "LedgerReport",
    "ListedRun",
    "Listing",
    "MeasuredDevice",
    "Measurement",
    "MissingExtraError",
    "Model",
    "ParityError",
    "ReportResult",
    "Result",
    "RoundResult",
    "RoundSummary",
    "RowsResult",
    "RunList",
    "RunPlan",
    "RunResult",
    "ScoredReply",
    "ShownRow",
    "Solution",
    "SplitResult",
    "TableEntry",
    "TargetError",
    "TooMuch",
    "TrainResult",
    "ValidConfig",
    "Verification",
    "__version__",
    "bench",
    "cache_info",
    "certify",
    "clean_cache",
    "compare",
    "doctor",
    "evaluate",
    "evaluate_all",
    "evolve",
    "export",
    "import_replies",
    "ledger",
    "list_runs",
    "load",
    "load_run",
    "ls",
    "plan",
    "report",
    "rows",
    "run",
    "solve",
    "split",
    "train",
    "validate",
    "verify",
]

_MODULES = {
    "evaluation": ("Difference", "ScoredReply"),
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
    "pipeline.paired_comparison": ("Comparison", "ComparisonRow", "Contestant"),
    "pipeline.findings": ("Finding", "Verification"),
    "pipeline.ledger_report": ("CallGroup", "LedgerReport"),
    "operations.listing": ("Listing",),
    "parity": ("Certificate",),
    "pipeline.round_summary": ("RoundSummary",),
    "pipeline.run_listing": ("ListedRun", "RunList"),
    "pipeline.run_plan": ("RunPlan", "TooMuch"),
    "pipeline.shown_rows": ("RowsResult", "ShownRow"),
    "pipeline.validation": ("ValidConfig",),
    "planning": ("Compared", "Figure"),
    "reporting": ("ReportResult",),
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
