"""What may enter a training set: programs that run and are right, no question twice, none of a test set.

Overlap is judged as in GPT-3's contamination study (Brown et al. 2020, arXiv 2005.14165, appendix C), by shared
13-grams, and besides by equality under other numbers, which word problems are prone to.
"""

from fdd_edge.curation._curate import Curated, curate, reject, with_right_programs
from fdd_edge.curation._reasons import Reason
from fdd_edge.curation._report import ReportRow, count_reasons, report
from fdd_edge.curation._text import mask_numbers

__all__ = [
    "Curated",
    "Reason",
    "ReportRow",
    "count_reasons",
    "curate",
    "mask_numbers",
    "reject",
    "report",
    "with_right_programs",
]
