"""What follows from an evaluation: which problems are easy or hard, and which evolve into what."""

from fdd_edge.feedback.evolve import POLICIES, Branch, Policy, Side, branches, childless, offspring
from fdd_edge.feedback.sample import sample_new, sample_pool
from fdd_edge.feedback.split import LABELS, Label, LabelledProblem, Split, pass_rates, split_problems

__all__ = [
    "LABELS",
    "POLICIES",
    "Branch",
    "Label",
    "LabelledProblem",
    "Policy",
    "Side",
    "Split",
    "branches",
    "childless",
    "offspring",
    "pass_rates",
    "sample_new",
    "sample_pool",
    "split_problems",
]
