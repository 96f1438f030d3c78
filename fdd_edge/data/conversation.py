"""Chats: ``messages`` or ``conversations``, of ``role`` and ``content`` or of ``from`` and ``value`` (ShareGPT)."""

from __future__ import annotations

from typing import NamedTuple

from fdd_edge.data._from_reply import item_of_reply
from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, texts_of, why_no_text

__all__ = ["matches", "read_row"]

_LISTS = ("messages", "conversations")
_ROLE_KEYS, _TEXT_KEYS = ("role", "from"), ("content", "value")
_ASKS = {"user", "human", "prompter"}
_ANSWERS = {"assistant", "gpt", "chatgpt", "model", "bot"}
_OTHERS = {"system", "developer", "tool", "function"}


class _Turn(NamedTuple):
    """One message of a chat; without a role if none of its keys names one."""

    role: str | None
    text: str


def matches(row: Row) -> bool:
    """Return whether a row is a chat."""
    return any(isinstance(row.get(key), list) for key in _LISTS)


def read_row(row: Row) -> Item:
    """Read one chat of one question and its reply; instructions to the system are left out."""
    key = next((key for key in _LISTS if isinstance(row.get(key), list)), None)
    own_id = id_of(row, "id")
    if key is None:
        return Item("", None, own_id, skip=why_no_text(row, "conversations" if "conversations" in row else "messages"))
    turns = [_turn(message) for message in row[key]]
    asked = [turn.text for turn in turns if turn.role in _ASKS and turn.text]
    answered = [turn.text for turn in turns if turn.role in _ANSWERS and turn.text]
    if len(asked) != 1 or len(answered) != 1:
        skip = (
            f"a chat of {len(asked)} questions and {len(answered)} replies, not of one each{_unread(row[key], turns)}"
        )
        return Item("".join(asked[:1]), None, own_id, skip=skip)
    return item_of_reply(asked[0], answered[0], own_id, texts_of(row, collection="source"))


def _turn(message: object) -> _Turn:
    """Return the role and the text of a message; content may be a list of parts, of which those with text count."""
    if not isinstance(message, dict):
        raise BrokenRowError("has a message that is not an object")
    role = next((message[key] for key in _ROLE_KEYS if key in message), None)
    content = next((message[key] for key in _TEXT_KEYS if key in message), None)
    if isinstance(content, list):
        content = "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    if isinstance(content, int | float) and not isinstance(content, bool):
        content = str(content)
    named = role.strip().lower() if isinstance(role, str) else None
    return _Turn(named, content.strip() if isinstance(content, str) else "")


def _unread(messages: list[dict[str, object]], turns: list[_Turn]) -> str:
    """Return which roles or keys of a chat are unknown, as the end of a sentence; empty if it has none."""
    known = _ASKS | _ANSWERS | _OTHERS
    if others := sorted({turn.role for turn in turns if turn.role is not None} - known):
        return f": it has the roles {', '.join(map(repr, others[:4]))}; known are user and assistant, human and gpt"
    strange = [message for message, turn in zip(messages, turns, strict=True) if turn.role is None]
    if strange:
        keys = ", ".join(map(repr, list(strange[0])[:4])) or "none"
        return f": a message has the keys {keys}, not role and content, or from and value"
    return ""
