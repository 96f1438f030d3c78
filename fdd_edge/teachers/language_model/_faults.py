"""What an endpoint's error means: whether another attempt can help, and when."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from fdd_edge.teachers.language_model._calls import CallFault, Usage

__all__ = ["AttemptFault", "encodable", "fault_of_status", "one_line", "shortened"]

_LINE = 200
_LONGEST_TEXT = 64 * 1024
"""Characters of an error that are looked at."""
_LONGEST_MESSAGE = 4096
"""The same once it is on one line: what is looked for in it, a key or a phrase, takes time for each."""

_LONGEST_WAIT_S = 366 * 24 * 3600.0

_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "credit_balance_exhausted")
_NO_SUCH_MODEL = re.compile(
    r"model.{0,120}(not (been )?found|(does not|doesn't) exist|unknown|invalid|not (a )?valid|no such|not available)"
    r"|(not (a )?valid|unknown|invalid|no such) model|no model named",
    re.IGNORECASE,
)
"""What is said of an unknown model with the status 404, which is about nothing else then."""
_SAYS_NO_SUCH_MODEL = re.compile(
    r"\b(is not a valid model\b|no such model\b|no model named\b|unknown model\b|model not (exist|found)\b"
    r"|model:? [`'\"]?[\w./:@-]+[`'\"]? (was not found|is not found|not found|does not exist|doesn't exist))"
    r"|^invalid model\b",
    re.IGNORECASE,
)
"""The same with another status, which many other faults have: only what can mean nothing else."""
_TOO_LONG = re.compile(r"context (length|size|window)", re.IGNORECASE)
"""What vLLM and llama-server say of a prompt for which they have no room; OpenAI has a code for it."""


_MAYBE_PAID = {"timeout", "reset", "cut_reply", "no_choices", "too_large"}


class AttemptFault(NamedTuple):
    """An attempt without a reply that can be used.

    Attributes:
        reason: A short slug: ``rate_limited``, ``server_error``, ``timeout``, ``reset``, ``unreachable``,
            ``cut_reply``, ``no_choices`` and ``too_large`` of the transport; ``bad_request``, ``too_long``,
            ``refused`` and ``forbidden`` of one request; ``unauthorized``, ``no_credit``, ``no_such_model``,
            ``not_found`` and ``no_chat`` of all of them.
        detail: One line, mostly the server's, without keys.
        retryable: Whether the same request may succeed later.
        status: The HTTP status, if there was one.
        retry_after: Seconds that the server asks to wait.
        usage: Tokens that were paid all the same, if the server says so.
    """

    reason: str
    detail: str
    retryable: bool = False
    status: int | None = None
    retry_after: float | None = None
    usage: Usage | None = None

    @property
    def may_be_paid(self) -> bool:
        """Whether the endpoint may have written a reply, which did not arrive, or is of no use."""
        return self.reason in _MAYBE_PAID

    def as_call_fault(self) -> CallFault:
        """Return the fault as the end of a call."""
        return CallFault(self.reason, self.detail)

    @property
    def said(self) -> str:
        """The detail, to stand at the end of a sentence, which has a full stop of its own."""
        return self.detail.rstrip(". ")


def one_line(text: str, longest: int = _LINE) -> str:
    """Return a text on one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def shortened(text: str) -> str:
    """Return as much of a text of any length as an error can be about, on one line."""
    return one_line(encodable(text[:_LONGEST_TEXT]), _LONGEST_MESSAGE)


def encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can write and no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def fault_of_status(status: int, data: Any, text: str, headers: Mapping[str, str]) -> AttemptFault:
    """Return what a reply other than 200 means.

    Args:
        status: The HTTP status.
        data: The reply as JSON; None if it is not JSON.
        text: The reply as it is.
        headers: Names in any case.
    """
    message, code = _error_of(data, text)
    fault = AttemptFault("bad_request", message or f"HTTP {status}", status=status)
    if code in _NO_CREDIT or status == 402:
        return fault._replace(reason="no_credit")
    if status == 429:
        return fault._replace(reason="rate_limited", retryable=True, retry_after=_retry_after(headers))
    if status == 501 or 300 <= status < 400:
        where = f" to {headers.get('location', '')}" if status < 400 else ""
        return fault._replace(reason="no_chat", detail=f"HTTP {status}{where}")
    if status >= 500 or status in (408, 425):
        return fault._replace(reason="server_error", retryable=True, retry_after=_retry_after(headers))
    if status == 401:
        return fault._replace(reason="unauthorized")
    if "content_filter" in code or "content_policy" in code:
        return fault._replace(reason="refused")
    if code == "context_length_exceeded" or status == 413 or (status == 400 and _TOO_LONG.search(message)):
        return fault._replace(reason="too_long")
    if status in (400, 404, 422) and (code == "model_not_found" or _names_no_model(status, message)):
        return fault._replace(reason="no_such_model")
    if status in (404, 405):
        return fault._replace(reason="not_found")
    return fault._replace(reason="forbidden") if status == 403 else fault


def _names_no_model(status: int, message: str) -> bool:
    return (_NO_SUCH_MODEL if status == 404 else _SAYS_NO_SUCH_MODEL).search(message) is not None


def _error_of(data: Any, text: str) -> tuple[str, str]:
    """Return message and code of an error, in the formats of OpenAI, vLLM, Ollama and FastAPI."""
    error = data.get("error", data) if isinstance(data, Mapping) else text
    if isinstance(error, Mapping):
        message = error.get("message") or error.get("detail") or text
        return _text_of(message), _text_of(error.get("code") or error.get("type") or "")
    return _text_of(error), ""


def _text_of(value: Any) -> str:
    """Return what stands where a text is expected, shortened."""
    if not isinstance(value, str):
        try:
            value = json.dumps(value)
        except RecursionError:
            return ""
    return shortened(value)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, a number or a date, or of its variant in milliseconds."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if math.isfinite(seconds):
            return min(max(0.0, seconds), _LONGEST_WAIT_S)
    try:
        when = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return min(max(0.0, when.timestamp() - time.time()), _LONGEST_WAIT_S)
    except (ValueError, TypeError, OverflowError):
        return None
