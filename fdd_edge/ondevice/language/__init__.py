"""The program language: find the program in a model's reply, normalize it and run it safely.

A program is straight-line Python that ends in ``answer = ...`` (program-of-thought rationales, arXiv 2211.12588). It
is interpreted from its syntax tree and never executed by Python. The specification is ``docs/program-language.md``.
"""

from ..verdicts import Verdict
from ._amount import may_change_value
from ._box import is_whole_box
from ._count import count_operations
from ._interpret import run_program
from ._last_number import last_number
from ._line_values import LineValue, line_values
from ._marked_number import marked_number
from ._normal import normalize
from ._plain_text import plain_separators
from ._program_error import ProgramError
from ._reply import Computed, Outcome, compute, judge_reply
from ._terse import terse

__all__ = [
    "Computed",
    "LineValue",
    "Outcome",
    "ProgramError",
    "Verdict",
    "compute",
    "count_operations",
    "is_whole_box",
    "judge_reply",
    "last_number",
    "line_values",
    "marked_number",
    "may_change_value",
    "normalize",
    "plain_separators",
    "run_program",
    "terse",
]
