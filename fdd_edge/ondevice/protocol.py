"""The protocol between a host and the runner on a device: its version, and its messages as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any, TypeVar

from .field_types import misfit
from .json_text import parse_json
from .messages import (
    Command,
    Completion,
    Decoding,
    End,
    Event,
    Failure,
    FailureKind,
    Progress,
    ProtocolError,
    Request,
    RunnerError,
    Score,
    Scores,
    Settings,
    Shot,
    SpecialIds,
    TargetInfo,
    Task,
    Timing,
    Totals,
    Wave,
    WaveResult,
    plan_waves,
    prompt_ids_sha,
)
from .telemetry import Conditions

__all__ = [
    "PROTOCOL",
    "Command",
    "Completion",
    "Decoding",
    "End",
    "Event",
    "Failure",
    "FailureKind",
    "Progress",
    "ProtocolError",
    "Request",
    "RunnerError",
    "Score",
    "Scores",
    "Settings",
    "Shot",
    "SpecialIds",
    "TargetInfo",
    "Task",
    "Timing",
    "Totals",
    "Wave",
    "WaveResult",
    "decode_command",
    "decode_event",
    "decode_request",
    "encode",
    "plan_waves",
    "prompt_ids_sha",
]

PROTOCOL = 6

T = TypeVar("T")

_COMMANDS: dict[str, type[Command]] = {"wave": Wave, "score": Score, "end": End}
_EVENTS: dict[str, type[Event]] = {
    "ready": TargetInfo,
    "progress": Progress,
    "wave": WaveResult,
    "scores": Scores,
    "done": Totals,
    "error": Failure,
}
_NAMES: dict[type, str] = {kind: name for names in (_COMMANDS, _EVENTS) for name, kind in names.items()}


def encode(message: Request | Command | Event) -> str:
    """Encode a message as one line of JSON, without a line end."""
    if isinstance(message, Request):
        shots = [shot._asdict() for shot in message.shots]
        row = {"protocol": PROTOCOL, **asdict(message), "shots": shots}
    elif isinstance(message, WaveResult):
        rows = [completion.to_row() for completion in message.completions]
        row = {"event": "wave", "index": message.index, "completions": rows, "timing": asdict(message.timing)}
    else:
        row = {"event": _NAMES[type(message)], **asdict(message)}
    return json.dumps(row, allow_nan=False)


def decode_request(line: str) -> Request:
    """Decode the host's first line.

    Raises:
        ProtocolError: It is not a request of this version of the protocol.
    """
    row = _object(line)
    version = row.pop("protocol", None)
    if version != PROTOCOL:
        raise ProtocolError(f"this runner uses protocol {PROTOCOL}, but the host uses {version!r}")
    return _build(Request, row)


def decode_command(line: str) -> Command:
    """Decode one of the host's later lines.

    Raises:
        ProtocolError: It is not a command of this version of the protocol.
    """
    return _decode(line, _COMMANDS)


def decode_event(line: str) -> Event:
    """Decode one of the runner's lines.

    Raises:
        ProtocolError: It is not an event of this version of the protocol.
    """
    return _decode(line, _EVENTS)


def _decode(line: str, kinds: Mapping[str, type[T]]) -> T:
    row = _object(line)
    name = row.pop("event", None)
    if not isinstance(name, str) or name not in kinds:
        raise ProtocolError(f"{repr(name)[:80]} is not an event of protocol {PROTOCOL}; known: {', '.join(kinds)}")
    return _build(kinds[name], row)


def _object(line: str) -> dict[str, Any]:
    try:
        row = parse_json(line, parse_constant=_no_number)
    except ValueError as error:
        raise ProtocolError(f"a line is not JSON ({error}): {line[:80]!r}") from None
    if not isinstance(row, dict):
        raise ProtocolError(f"a line is not a JSON object: {line[:80]!r}")
    return row


def _no_number(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads although JSON has no such numbers."""
    raise ValueError(f"{name} is not a number")


def _build(kind: type[T], row: Mapping[str, Any]) -> T:
    """Build a message; all its fields must be known, and those without a default must be present."""
    if not isinstance(row, Mapping):
        raise ProtocolError(f"{kind.__name__} must be a JSON object, not {str(row)[:80]!r}")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    for name in row:
        if name not in known:
            raise ProtocolError(f"{kind.__name__} has no field {name[:80]!r}")
    for name, f in known.items():
        if name not in row and f.default is MISSING:
            raise ProtocolError(f"{kind.__name__} lacks the field {name!r}")
    try:
        built = kind(**{name: _READERS.get((kind, name), _as_is)(value) for name, value in row.items()})
    except (TypeError, AttributeError) as error:
        raise ProtocolError(f"{kind.__name__} has a field of the wrong type: {error}") from None
    return _checked(built)


_TEXT_OF_HOST = (Request, Settings, Task, Wave, Score, Failure)
"""Messages that hold names of files, or what a user typed: these may hold bytes that are not UTF-8."""


def _checked(message: T) -> T:
    if (wrong := misfit(message, any_text=isinstance(message, _TEXT_OF_HOST))) is not None:
        found = repr(getattr(message, wrong.name))[:80]
        raise ProtocolError(f"the field {wrong.name!r} of {type(message).__name__} {wrong.fault}: {found}")
    return message


def _completion(row: Any) -> Completion:
    if not isinstance(row, Mapping):
        raise ProtocolError(f"a completion must be a JSON object, not {str(row)[:80]!r}")
    # Fields that this version does not know are kept when a file is read, but a runner has the host's version.
    return _checked(replace(Completion.from_row(row), extra={}))


def _as_is(value: T) -> T:
    return value


def _shot(row: Mapping[str, Any]) -> Shot:
    try:
        return Shot(row["question"], row["reply"])
    except (KeyError, TypeError):
        raise ProtocolError(f"a worked example needs a question and a reply, not {row!r}") from None


def _each(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: tuple(read(value) for value in values)


# How to read fields that hold dataclasses or tuples, because JSON has only objects and lists.
_READERS: dict[tuple[type, str], Callable[[Any], Any]] = {
    (Request, "settings"): lambda row: _build(Settings, row),
    (Request, "shots"): _each(_shot),
    (Settings, "decoding"): lambda row: _build(Decoding, row),
    (Settings, "stop"): tuple,
    (Wave, "tasks"): _each(lambda row: _build(Task, row)),
    (WaveResult, "completions"): _each(_completion),
    (WaveResult, "timing"): lambda row: _build(Timing, row),
    (Timing, "conditions"): lambda row: _build(Conditions, row),
    (TargetInfo, "cpu_features"): tuple,
    (TargetInfo, "special"): lambda row: _build(SpecialIds, row),
    (SpecialIds, "eos_ids"): tuple,
    **{(Score, name): tuple for name in ("prompt_ids", "reply_ids", "rows")},
    **{(Scores, name): tuple for name in ("prompt_ids", "text_ids", "best", "leads")},
}
