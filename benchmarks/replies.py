"""How many real replies of language models hold a program that is read, model by model.

Compared with reading them as a student's replies are read, which repairs nothing. Run it with:
python benchmarks/replies.py FILE, a JSON lines file with `teacher` and `answer`, the reply as it came.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

from fdd_edge.ondevice.language import judge_reply
from fdd_edge.teachers.language_model.reply_reader import ReplyError, read_reply


def outcome(reply: str) -> str:
    try:
        read_reply(reply)
    except ReplyError as error:
        return error.reason
    return "read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    rows = [json.loads(line) for line in parser.parse_args().file.read_text(encoding="utf-8").splitlines()]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for teacher in (row["teacher"], "all"):
            found[teacher]["replies"] += 1
            found[teacher][outcome(row["answer"])] += 1
            found[teacher]["as a student's"] += judge_reply(row["answer"]).verdict is None
    reasons = sorted({reason for counts in found.values() for reason in counts} - {"replies", "read", "as a student's"})
    columns = ["replies", "read", *reasons, "as a student's"]
    print(f"| model | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for teacher in sorted(found, key=lambda name: (name == "all", name)):
        print(f"| {teacher} | {' | '.join(str(found[teacher][column]) for column in columns)} |")


if __name__ == "__main__":
    main()
