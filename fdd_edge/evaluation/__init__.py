"""Scores completions against gold answers, with confidence intervals. It runs no models."""

from fdd_edge.evaluation.scorer import Summary, same_question, score, summarize
from fdd_edge.intervals import (
    Interval,
    clustered_share_difference,
    clustered_wilson,
    mcnemar,
    paired_difference,
    paired_share_difference,
    wilson,
)

__all__ = [
    "Interval",
    "Summary",
    "clustered_share_difference",
    "clustered_wilson",
    "mcnemar",
    "paired_difference",
    "paired_share_difference",
    "same_question",
    "score",
    "summarize",
    "wilson",
]
