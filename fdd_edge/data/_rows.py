"""Reads rows, each with its position: from a JSON array, JSON lines, CSV, Parquet, XML, or a list in memory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from fdd_edge.data._content import Content
from fdd_edge.data._file_limits import ROW, WHOLE
from fdd_edge.data._json_array import JsonArray
from fdd_edge.data._parquet import MAGIC, parquet_rows
from fdd_edge.data._table import is_table, table_rows
from fdd_edge.errors import FddError
from fdd_edge.runs.fingerprint import Json

__all__ = ["PlacedRow", "place_rows", "read_rows"]

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


_LISTS = {"data", "examples", "problems", "rows"}
"""Keys under which an object may hold the rows of a file, next to others."""
_CHATS = {"messages", "conversations"}
"""Lists of objects that are a row, not many."""


class PlacedRow(NamedTuple):
    """A row and its position.

    Attributes:
        number: Its line in JSON lines, otherwise its position among the items; the first is 1.
        kind: What ``number`` counts: ``line`` or ``item`` of a file, ``problem`` of a list in memory.
        row: The fields.
        fault: Why the line cannot be read, if broken lines are not an error; it continues a sentence that starts with
            the line's place.
    """

    number: int
    kind: str
    row: Mapping[str, Json]
    fault: str | None = None

    def place(self, path: Path | None) -> str:
        """Return the position for an error message; rows in memory have no path."""
        if path is None:
            return f"{self.kind} {self.number}"
        return f"{path}:{self.number}" if self.kind == "line" else f"{path}, item {self.number},"


def read_rows(content: Content, *, lenient: bool = False) -> Iterator[PlacedRow] | None:
    """Return the rows of a file as they are read; None if it is neither JSON nor CSV nor Parquet nor XML.

    Args:
        content: The file.
        lenient: Whether a broken line of JSON lines is a row with a fault, rather than an error.

    Raises:
        FddError: The file is damaged, is not UTF-8, is XML that defines entities, or takes too much memory.
        MissingExtraError: The file is Parquet, and pyarrow is not installed.
    """
    path = content.path
    if content.stream.peek(len(MAGIC)).startswith(MAGIC):
        rows = parquet_rows(path, content.file or content.whole())
        return (PlacedRow(number, "item", row) for number, row in enumerate(rows, start=1))
    texts = content.texts()
    read = next((read for read in iter(lambda: next(texts, None), None) if read), "")
    while read.isspace() and len(read) <= ROW and (more := next(texts, None)) is not None:
        read += more
    start = read.lstrip()[:1]
    texts = chain([read], texts)
    if start and is_table(path, read):
        return (PlacedRow(line, "line", row) for line, row in table_rows(path, _lines(path, texts)))
    if start == "":
        if len(read) > ROW:
            raise FddError(f"{path} begins with more than {ROW >> 20} MB of blanks; it holds no problems.")
        return iter(())
    if lenient and _holds_lines(read):
        return _lines_with_faults(path, texts)
    if start == "[":
        return _array_rows(path, texts)
    if start == "{":
        return _line_rows(path, texts)
    return _xml_rows(path, texts) if start == "<" else None


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
            text = json.dumps(dict(row), default=_as_number)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise FddError(f"problem {number} cannot be written as JSON: {error}.") from None
        placed.append(PlacedRow(number, "problem", _loads(text, f"problem {number}")))
    return placed


def _as_number(value: object) -> int | float:
    """Return numpy's and other libraries' numbers as Python's.

    Raises:
        TypeError: It is not a real number.
    """
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real | Decimal):
        number = float(value)
        return int(number) if number.is_integer() and int(number) == value else number
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _line_rows(path: Path, texts: Iterable[str]) -> Iterator[PlacedRow]:
    lines = ((number, line) for number, line in enumerate(_lines(path, texts), start=1) if line.strip())
    for number, line in lines:  # the first of them
        if _is_cut(line):
            yield from _object_rows(_printed_object(path, number, line, (line for _, line in lines)))
            return
        row = _row_in(path, number, line)
        more: Iterator[tuple[int, str]] = lines
        if (rows := _object_rows(row.row))[0].row is not row.row:
            second = next(lines, None)
            if second is None:
                yield from rows
                return
            more = chain([second], lines)
        yield row
        yield from (_row_in(path, *another) for another in more)


def _lines_with_faults(path: Path, texts: Iterable[str]) -> Iterator[PlacedRow]:
    """Yield a row per line; one that is not a JSON object has a fault and no fields."""
    for number, line in enumerate(_lines(path, texts), start=1):
        if not line.strip():
            continue
        try:
            yield _row_in(path, number, line)
        except FddError as error:
            fault = error.args[0].removeprefix(f"{path}:{number} ").removesuffix(".")
            yield PlacedRow(number, "line", {}, fault)


def _holds_lines(read: str) -> bool:
    """Return whether a text is JSON lines, also if its first lines are broken or other values than objects."""
    first, *more = [line for line in read.split("\n") if line.strip()]
    if first.lstrip().startswith("{"):
        return True
    if first.lstrip().startswith("["):
        return bool(more) and _is_json(first)  # otherwise it is an array, printed over lines or on one
    return any(line.startswith("{") and _is_json(line) for line in more)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _row_in(path: Path, number: int, line: str) -> PlacedRow:
    value = _parse_line(path, line, number)
    if not isinstance(value, dict):
        raise FddError(f"{path}:{number} is not a JSON object.")
    return PlacedRow(number, "line", value)


def _lines(path: Path, texts: Iterable[str]) -> Iterator[str]:
    """Yield lines. Not those of splitlines(), because JSON strings may contain U+2028 and other line separators."""
    number, rest = 1, ""
    for text in texts:
        *whole, rest = (rest + text).split("\n")
        yield from whole
        number += len(whole)
        if len(rest) > ROW:
            raise FddError(f"{path}:{number} is longer than {ROW >> 20} MB, too long for a row of problems.")
    yield rest


def _parse_line(path: Path, line: str, number: int) -> Any:
    try:
        return _loads(line, f"{path}:{number}")
    except json.JSONDecodeError as error:
        raise FddError(f"{path}:{number} is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise FddError(f"{path}:{number} is nested too deeply.") from None


def _printed_object(path: Path, number: int, first: str, more: Iterable[str]) -> dict[str, Any]:
    """Return the JSON object that is the whole text, printed over several lines."""
    lines, length = [first], len(first)
    for line in more:
        lines.append(line)
        length += len(line) + 1
        if length > WHOLE:
            raise FddError(f"{path} has more than {WHOLE >> 20} MB, and must be in memory whole; split it.")
    try:
        value = _loads("\n".join(lines), str(path))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FddError(
            f"{path}:{number} ends inside a JSON object: write each object on a line of its own, or put all of them "
            "into one JSON array."
        )
    return value


def _is_cut(line: str) -> bool:
    """Return whether a line begins an object and ends before it does, as if the object were printed over lines."""
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip())
    except (ValueError, RecursionError):
        pass
    return False


def _object_rows(value: Mapping[str, Any]) -> list[PlacedRow]:
    """Return the rows that a single object holds, as in ``{"data": [...]}``, or the object itself as a row."""
    names = _LISTS if len(value) > 1 else _LISTS | (value.keys() - _CHATS)
    for name in sorted(names & value.keys()):
        rows = value[name]
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            return [PlacedRow(number, "item", row) for number, row in enumerate(rows, start=1)]
    return [PlacedRow(1, "line", value)]


def _array_rows(path: Path, texts: Iterable[str]) -> Iterator[PlacedRow]:
    for number, value in enumerate(JsonArray(path, texts, _DECODER).items(), start=1):
        if not isinstance(value, dict):
            raise FddError(f"{path}, item {number}, is not a JSON object.")
        _check_surrogates(value, f"{path}, item {number},")
        yield PlacedRow(number, "item", value)


def _loads(text: str, place: str) -> Any:
    value = _DECODER.decode(text)
    if _ESCAPED_SURROGATE.search(text):
        _check_surrogates(value, place)
    return value


def _float_or_text(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _int_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 400 else digits


_DECODER = json.JSONDecoder(parse_constant=str, parse_float=_float_or_text, parse_int=_int_or_text)
"""Keeps numbers that JSON cannot represent as text, so that rows can always be written again."""


def _check_surrogates(value: object, place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise FddError(f"{place} contains half a surrogate pair (\\ud800 to \\udfff); remove it.") from None


def _xml_rows(path: Path, texts: Iterable[str]) -> Iterator[PlacedRow] | None:
    text = ""
    for more in texts:
        text += more
        if len(text) > WHOLE:
            raise FddError(f"{path} has more than {WHOLE >> 20} MB, and XML must be in memory whole; split it.")
    # No data set needs a document type, and entities allow XML bombs and reading other files.
    for mark in ("<!DOCTYPE", "<!ENTITY"):
        if mark in text:
            line = text[: text.index(mark)].count("\n") + 1
            raise FddError(f"{path}:{line} contains {mark}>, which is not allowed; remove it.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FddError(f"{path}:{error.position[0]} is not valid XML: {error}.") from None
    if root.find(".//Problem") is None and root.tag != "Problem":
        return None
    problems = enumerate(root.iter("Problem"), start=1)
    return (PlacedRow(number, "item", _fields(path, number, problem)) for number, problem in problems)


def _fields(path: Path, number: int, problem: ElementTree.Element) -> dict[str, str]:
    """Return attributes and child elements, with their names spelled as in the JSON exports: ``solution_type``."""
    fields = dict(problem.attrib)
    for child in problem:
        if len(child):
            raise FddError(f"{path}, item {number}, has elements inside <{child.tag}>, which may only contain text.")
        fields[child.tag] = child.text or ""
    return {key.lower().replace("-", "_"): value for key, value in fields.items()}
