"""Scores completions against gold answers, with confidence intervals. It runs no models."""

from fdd_edge.evaluation.comparing import Difference, compare_replies
from fdd_edge.evaluation.cut_replies import CutReplies, count_cut, fills_context
from fdd_edge.evaluation.doubts import doubts_about
from fdd_edge.evaluation.scored_reply import ScoredReply
from fdd_edge.evaluation.scorer import Summary, score, summarize
from fdd_edge.evaluation.voting import Majority, Votes, majorities, majority_of, samples_of
from fdd_edge.evaluation.wording import same_question
from fdd_edge.intervals import (
    Interval,
    clustered_share_difference,
    clustered_wilson,
    holm,
    mcnemar,
    paired_difference,
    paired_share_difference,
    wilson,
)

__all__ = [
    "CutReplies",
    "Difference",
    "Interval",
    "Majority",
    "ScoredReply",
    "Summary",
    "Votes",
    "clustered_share_difference",
    "clustered_wilson",
    "compare_replies",
    "count_cut",
    "doubts_about",
    "fills_context",
    "holm",
    "majorities",
    "majority_of",
    "mcnemar",
    "paired_difference",
    "paired_share_difference",
    "same_question",
    "samples_of",
    "score",
    "summarize",
    "wilson",
]
