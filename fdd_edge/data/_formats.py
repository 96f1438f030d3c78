"""The data formats: the built-in ones by name, and those of other packages as ``module:attribute``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fdd_edge.data import (
    asdiv,
    competition,
    conversation,
    gsm8k,
    gsm_hard,
    instruction,
    jsonl,
    metamathqa,
    mgsm,
    multiarith,
    openmathinstruct,
    svamp,
    tinygsm,
)
from fdd_edge.data._item import Format, Item, Row
from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.plugins import PLUGIN_PAGE, is_plugin_name, load_plugin

__all__ = ["FORMATS", "BuiltInFormat", "known_formats", "load_format", "recognise"]


class BuiltInFormat(NamedTuple):
    """A format of this package.

    Attributes:
        reader: The module that reads it.
        description: One line for ``fdd-edge ls``.
    """

    reader: Format
    description: str


# In the order in which they are tried, so those with more specific keys come first: `jsonl` also matches the rows of
# gsm8k, asdiv and many of mgsm; NuminaMath has `messages` too.
FORMATS: Mapping[str, BuiltInFormat] = {
    "mgsm": BuiltInFormat(mgsm, "question and answer_number"),
    "gsm8k": BuiltInFormat(gsm8k, "question, and a worked solution that ends in #### and the answer"),
    "svamp": BuiltInFormat(svamp, "Body, Question and Answer"),
    "asdiv": BuiltInFormat(asdiv, "body, question and answer; XML, or JSON with the same names"),
    "multiarith": BuiltInFormat(multiarith, "sQuestion and lSolutions; also AddSub, SingleEq and their like"),
    "openmathinstruct": BuiltInFormat(openmathinstruct, "problem, generated_solution and expected_answer"),
    "jsonl": BuiltInFormat(jsonl, "question and a numeric answer, and optionally a program"),
    "metamathqa": BuiltInFormat(metamathqa, "query, and a response that ends in: The answer is: 5"),
    "math": BuiltInFormat(competition, "problem, and a solution with \\boxed{} or an answer; MATH, NuminaMath"),
    "tinygsm": BuiltInFormat(tinygsm, "question, and code that becomes its program"),
    "instruction": BuiltInFormat(instruction, "instruction, input and output, as Alpaca has them"),
    "gsm-hard": BuiltInFormat(gsm_hard, "input and target, and optionally code"),
    "messages": BuiltInFormat(conversation, "a chat of one question and its reply"),
}


@dataclass(frozen=True)
class _ReaderFunction:
    """A format that another package defines as a single function."""

    read_row: Callable[[Row], Item]

    def matches(self, row: Row) -> bool:
        return True


def load_format(name: str) -> Format:
    """Return a data format.

    Args:
        name: A name of ``FORMATS``; or ``module:attribute`` for a function from a row to an ``Item``, or for a class or
            object that has such a function as its ``read_row``.

    Raises:
        FddError: There is no such format, or the object named is not one.
    """
    if name in FORMATS:
        return FORMATS[name].reader
    if not is_plugin_name(name):
        raise FddError(
            f"There is no data format {name!r}.{did_you_mean(name, FORMATS)} Known: {known_formats()}. "
            f"For a format of your own write module:function ({PLUGIN_PAGE})."
        )
    found: Any = load_plugin(name, "data format")
    if callable(getattr(found, "read_row", None)):
        reader: Format = found
        return reader
    if callable(found):
        return _ReaderFunction(found)
    raise FddError(
        f"{name!r} is not a data format: it is neither a function nor an object with the method read_row. "
        f"A data format takes a row (a dict) and returns an fdd_edge.data.Item; see {PLUGIN_PAGE}."
    )


def known_formats() -> str:
    """Return the names of the built-in formats as a list for messages."""
    return ", ".join(FORMATS)


def recognise(rows: Sequence[Row]) -> str | None:
    """Return the built-in format that rows are in, or None."""
    # The first row nearly always decides; the others are tried in case one broken row hides the format.
    return next((name for row in rows for name, known in FORMATS.items() if known.reader.matches(row)), None)
