"""Turns an evaluation into the next round's data: labels problems easy or hard, and chooses which ones evolve."""

from fdd_edge.feedback.branching import Branch, Side, branches, offspring, without_offspring
from fdd_edge.feedback.feedback_options import POLICIES, Bands, EvolveOptions, Policy
from fdd_edge.feedback.labelling import LABELS, Label, LabelledProblem, Split, pass_rates, split_problems
from fdd_edge.feedback.sample import sample_new, sample_pool
from fdd_edge.feedback.turns import Turn, candidates_for, one_turn_each, wave_of

__all__ = [
    "LABELS",
    "POLICIES",
    "Bands",
    "Branch",
    "EvolveOptions",
    "Label",
    "LabelledProblem",
    "Policy",
    "Side",
    "Split",
    "Turn",
    "branches",
    "candidates_for",
    "offspring",
    "one_turn_each",
    "pass_rates",
    "sample_new",
    "sample_pool",
    "split_problems",
    "wave_of",
    "without_offspring",
]
