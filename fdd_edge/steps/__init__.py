"""The steps of a run, each as a stage of its folder: what it is made from, and which function makes it."""

from fdd_edge.steps.artifacts import export_student, failed_certificates, models, restore_models
from fdd_edge.steps.data import check_reserve, dataset_specs, gather_data, read_problem_sets
from fdd_edge.steps.evaluation import evaluate_reported, evaluate_untuned
from fdd_edge.steps.feedback import curate_problems, evolve_problems, split_by_judge
from fdd_edge.steps.gates import check_gates, judge_rounds
from fdd_edge.steps.run import Run
from fdd_edge.steps.training import train_student

__all__ = [
    "Run",
    "check_gates",
    "check_reserve",
    "curate_problems",
    "dataset_specs",
    "evaluate_reported",
    "evaluate_untuned",
    "evolve_problems",
    "export_student",
    "failed_certificates",
    "gather_data",
    "judge_rounds",
    "models",
    "read_problem_sets",
    "restore_models",
    "split_by_judge",
    "train_student",
]
