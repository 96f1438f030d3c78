"""Reads a chat completion, which an endpoint that nobody knows has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fdd_edge.teachers.language_model._calls import Answered, CallFault, Usage
from fdd_edge.teachers.language_model._faults import AttemptFault, encodable, fault_of_status

__all__ = ["REFUSAL", "read_response", "usable"]

REFUSAL = "refusal"
"""The ``finish_reason`` of a reply that says in a field of its own that the model refuses."""

_MOST_TOKENS = 10**9


def read_response(data: Any, latency: float) -> Answered | AttemptFault:
    """Return the reply in a chat completion.

    Args:
        data: The JSON of a response with status 200.
        latency: Seconds from sending to the whole reply.
    """
    if not isinstance(data, Mapping) or not ({"choices", "error"} & data.keys()):
        return AttemptFault("no_chat", "its replies are not chat completions", status=200)
    usage = _usage(data.get("usage"))
    choice = _first(data.get("choices"))
    if not isinstance(choice, Mapping):
        # Gateways answer 200 and put the error of the server behind them into the reply.
        if error := data.get("error"):
            code = error.get("code") if isinstance(error, Mapping) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 502
            return fault_of_status(status, data, "", {})._replace(usage=usage)
        return AttemptFault("no_choices", "the reply has no choices", retryable=True, status=200, usage=usage)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        return AttemptFault("no_chat", "its choices have no message", status=200, usage=usage)
    text, finish_reason, model = _text(message.get("content")), choice.get("finish_reason"), data.get("model")
    if message.get("refusal") and not text:
        text, finish_reason = _text(message["refusal"]), REFUSAL
    return Answered(
        text=text,
        finish_reason=encodable(finish_reason)[:40] if isinstance(finish_reason, str) else "",
        usage=usage,
        model=encodable(model)[:200] if isinstance(model, str) else "",
        latency=latency,
    )


def usable(answered: Answered) -> Answered | CallFault:
    """Return what a paid reply is to those who asked; one cut off at ``max_tokens`` is a reply, and says so."""
    if answered.finish_reason in ("content_filter", REFUSAL):
        return CallFault("refused", answered.text[:200] or "the provider's filter refused it")
    return answered


def _first(choices: Any) -> Any:
    """Return the choice that says it is the first, wherever it stands; the one that stands first if none says so."""
    if not isinstance(choices, list) or not choices:
        return None
    numbers = (choice.get("index") if isinstance(choice, Mapping) else None for choice in choices)
    return choices[next((i for i, number in enumerate(numbers) if number == 0), 0)]


def _text(content: Any) -> str:
    """Return the text of a message: a string, or a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "".join(part for part in parts if isinstance(part, str))
    return encodable(content) if isinstance(content, str) else ""


def _usage(usage: Any) -> Usage | None:
    """Return the tokens that an endpoint counted, or None if it does not say or says nonsense."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    numbers: list[Any] = [usage.get("prompt_tokens"), cached or 0, usage.get("completion_tokens")]
    if not all(type(number) is int and 0 <= number <= _MOST_TOKENS for number in numbers):
        return None
    return Usage(*numbers)
