"""Evaluations and runs written by hand, as ``fdd-edge eval -o`` and ``fdd-edge run`` leave them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.runs import RoundLayout, RunLayout
from fdd_edge.runs.stage_files import SplitFiles

PROBLEMS = [Problem(f"p{n}", f"What is {n} + {n}?", 2 * n, "test", program=f"answer = {n} + {n}") for n in range(1, 5)]
LABELS = {"p1": "easy", "p2": "lost", "p3": "hard", "p4": "hard"}


def reply(problem: Problem, answer: float | None, *, asked: bool = True) -> ScoredReply:
    verdict = Verdict.error if answer is None else Verdict.correct if answer == problem.answer else Verdict.wrong
    program = f"x = {answer}\nanswer = x"
    detail = "line 1: x is not defined" if answer is None else None
    found = ScoredReply(problem.id, 0, program, program, answer, verdict, 9, 9, "0" * 16, detail=detail)
    return replace(found, question=problem.question, gold=problem.answer) if asked else found


def evaluation(folder: Path, answers: list[float | None], *, name: str = "mine", asked: bool = True) -> Path:
    """Write an evaluation by hand: the rows, and the part of the summary that names them."""
    folder.mkdir(parents=True)
    rows = [reply(*pair, asked=asked).to_row() for pair in zip(PROBLEMS, answers, strict=True)]
    write_jsonl(folder / "rows.jsonl", rows)
    summary = {"n": len(rows), "correct": 0, "accuracy": 0, "ci95": [0, 1], "verdicts": {}, "data": {"name": name}}
    (folder / "summary.json").write_text(json.dumps(summary | {"artifact": {"name": f"{folder.name}.gguf"}}))
    target = {"name": "local", "emulated": False}
    fields = ("seconds", "problems_per_second", "tokens_per_second", "prompt_tokens_per_second")
    more = ("decode_tokens_per_second", "prompt_tokens", "decode_tokens", "peak_rss_bytes", "artifact_bytes")
    (folder / "timing.json").write_text(json.dumps({key: 1 for key in (*fields, *more)} | {"target": target}))
    return folder


def made_run(
    root: Path, *, rounds: int = 1, finished: bool = True, asked: bool = False, sets: tuple[str, ...] = ("held",)
) -> Path:
    """Write a run by hand, as an earlier version left it: its rows hold neither questions nor gold answers."""
    run = RunLayout(root)
    for number in range(rounds):
        one: RoundLayout = run.round(number)
        for name in ("pool", "valid", *sets):
            evaluation(one.evaluation("local", "gguf-q4_0", name), [2, 0, None, 8], asked=asked)
        evaluation(one.evaluation("local", "gguf-f32", "non-easy"), [2, 4, None, 8], asked=asked)
        one.split.mkdir()
        for label in ("easy", "hard", "borderline", "format", "lost"):
            path = SplitFiles(one.split).label(label)
            write_jsonl(path, (p.to_row() for p in PROBLEMS if LABELS[p.id] == label))
        one.train.parent.mkdir()
        write_jsonl(one.train, (p.to_row() for p in PROBLEMS))
        if finished:
            one.summary.write_text("{}")
    run.data.mkdir()
    (run.data / "eval").mkdir()
    for file in (run.valid, *map(run.eval_set, sets)):
        write_jsonl(file, (p.to_row() for p in PROBLEMS))
    run.config.write_text("student: {}\n")
    facts = {"judge": "gguf-q4_0"}
    run.manifest.write_text(json.dumps({"fdd_edge": "0.1.0", "format": 2, "facts": facts, "stages": {}}))
    return root
