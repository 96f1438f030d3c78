"""The program language: find the program in a model's reply, normalize it and run it safely.

A program is straight-line Python that ends in ``answer = ...`` (program-of-thought rationales, arXiv 2211.12588). It
is interpreted from its syntax tree and never executed by Python. The specification is ``docs/program-language.md``.
"""

from ..verdicts import Verdict
from ._count import count_operations
from ._interpret import run_program
from ._last_number import last_number
from ._marked_number import marked_number
from ._normal import normalize
from ._number_reader import plain_separators
from ._program_error import ProgramError
from ._reply import Outcome, judge_reply
from ._scales import COUNTED_SCALES, MONEY_SCALES, PARTS, SCALES

__all__ = [
    "COUNTED_SCALES",
    "MONEY_SCALES",
    "PARTS",
    "SCALES",
    "Outcome",
    "ProgramError",
    "Verdict",
    "count_operations",
    "judge_reply",
    "last_number",
    "marked_number",
    "normalize",
    "plain_separators",
    "run_program",
]
