"""Reads rows, each with its position: from a JSON array, JSON lines, Parquet, XML, or a list in memory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from fdd_edge.data._content import Content
from fdd_edge.data._parquet import is_parquet, parquet_rows
from fdd_edge.errors import FddError
from fdd_edge.runs.fingerprint import Json

__all__ = ["PlacedRow", "place_rows", "read_rows"]

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class PlacedRow(NamedTuple):
    """A row and its position.

    Attributes:
        number: Its line in JSON lines, otherwise its position among the items; the first is 1.
        kind: What ``number`` counts: ``line`` or ``item`` of a file, ``problem`` of a list in memory.
        row: The fields.
    """

    number: int
    kind: str
    row: Mapping[str, Json]

    def place(self, path: Path | None) -> str:
        """Return the position for an error message; rows in memory have no path."""
        if path is None:
            return f"{self.kind} {self.number}"
        return f"{path}:{self.number}" if self.kind == "line" else f"{path}, item {self.number},"


def read_rows(content: Content) -> list[PlacedRow] | None:
    """Read all rows of a file; None if it is neither JSON nor Parquet nor XML with ``Problem`` elements.

    Raises:
        FddError: The file is damaged, is not UTF-8, or is XML that defines entities.
        MissingExtraError: The file is Parquet, and pyarrow is not installed.
    """
    path, data = content
    if is_parquet(data):
        return [PlacedRow(number, "item", row) for number, row in enumerate(parquet_rows(path, data), start=1)]
    text = _decoded(path, data)
    start = text.lstrip()[:1]
    if start == "":
        return []
    if start == "[":
        return _array_rows(path, text)
    if start == "{":
        return _line_rows(path, text)
    return _xml_rows(path, text) if start == "<" else None


def place_rows(rows: Iterable[Mapping[str, Any]]) -> list[PlacedRow]:
    """Take rows from memory; their values become what JSON would make of them.

    Raises:
        FddError: A row is not a mapping, or has a value that JSON cannot represent.
    """
    placed = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise FddError(f"Each problem must be a dict with question and answer, not {row!r}.")
        try:
            text = json.dumps(dict(row))
        except (TypeError, ValueError, RecursionError) as error:
            raise FddError(f"problem {number} cannot be written as JSON: {error}.") from None
        placed.append(PlacedRow(number, "problem", _loads(text, f"problem {number}")))
    return placed


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FddError(f"{path} is not UTF-8 text (byte {error.start}); convert it to UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")  # as files opened as text are read


def _line_rows(path: Path, text: str) -> list[PlacedRow]:
    rows = []
    # Not splitlines(), because JSON strings may contain U+2028 and other line separators.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            value = _parse_json(path, line, line_number=number)
            if not isinstance(value, dict):
                raise FddError(f"{path}:{number} is not a JSON object.")
            rows.append(PlacedRow(number, "line", value))
    return rows


def _array_rows(path: Path, text: str) -> list[PlacedRow]:
    rows = []
    for number, value in enumerate(_parse_json(path, text), start=1):
        if not isinstance(value, dict):
            raise FddError(f"{path}, item {number}, is not a JSON object.")
        rows.append(PlacedRow(number, "item", value))
    return rows


def _parse_json(path: Path, text: str, line_number: int | None = None) -> Any:
    """Parse JSON; ``line_number`` is the position of the text, or None if it is the whole file."""
    try:
        return _loads(text, f"{path}:{line_number}" if line_number else str(path))
    except json.JSONDecodeError as error:
        raise FddError(f"{path}:{line_number or error.lineno} is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise FddError(f"{path}:{line_number or 1} is nested too deeply.") from None


def _loads(text: str, place: str) -> Any:
    # Numbers that JSON cannot represent are kept as text, so that rows can always be written again.
    value = json.loads(text, parse_constant=str, parse_float=_float_or_text, parse_int=_int_or_text)
    if _ESCAPED_SURROGATE.search(text):
        _refuse_lone_surrogates(value, place)
    return value


def _float_or_text(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _int_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 400 else digits


def _refuse_lone_surrogates(value: object, place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise FddError(f"{place} contains half a surrogate pair (\\ud800 to \\udfff); remove it.") from None


def _xml_rows(path: Path, text: str) -> list[PlacedRow] | None:
    # No data set needs a document type, and entities allow XML bombs and reading other files.
    for mark in ("<!DOCTYPE", "<!ENTITY"):
        if mark in text:
            line = text[: text.index(mark)].count("\n") + 1
            raise FddError(f"{path}:{line} contains {mark}>, which is not allowed; remove it.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FddError(f"{path}:{error.position[0]} is not valid XML: {error}.") from None
    problems = enumerate(root.iter("Problem"), start=1)
    return [PlacedRow(number, "item", _fields(path, number, problem)) for number, problem in problems] or None


def _fields(path: Path, number: int, problem: ElementTree.Element) -> dict[str, str]:
    """Return attributes and child elements, with their names spelled as in the JSON exports: ``solution_type``."""
    fields = dict(problem.attrib)
    for child in problem:
        if len(child):
            raise FddError(f"{path}, item {number}, has elements inside <{child.tag}>, which may only contain text.")
        fields[child.tag] = child.text or ""
    return {key.lower().replace("-", "_"): value for key, value in fields.items()}
