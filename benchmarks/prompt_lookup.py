"""Would prompt lookup write replies faster? Programs copy names and numbers from the question.

Prompt lookup (https://github.com/apoorvumang/prompt-lookup-decoding) looks for the last tokens of a reply earlier in
the prompt or the reply, and proposes what followed them there. The model reads the proposal in one step and keeps as
much of it as it would have written, so a greedy reply stays as it is. Two things decide whether that pays:

- how many tokens a step yields, and how many it reads: counted on replies that the runner has written;
- what a step that reads several tokens costs compared with one that reads a single one: measured here, and with
  ``--target`` on an emulated CPU, whose cores count and whose memory does not.

Nothing else should be running. Run it with:

    python benchmarks/prompt_lookup.py --artifact FILE.gguf --data QUESTIONS.jsonl [--target rpi5-emulated]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Task, plan_waves
from fdd_edge.progress import show_on_stderr
from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set
from fdd_edge.resolve.model_file import find_model_file
from fdd_edge.targets import load_profile, open_session, resolve_threads
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.sysroot import find_sysroot

NGRAMS = (1, 2, 3)
"""How many of the last tokens must be the same."""
PROPOSED = (1, 2, 3, 4)
"""How many tokens are proposed, at most."""
STEPS = 15
"""Per number of tokens; the median counts."""

TIMED = """
import json, statistics, sys, time
from fdd_edge.ondevice.llamacpp import Model
file, threads, most, steps = sys.argv[1], *map(int, sys.argv[2:])
with Model(file) as model:
    context = model.open_context(512, 1, threads, "f16")
    context._choice = None
    context.read(0, 0, [7] * 96)
    at, taken = 96, {n: [] for n in range(1, most + 1)}
    for _ in range(steps):
        for n, seconds in taken.items():
            began = time.perf_counter()
            context.follow(at, [9] * n)
            seconds.append(time.perf_counter() - began)
            at += n
print(json.dumps([statistics.median(seconds) for seconds in taken.values()]))
"""
"""Prints the seconds of a step that reads 1, 2, ... tokens."""


class Counted(NamedTuple):
    """What prompt lookup does with some replies.

    Attributes:
        tokens: Tokens of the replies.
        steps: Number of steps by how many tokens they read.
    """

    tokens: int
    steps: dict[int, int]

    def speedup(self, seconds: Sequence[float]) -> float:
        """Return how many times as fast the replies are written, given the seconds of a step by its tokens."""
        return self.tokens * seconds[0] / sum(n * seconds[read - 1] for read, n in self.steps.items())


def replies_of(artifact: Path, questions: Sequence[str]) -> list[Completion]:
    """Return the runner's greedy replies, with their ids."""
    profile = load_profile("local")
    settings = Settings(Decoding(200, threads=resolve_threads(profile, None)), return_ids=True)
    waves = plan_waves([Task(str(i), 0, question) for i, question in enumerate(questions)])
    with open_session(profile, artifact, settings=settings) as session:
        return [row for result in session.complete(waves) for row in result.completions]


def look_up(ids: Sequence[int], ngram: int, proposed: int) -> Sequence[int]:
    """Return what followed the last tokens where they were before, the last time."""
    last = tuple(ids[-ngram:])
    for start in range(len(ids) - ngram - 1, -1, -1):
        if tuple(ids[start : start + ngram]) == last:
            return ids[start + ngram : start + ngram + proposed]
    return ()


def steps_of(prompt: Sequence[int], reply: Sequence[int], ngram: int, proposed: int) -> Iterator[int]:
    """Yield how many tokens each step of a reply reads."""
    done = 1  # the first token comes from reading the prompt
    while done < len(reply):
        found = look_up([*prompt, *reply[:done]], ngram, min(proposed, len(reply) - done - 1))
        kept = next((i for i, token in enumerate(found) if token != reply[done + i]), len(found))
        yield 1 + len(found)
        done += kept + 1


def count(replies: Sequence[Completion], ngram: int, proposed: int) -> Counted:
    steps: dict[int, int] = {}
    for reply in replies:
        for read in steps_of(reply.prompt_ids or (), reply.ids or (), ngram, proposed):
            steps[read] = steps.get(read, 0) + 1
    return Counted(sum(reply.n_tokens - 1 for reply in replies), steps)


def seconds_here(artifact: Path) -> list[float]:
    """Measure steps on this machine, in a process of its own."""
    threads = resolve_threads(load_profile("local"), None)
    return measured([sys.executable, "-c", TIMED, *arguments(artifact, threads)], {})


def seconds_emulated(artifact: Path, target: str) -> list[float]:
    """Measure steps on an emulated CPU, with one thread."""
    profile = load_profile(target)
    root = find_sysroot(profile)
    if root is None:
        sys.exit(f"{target} has not been created yet. Run: fdd-edge targets create {target}")
    emulator, where, folder, python, *_ = root.command(profile, [])
    variables = root.variables(profile)
    variables["PYTHONPATH"] += f"{os.pathsep}{runner_archive()}"
    code = TIMED.replace("fdd_edge.ondevice", PACKED)
    return measured([emulator, where, folder, python, "-c", code, *arguments(artifact, 1)], variables)


PACKED = "ondevice"
"""The name of the package within the packed runner."""


def arguments(artifact: Path, threads: int) -> list[str]:
    return [str(artifact), str(threads), str(1 + max(PROPOSED)), str(STEPS)]


def measured(command: Sequence[str], variables: dict[str, str]) -> list[float]:
    ran = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True)
    found: list[float] = json.loads(ran.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", required=True, help="a trained student's GGUF file, or a run")
    parser.add_argument("--data", required=True, help="questions")
    parser.add_argument("--limit", type=int, default=150, help="default: %(default)s")
    parser.add_argument("--target", help="an emulated target to measure on too")
    options = parser.parse_args()
    show_on_stderr()
    artifact = find_model_file(options.artifact)
    chosen = DatasetOptions(options.data, "questions", limit=options.limit)
    replies = replies_of(artifact, [p.question for p in read_set(chosen, fetch_set(chosen).files, seed=0)[0]])
    places = {"here": seconds_here(artifact)}
    if options.target:
        places[options.target] = seconds_emulated(artifact, options.target)
    print(f"{artifact}, {len(replies)} replies to {options.data}\n")
    print("a step that reads " + "".join(f"{n:>9}" for n in range(1, 2 + max(PROPOSED))) + "  tokens")
    for name, seconds in places.items():
        print(f"{name + ', ms':18}" + "".join(f"{1000 * one:9.1f}" for one in seconds))
    print("\nsame  proposed  tokens a step  read a step" + "".join(f"{name:>16}" for name in places))
    for ngram in NGRAMS:
        for proposed in PROPOSED:
            counted = count(replies, ngram, proposed)
            n = sum(counted.steps.values())
            read = sum(tokens * times for tokens, times in counted.steps.items()) / n
            speedups = "".join(f"{counted.speedup(seconds):15.2f}x" for seconds in places.values())
            print(f"{ngram:4}  {proposed:8}  {counted.tokens / n:13.2f}  {read:11.2f}{speedups}")


if __name__ == "__main__":
    main()
