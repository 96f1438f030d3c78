"""Why a candidate may not be trained on."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason", "RejectedError"]


class Reason(StrEnum):
    """Why a candidate may not be trained on, in the order in which it is found out.

    ``OVER_MAX_NEW`` is no fault: it was drawn out because a round may have so many new problems and no more.
    """

    NO_RATIONALE = "no_rationale"
    DOES_NOT_PARSE = "does_not_parse"
    DOES_NOT_RUN = "does_not_run"
    WRONG_ANSWER = "wrong_answer"
    NUMBER_NOT_USED = "number_not_used"
    ANSWER_NOT_SANE = "answer_not_sane"
    ASKS_NOT_ONE_THING = "asks_not_one_thing"
    OPERATIONS_NOT_AS_ASKED = "operations_not_as_asked"
    DUPLICATE = "duplicate"
    LEAKS = "leaks"
    RENUMBERED_TOO_OFTEN = "renumbered_too_often"
    NEAR_DUPLICATE = "near_duplicate"
    OVER_MAX_NEW = "over_max_new"


class RejectedError(Exception):
    """A check's verdict; ``facts`` go into the rejected record beside the reason."""

    def __init__(self, reason: Reason, **facts: str) -> None:
        self.reason = reason
        self.facts = facts
