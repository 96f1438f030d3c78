"""Reads JSON that a stranger may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["parse_json"]


def parse_json(text: str | bytes, *, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.
        parse_constant: Called with NaN and Infinity, which Python reads although JSON has no such numbers.

    Raises:
        ValueError: It is not valid, or is nested too deeply: Python has another error for that, which nobody expects.
    """
    try:
        return json.loads(text, parse_constant=parse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
