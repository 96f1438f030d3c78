"""Decides what may enter a training set: problems with a correct program, no duplicates, nothing from a test set.

Overlap is detected as in GPT-3's contamination study (Brown et al. 2020, arXiv 2005.14165, appendix C), by shared
13-grams, and also by equality with numbers masked, which is common among word problems.
"""

from fdd_edge.curation._admission import (
    Admission,
    Curated,
    ProgramStyle,
    check_examples,
    check_programs,
    curate,
    reject,
)
from fdd_edge.curation._leaks import find_copies, find_leaks
from fdd_edge.curation._reasons import Reason
from fdd_edge.curation._report import ReportRow, count_reasons, report
from fdd_edge.curation._solutions import check_solutions
from fdd_edge.curation._text import mask_numbers

__all__ = [
    "Admission",
    "Curated",
    "ProgramStyle",
    "Reason",
    "ReportRow",
    "check_examples",
    "check_programs",
    "check_solutions",
    "count_reasons",
    "curate",
    "find_copies",
    "find_leaks",
    "mask_numbers",
    "reject",
    "report",
]
