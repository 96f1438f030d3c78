"""Scores completions against gold answers, and says how sure the figures are. It runs nothing."""

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
