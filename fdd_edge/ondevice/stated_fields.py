"""What the JSON files of a model may state: strangers write them, so every value is held against its type first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["fault_of_card", "is_id", "section", "token_text"]


class _Kind(NamedTuple):
    """A kind of value, and how a message calls it."""

    fits: Callable[[Any], bool]
    name: str


def is_id(value: object) -> bool:
    """Return whether a value is a whole number of 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_TEXT = _Kind(lambda value: isinstance(value, str), "a text")
_NUMBER = _Kind(is_id, "a whole number")

_CARD: Mapping[str, _Kind] = {
    **dict.fromkeys(("recipe", "prompt_template"), _TEXT),
    **dict.fromkeys(("parameters", "round"), _NUMBER),
    "adds_bos": _Kind(lambda value: isinstance(value, bool), "true or false"),
    "stop_ids": _Kind(lambda value: isinstance(value, list) and all(map(is_id, value)), "a list of whole numbers"),
}


def fault_of_card(card: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the card that an exporter wrote next to a model, such as ``round must be ...``."""
    for key, kind in _CARD.items():
        if card.get(key) is not None and not kind.fits(card[key]):
            return f"{key} must be {kind.name}, not {str(card[key])[:60]!r}"
    return None


def section(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object inside a JSON object; an empty one if there is none."""
    found = content.get(key)
    return found if isinstance(found, Mapping) else {}


def token_text(value: object) -> str | None:
    """Return the text of a token as tokenizer configs state it, empty for none; None if it is neither."""
    if isinstance(value, Mapping):
        value = value.get("content", value)
    return "" if value is None else value if isinstance(value, str) else None
