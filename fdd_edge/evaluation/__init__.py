"""Scores completions against gold answers, with confidence intervals. It runs no models."""

from fdd_edge.evaluation.scorer import Summary, score, summarize
from fdd_edge.intervals import Interval, mcnemar, paired_difference, paired_share_difference, wilson

__all__ = [
    "Interval",
    "Summary",
    "mcnemar",
    "paired_difference",
    "paired_share_difference",
    "score",
    "summarize",
    "wilson",
]
