"""What follows from an evaluation: which problems are easy or hard, and which evolve into what."""

from fdd_edge.feedback.evolve import Branch, branches, offspring
from fdd_edge.feedback.sample import sample_pool
from fdd_edge.feedback.split import LABELS, Label, LabelledProblem, Split, pass_rates, split_problems

__all__ = [
    "LABELS",
    "Branch",
    "Label",
    "LabelledProblem",
    "Split",
    "branches",
    "offspring",
    "pass_rates",
    "sample_pool",
    "split_problems",
]
