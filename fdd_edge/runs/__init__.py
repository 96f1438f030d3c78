"""A run on disk: where each file is, how a stage is made completely or not at all, and who may write."""

from fdd_edge.runs.atomic import write_atomic
from fdd_edge.runs.layout import ArtifactsLayout, RoundLayout, RunLayout
from fdd_edge.runs.lock import run_lock
from fdd_edge.runs.manifest import Manifest
from fdd_edge.runs.stage import PrunedInputError, Stages

__all__ = [
    "ArtifactsLayout",
    "Manifest",
    "PrunedInputError",
    "RoundLayout",
    "RunLayout",
    "Stages",
    "run_lock",
    "write_atomic",
]
