"""The word problems of four test sets, for lm-evaluation-harness: readers and scoring that share no code with fdd-edge.

``FDD_DATA`` is the folder that holds the files. Problems whose answer is not one number are left out, as fdd-edge does.
White space is treated as fdd-edge treats it, or the two would ask with other prompts: questions of GSM8K stay as they
are, those of the other sets, which are put together, get single spaces.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

FILES = {
    "gsm8k": "gsm8k_test.dev.jsonl",
    "svamp": "svamp.dev.json",
    "asdiv": "asdiv.dev.xml",
    "multiarith": "multiarith.dev.json",
}
Pair = tuple[str, str]
"""A question, and its answer as the file has it."""


def load(name: str, **_: Any) -> datasets.DatasetDict:
    """Return a set as the harness wants it, with the numeric problems as its ``test`` split."""
    import datasets  # in the harness's environment only

    text = (Path(os.environ["FDD_DATA"]) / FILES[name]).read_text(encoding="utf-8")
    return datasets.DatasetDict({"test": datasets.Dataset.from_list(rows_of(name, text))})


def rows_of(name: str, text: str) -> list[dict[str, Any]]:
    """Return the numeric problems of a set's file."""
    return [
        {"question": question, "answer": number}
        for question, answer in READERS[name](text)
        if (number := one_number(answer)) is not None
    ]


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, int]:
    """Score a reply, of which the filter has taken the last number."""
    found = one_number(results[0].replace("$", "").rstrip(".,"))
    return {"solved": int(found is not None and abs(found - doc["answer"]) <= 1e-4 * max(1.0, abs(doc["answer"])))}


def one_number(text: str) -> float | None:
    """Return the number that a text is, whatever unit stands in brackets behind it."""
    match = re.fullmatch(r"(-?\d[\d,]*(?:\.\d+)?|-?\.\d+)\s*(?:\([^()]*\))?", text.strip())
    return float(match[1].replace(",", "")) if match else None


def _gsm8k(text: str) -> Iterator[Pair]:
    for line in text.splitlines():
        row = json.loads(line)
        yield row["question"].strip(), row["answer"].rsplit("####", 1)[1]


def _svamp(text: str) -> Iterator[Pair]:
    for row in json.loads(text):
        body = row["Body"].strip()
        story = f"{body}{'' if body.endswith(('.', ',', '?', '!')) else '.'}"
        yield _spaced(f"{story} {row['Question']}"), str(row["Answer"])


def _asdiv(text: str) -> Iterator[Pair]:
    for problem in ElementTree.fromstring(text).iter("Problem"):
        yield _spaced(f"{problem.findtext('Body')} {problem.findtext('Question')}"), problem.findtext("Answer") or ""


def _multiarith(text: str) -> Iterator[Pair]:
    for row in json.loads(text):
        (answer,) = row["lSolutions"]
        yield _spaced(row["sQuestion"]), str(answer)


def _spaced(text: str) -> str:
    """Return a text with single spaces only."""
    return " ".join(text.split())


READERS: dict[str, Callable[[str], Iterator[Pair]]] = {
    "gsm8k": _gsm8k,
    "svamp": _svamp,
    "asdiv": _asdiv,
    "multiarith": _multiarith,
}
