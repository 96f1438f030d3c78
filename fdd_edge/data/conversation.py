"""Chats: ``messages`` with ``role`` and ``content``, or ``conversations`` with ``from`` and ``value`` (ShareGPT)."""

from __future__ import annotations

from typing import Any

from fdd_edge.data._from_reply import item_of_reply
from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, texts_of

__all__ = ["matches", "read_row"]

_KEYS = {"messages": ("role", "content"), "conversations": ("from", "value")}
_ASKS = {"user", "human"}
_ANSWERS = {"assistant", "gpt"}


def matches(row: Row) -> bool:
    """Return whether a row is a chat."""
    return any(isinstance(row.get(key), list) for key in _KEYS)


def read_row(row: Row) -> Item:
    """Read one chat of one question and its reply; instructions to the system are left out."""
    key = next((key for key in _KEYS if key in row), "messages")
    turns = [_turn(turn, *_KEYS[key]) for turn in _listed(row, key)]
    asked = [text for role, text in turns if role in _ASKS and text]
    answered = [text for role, text in turns if role in _ANSWERS and text]
    own_id = id_of(row, "id")
    if len(asked) != 1 or len(answered) != 1:
        skip = f"a chat of {len(asked)} questions and {len(answered)} replies, not of one each"
        return Item("".join(asked[:1]), None, own_id, skip=skip)
    return item_of_reply(asked[0], answered[0], own_id, texts_of(row, collection="source"))


def _listed(row: Row, key: str) -> list[Any]:
    turns = row.get(key)
    if not isinstance(turns, list):
        raise BrokenRowError(f"lacks the field {key!r}" if key not in row else f"has a {key!r} that is not a list")
    return turns


def _turn(turn: object, role_key: str, text_key: str) -> tuple[object, str]:
    """Return the role and the text of a turn; content may be a list of parts, of which those with text count."""
    if not isinstance(turn, dict):
        raise BrokenRowError("has a message that is not an object")
    content = turn.get(text_key)
    if isinstance(content, list):
        content = "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return turn.get(role_key), content.strip() if isinstance(content, str) else ""
