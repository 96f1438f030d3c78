"""Whether an endpoint can be asked, without a call that costs anything: it is asked for the list of its models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fdd_edge.errors import EndpointError
from fdd_edge.progress import warn
from fdd_edge.teachers.language_model._faults import AttemptFault
from fdd_edge.teachers.language_model._setup_errors import known_models, setup_error
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions

__all__ = ["check_endpoint"]

_PATIENCE_S = 10.0

_HAS_NO_LIST = (404, 405, 501)
"""What those endpoints answer that only speak chat completions."""

_MAY_NOT_LIST = re.compile(r"scope|permission", re.IGNORECASE)
"""What is said of a key that may ask the models, but not list them."""


async def check_endpoint(options: EndpointOptions) -> None:
    """Find out what would end the first call; warn of a model that the endpoint does not list, as it may be an alias.

    Raises:
        EndpointError: It cannot be reached, or does not accept the key.
    """
    from fdd_edge.teachers.language_model._client import Client

    async with Client(replace(options, max_concurrency=1)) as client:
        models = await client.list_models(_PATIENCE_S)
    if isinstance(models, AttemptFault):
        _check_fault(options, models)
    elif models and not _is_among(options.model, models):
        warn(
            f"{options.address} does not list the model {options.model!r}, which it may know all the same."
            f"{known_models(options.model, models)}"
        )


def _is_among(model: str, listed: Sequence[str]) -> bool:
    """Return whether a model is listed; Ollama adds a tag, and proxies list patterns."""
    return any(name == model or name.startswith(f"{model}:") or "*" in name for name in listed)


def _check_fault(options: EndpointOptions, fault: AttemptFault) -> None:
    """Raise the error of a fault that every call would meet with; warn of others."""
    if fault.reason in ("unreachable", "timeout"):
        raise EndpointError(
            f"{options.address} cannot be reached ({fault.detail}). Start it or correct base_url, and run the same "
            "command again."
        )
    if fault.status == 401 or (fault.status == 403 and not _MAY_NOT_LIST.search(fault.detail)):
        raise setup_error(options, fault._replace(reason="unauthorized"), None)
    if fault.status not in _HAS_NO_LIST:
        warn(f"{options.address} does not say which models it has ({fault.detail}).")
