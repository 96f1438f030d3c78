"""Feedback-driven distillation of small math models, judged on the device they will run on."""

__version__ = "0.1.0"
