"""What follows from an evaluation: which problems are easy or hard, and which evolve into what."""

from fdd_edge.feedback.branching import POLICIES, Branch, Policy, Side, branches, offspring, without_offspring
from fdd_edge.feedback.labelling import LABELS, Label, LabelledProblem, Split, pass_rates, split_problems
from fdd_edge.feedback.sample import sample_new, sample_pool

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
    "offspring",
    "pass_rates",
    "sample_new",
    "sample_pool",
    "split_problems",
    "without_offspring",
]
