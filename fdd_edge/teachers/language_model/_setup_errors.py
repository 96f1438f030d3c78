"""The sentences for an endpoint that answers, but never with a reply: a wrong key, model or address, no credit."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_edge.errors import EndpointError, EndpointSetupError, did_you_mean
from fdd_edge.teachers.language_model._faults import AttemptFault
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions

__all__ = ["OF_ALL_CALLS", "PASSES_LATER_ON", "known_models", "setup_error"]

OF_ALL_CALLS = ("unauthorized", "no_credit", "no_such_model", "not_found", "no_chat")
"""Reasons for which no other call would do better."""

PASSES_LATER_ON = tuple(reason for reason in OF_ALL_CALLS if reason != "unauthorized")
"""Those of them that are faults of one attempt once the endpoint has answered: a proxy's page, a server that restarts.
A key that is not accepted any more is not tried again, lest somebody locks it."""

_LISTED = 20


def setup_error(options: EndpointOptions, fault: AttemptFault, models: Sequence[str] | None) -> EndpointError:
    """Return the error for a fault of ``OF_ALL_CALLS``.

    Args:
        options: The endpoint.
        fault: What it answered.
        models: Its models, if it names them.
    """
    where = options.address
    if fault.reason == "unauthorized":
        if options.api_key is None:
            return EndpointSetupError(f"{where} asks for a key ({fault.detail}). Set api_key: ${{NAME}}.")
        return EndpointSetupError(f"{where} does not accept the key in api_key ({fault.detail}).")
    if fault.reason == "no_credit":
        return EndpointError(f"{where} says that the account has no credit ({fault.detail}).")
    unknown = models is not None and options.model not in models
    if fault.reason == "no_such_model" or (fault.reason == "not_found" and unknown and models):
        known = known_models(options.model, models) if unknown and models else f" It says: {fault.said}."
        return EndpointSetupError(f"{where} has no model {options.model!r}.{known}")
    detail = fault.detail if fault.reason == "no_chat" else f"HTTP {fault.status}: {fault.detail}"
    return EndpointSetupError(
        f"{where} speaks no chat completions ({detail}). base_url is the part before /chat/completions, and mostly "
        "ends in /v1."
    )


def known_models(model: str, models: Sequence[str]) -> str:
    """Return sentences about the models that there are, the nearest one first."""
    more = f" and {len(models) - _LISTED} more" if len(models) > _LISTED else ""
    return f"{did_you_mean(model, models)} It has: {', '.join(models[:_LISTED])}{more}."
