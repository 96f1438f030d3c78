"""Scores completions against gold answers, and says how sure the figures are. It runs nothing."""

from fdd_edge.evaluation.score import Summary, score, summarize
from fdd_edge.statistics import Interval, wilson

__all__ = ["Interval", "Summary", "score", "summarize", "wilson"]
