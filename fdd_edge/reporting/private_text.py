"""What is in a run, and in no report: passwords, keys, and where files lie on the machine of the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["shareable", "without_folders", "without_secrets"]

_MASK = "***"

_USER = re.compile(r"(?<=//)\S+(?=@)")
"""A password may hold any of ``@/?#``: all before the last ``@`` is masked."""

_QUERY = re.compile(r"(?<=://)[^\s?#&]*[?#&]\S*")
_VALUE = re.compile(r"([?#&][^=?#&]*=)[^&#]*|(?<=\?)[^=&#]+(?=[&#]|$)")
"""The value of a name, or a query that is nothing but a value."""

_SECRET = re.compile(
    r"((api|access|secret|private|auth)[_-]?key|(^|(access|auth|api|bearer|hf|hub)[_-])token"
    r"|password|passwd|secret|authorization)$",
    re.IGNORECASE,
)
"""Keys of a config whose values are secrets; ``eos_token`` is none."""

_FROM_ENVIRONMENT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_ABSOLUTE = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")


def without_secrets(text: str) -> str:
    """Return a text in which no address holds a user's name, a password, or the value of a query."""
    if "//" not in text:
        return text
    text = _USER.sub(_MASK, text)
    return _QUERY.sub(lambda found: _VALUE.sub(lambda value: (value[1] or "") + _MASK, found[0]), text)


def without_folders(path: str) -> str:
    """Return the last part of an absolute path: the others say who made a run, and where; another text as it is."""
    if "\n" in path or not _ABSOLUTE.match(path):
        return path
    parts = [part for part in re.split(r"[/\\]+", path) if part]
    return parts[-1] if parts else path


def shareable(value: Any, *, key: str = "", secret: bool = False) -> Any:
    """Return a value of a config as it may be shown to others.

    Args:
        value: The value, or a whole config.
        key: Its key, by which a password or an API key is known; with dots before it those of its parents.
        secret: Whether a parent of it is one.
    """
    secret = secret or _SECRET.search(key.rpartition(".")[2]) is not None
    if isinstance(value, Mapping):
        return {name: shareable(inner, key=str(name), secret=secret) for name, inner in value.items()}
    if isinstance(value, list):
        return [shareable(inner, secret=secret) for inner in value]
    if secret and value is not None and not _FROM_ENVIRONMENT.fullmatch(str(value)):
        return _MASK
    return without_secrets(without_folders(value)) if isinstance(value, str) else value
