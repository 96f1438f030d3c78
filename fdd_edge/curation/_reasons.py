"""Why a candidate may not be trained on."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason", "RejectedError"]


class Reason(StrEnum):
    """Why a candidate may not be trained on, in the order of the checks.

    The last two are not faults: the problem was left out because of ``feedback.max_new``, at random, or of
    ``feedback.own_solutions``.
    """

    NO_RATIONALE = "no_rationale"
    DOES_NOT_PARSE = "does_not_parse"
    DOES_NOT_RUN = "does_not_run"
    WRONG_ANSWER = "wrong_answer"
    CONTROL_CHARACTER = "control_character"
    NUMBER_NOT_USED = "number_not_used"
    IMPLAUSIBLE_ANSWER = "implausible_answer"
    NOT_ONE_QUESTION = "not_one_question"
    WRONG_OPERATION_COUNT = "wrong_operation_count"
    DUPLICATE = "duplicate"
    LEAKS = "leaks"
    RENUMBERED_TOO_OFTEN = "renumbered_too_often"
    NEAR_DUPLICATE = "near_duplicate"
    OVER_MAX_NEW = "over_max_new"
    OVER_OWN_SOLUTIONS = "over_own_solutions"


class RejectedError(Exception):
    """A check failed; everything here is stored in the rejected record.

    Attributes:
        reason: Why.
        against: The problem that it is too similar to, if that is the reason.
        detail: What exactly was wrong, if the reason alone does not say it.
    """

    def __init__(self, reason: Reason, *, against: str | None = None, detail: str | None = None) -> None:
        self.reason, self.against, self.detail = reason, against, detail
