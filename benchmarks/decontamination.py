"""What decontamination finds: problems of a training set in test sets, and test problems in what scraped data wear.

First the training set is compared with the test sets. ``flagged.jsonl`` holds each pair to look at: one that tells the
same story, with other numbers or not, is no false alarm. Then every test problem is dressed up in each way, and those
that would be let into the training data are counted. Run it with:

    python benchmarks/decontamination.py --train gsm8k_train.jsonl --test svamp.json --test asdiv.xml -o DIR
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.curation import find_leaks
from fdd_edge.data import read_dataset
from fdd_edge.records import Problem, write_jsonl

_DIGITS = "0123456789"
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_INTRODUCTION = "Solve the following word problem. Show all your work and write the answer in the end.\n\n"
_CLOSE = "\n\nLet us think step by step. (c) 2019 by the authors, all rights reserved."


def _entities(text: str) -> str:
    return html.escape(text).replace("a", "&#97;").replace(" ", "&nbsp;")


def _in_words(text: str) -> str:
    return re.sub(
        r"(?<![\d.,/])\d{1,2}(?![\d.,/%]\d|\d)", lambda n: _WORDS[int(n[0])] if int(n[0]) < 13 else n[0], text
    )


def _reordered(text: str) -> str:
    *story, question = re.split(r"(?<=[.?!])\s+", text.strip())
    return " ".join([*reversed(story), question])


def _insert(every: int, word: str) -> Callable[[str], str]:
    def dress(text: str) -> str:
        words = text.split()
        return " ".join(w if n % every else f"{w} {word}" for n, w in enumerate(words, start=1))

    return dress


def _latex(text: str) -> str:
    text = re.sub(r"\d+", lambda number: "}$" + number[0] + "$\\text{", text.replace("$", "\\$"))
    return "\\[\\text{" + text + "}\\]"


def _table(letters: str, others: str) -> Callable[[str], str]:
    table = str.maketrans(letters, others)
    return lambda text: text.translate(table)


DRESSES: Mapping[str, Callable[[str], str]] = {
    "HTML entities": _entities,
    "HTML tags": lambda text: f"<p>{text.replace(' ', '</b> <b>')}</p><br/>",
    "zero-width characters": lambda text: text.replace("o", "o\u200b").replace("a", "a\u00ad"),
    "combining marks": lambda text: text.replace("e", "e\u0301"),
    "Cyrillic letters": _table("aeocpxyisAEOCTH", "аеосрхуіѕАЕОСТН"),
    "Greek letters": _table("oavpiABEHIKMNOPTX", "οανριΑΒΕΗΙΚΜΝΟΡΤΧ"),
    "full-width characters": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "digits of another script": _table(_DIGITS, "٠١٢٣٤٥٦٧٨٩"),
    "number words": _in_words,
    "LaTeX": _latex,
    "Markdown": lambda text: f"**Q.** _{text}_",
    "UTF-8 read as Windows-1252": lambda text: text.replace("'", "â€™").replace(" ", "Â\u00a0"),
    "no spaces": lambda text: re.sub(r"\s+", "", text),
    "reordered sentences": _reordered,
    "boilerplate around it": lambda text: _INTRODUCTION + text + _CLOSE,
    "a word put in after every 6th": _insert(6, "really"),
    "a word put in after every 3rd": _insert(3, "actually"),
}
"""Ways in which a copy differs from its original and is still the same problem to a reader."""


def main(train: Path | None, tests: Sequence[Path], out: Path) -> None:
    """Compare a training set with test sets, then dress up the test problems."""
    out.mkdir(parents=True, exist_ok=True)
    protected = {path.name.split(".")[0]: read_dataset(path).problems for path in tests}
    n_tests = sum(map(len, protected.values()))
    found: dict[str, object] = {"tests": {name: len(problems) for name, problems in protected.items()}}
    if train is not None:
        problems = read_dataset(train).problems
        started = time.process_time()
        flagged = find_leaks(problems, protected)
        seconds = round(time.process_time() - started, 1)
        by_label = {f"{name}:{p.id}": p.question for name, members in protected.items() for p in members}
        rows = [
            {"id": p.id, "question": p.question, "against": flagged[p.id], "test_question": by_label[flagged[p.id]]}
            for p in problems
            if p.id in flagged
        ]
        write_jsonl(out / "flagged.jsonl", rows)
        of = Counter(against.split(":")[0] for against in flagged.values())
        found["train"] = {"problems": len(problems), "flagged": len(flagged), "of": dict(of), "cpu_seconds": seconds}
    others = [p for members in protected.values() for p in members]
    random.Random(0).shuffle(others)
    found["let in"] = {name: _let_in(others, dress, protected) for name, dress in DRESSES.items()}
    (out / "decontamination.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    print(f"{n_tests} test problems; the flagged pairs are in {out / 'flagged.jsonl'}")


def _let_in(
    problems: Sequence[Problem], dress: Callable[[str], str], protected: Mapping[str, Sequence[Problem]]
) -> int:
    """Return how many dressed-up test problems would be trained on."""
    dressed = [replace(p, id=f"{n}", question=dress(p.question)) for n, p in enumerate(problems)]
    return len(dressed) - len(find_leaks(dressed, protected))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, metavar="FILE", help="training set that is compared with the test sets")
    parser.add_argument(
        "--test", type=Path, metavar="FILE", action="append", required=True, help="test set; repeatable"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True)
    given = parser.parse_args()
    main(given.train, given.test, given.output)
