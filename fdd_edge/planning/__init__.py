"""What a run will take, from counts and speeds: arithmetic on plain numbers, which reads no file and runs no model."""

from fdd_edge.planning.comparison import Compared, compare
from fdd_edge.planning.figures_planned import Figure, Unit
from fdd_edge.planning.fitting import Knob, Shrunk, shrink
from fdd_edge.planning.forecast import Forecast, disk_of, forecast_parts, forecast_run
from fdd_edge.planning.shape import StudentShape
from fdd_edge.planning.span import Span
from fdd_edge.planning.speeds import FileSpeed, MachineSpeed, TorchPoint
from fdd_edge.planning.teacher_work import CallWork, TokensOfCall, guessed_tokens
from fdd_edge.planning.workload import EASY, Decoding, RoundWork, Texts, Training, Work, candidates, training_of

__all__ = [
    "EASY",
    "CallWork",
    "Compared",
    "Decoding",
    "Figure",
    "FileSpeed",
    "Forecast",
    "Knob",
    "MachineSpeed",
    "RoundWork",
    "Shrunk",
    "Span",
    "StudentShape",
    "Texts",
    "TokensOfCall",
    "TorchPoint",
    "Training",
    "Unit",
    "Work",
    "candidates",
    "compare",
    "disk_of",
    "forecast_parts",
    "forecast_run",
    "guessed_tokens",
    "shrink",
    "training_of",
]
