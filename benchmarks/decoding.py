"""Decoding a GGUF file: our runner beside ``llama_cpp.Llama()``, one question at a time, and llama.cpp's own server.

All run the same file, questions, template, threads, token limit and stop texts, greedily; the server has as many slots
as the runner has sequences. ``--floor`` asks instead how often ``sequences`` and ``threads`` alone change an answer.
Run it with: python benchmarks/decoding.py --artifact MODEL.gguf --data QUESTIONS.jsonl --limit 150
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from llama_server import ask, server_binary, serving

from fdd_edge.evaluation import wilson
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import Completion, Settings, Task, plan_waves
from fdd_edge.records import Problem
from fdd_edge.stages.artifact import find_artifact
from fdd_edge.stages.datasets import DatasetSpec, read_set
from fdd_edge.targets import load_profile, open_session, resolve_threads

TOLERANCE = 0.02
"""Share by which the sides' tokens may differ before problems a second say little."""
CONTEXT = 512
"""Tokens a slot of the server has room for: more than any of these questions with its reply."""


class Result(NamedTuple):
    name: str
    seconds: float
    prompt_tokens: int
    tokens: int
    texts: list[str]
    peak_rss_mb: float | None


class Decoded(NamedTuple):
    rows: list[Completion]
    result: Result
    template: str


def run_runner(artifact: Path, problems: Sequence[Problem], prompt: str | None, settings: Settings) -> Decoded:
    waves = plan_waves([Task(p.id, 0, p.question) for p in problems])
    with open_session(load_profile("local"), artifact, settings=settings, prompt=prompt) as session:
        began = time.perf_counter()
        results = list(session.complete(waves))
        seconds = time.perf_counter() - began
    rows = [row for wave in results for row in wave.completions]
    result = Result(
        f"runner, {settings.sequences} sequences",
        seconds,
        sum(wave.timing.prompt_tokens for wave in results),
        sum(wave.timing.decode_tokens for wave in results),
        [row.text for row in rows],
        session.totals.peak_rss_bytes / 1e6,
    )
    return Decoded(rows, result, session.info.prompt)


def run_package(artifact: Path, prompts: Sequence[str], settings: Settings) -> Result:
    """Decode with the package's own high-level class, as its documentation shows."""
    import llama_cpp

    model = llama_cpp.Llama(
        str(artifact), n_ctx=2048, n_threads=settings.threads, n_threads_batch=settings.threads, verbose=False
    )
    began, n_prompt, n_new, texts = time.perf_counter(), 0, 0, []
    for prompt in prompts:
        reply = model(prompt, max_tokens=settings.max_new_tokens, temperature=0.0, stop=list(settings.stop))
        n_prompt += reply["usage"]["prompt_tokens"]
        # Like the others, count the token that ends a reply, which the package's own count leaves out. (One too many
        # for a reply that a stop text ended.)
        n_new += reply["usage"]["completion_tokens"] + (reply["choices"][0]["finish_reason"] == "stop")
        texts.append(reply["choices"][0]["text"])
    return Result("llama_cpp.Llama()", time.perf_counter() - began, n_prompt, n_new, texts, None)


def run_server(artifact: Path, prompts: Sequence[str], settings: Settings, flash_attention: str) -> Result:
    """Decode with llama.cpp's server; its default attention, ``auto``, is flash attention, on a CPU too."""
    binary = server_binary(platform.machine() == "x86_64")
    slots = settings.sequences
    size = {"slots": slots, "threads": settings.threads, "context": CONTEXT}
    with serving(binary, artifact, **size, flash_attention=flash_attention) as (port, pid):
        began = time.perf_counter()
        replies = ask(port, prompts, slots=slots, max_new_tokens=settings.max_new_tokens, stop=settings.stop)
        seconds = time.perf_counter() - began
        peak = next(
            int(line.split()[1]) * 1024 / 1e6
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM")
        )
    n_prompt, n_new = sum(r.prompt_tokens for r in replies), sum(r.tokens for r in replies)
    name = f"llama-server, {slots} slots" + (", no flash" if flash_attention == "off" else "")
    return Result(name, seconds, n_prompt, n_new, [r.text for r in replies], peak)


def print_table(results: Sequence[Result]) -> None:
    ours = results[0]
    print(
        f"{'':34} {'problems/s':>10} {'new tok/s':>10} {'new tokens':>10} {'runner is':>10} {'RSS MB':>7}  same texts"
    )
    for result in results:
        n = len(result.texts)
        rss = f"{result.peak_rss_mb:.0f}" if result.peak_rss_mb else "-"
        same = sum(a.strip() == b.strip() for a, b in zip(ours.texts, result.texts, strict=True))
        print(
            f"{result.name:34} {n / result.seconds:10.2f} {result.tokens / result.seconds:10.1f} {result.tokens:10} "
            f"{result.seconds / ours.seconds:9.2f}x {rss:>7}  {same} of {n}"
        )
    most = max(abs(result.tokens / ours.tokens - 1) for result in results)
    print("\nRuntimes add in other orders, which changes the last bits and so, now and then, a text.")
    print(f"The sides' tokens differ by up to {100 * most:.1f} %.")
    if most > TOLERANCE:
        sys.exit(f"That is more than {100 * TOLERANCE:.0f} %: the sides did not do the same work.")


def print_floor(artifact: Path, problems: Sequence[Problem], prompt: str | None, settings: Settings) -> None:
    """Print how often another number of sequences or threads gives another text or answer."""
    base = run_runner(artifact, problems, prompt, settings).rows
    n = len(base)
    named = f"against {settings.sequences} sequences, {settings.threads} threads"
    print(f"{named:36} texts, answers that differ")
    changes = {f"sequences {k}": replace(settings, sequences=k) for k in (1, 4, 8, 32) if k != settings.sequences}
    fewer = [k for k in (1, 2, 4) if k < settings.threads]
    changes |= {f"threads {k}": replace(settings, threads=k) for k in fewer}
    for name, change in changes.items():
        rows = run_runner(artifact, problems, prompt, change).rows
        texts = sum(a.text != b.text for a, b in zip(base, rows, strict=True))
        answers = sum((a.answer, a.verdict) != (b.answer, b.verdict) for a, b in zip(base, rows, strict=True))
        low, high = wilson(answers, n)
        print(f"{name:36} {texts} of {n}, {answers} of {n} ({100 * low:.1f}-{100 * high:.1f} %)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", default="runs/quickstart", help="a GGUF file, or a run (default: %(default)s)")
    parser.add_argument("--data", default="symbolic:heldout", help="as of fdd-edge eval (default: %(default)s)")
    parser.add_argument("--format", help="its format (default: recognised)")
    parser.add_argument("--limit", type=int, default=150, help="questions (default: %(default)s)")
    parser.add_argument("--prompt", help="a template with {question}, or: chat (default: what the file says)")
    parser.add_argument("--max-new-tokens", type=int, default=120)
    parser.add_argument("--threads", type=int, help="default: one for each physical core")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--floor", action="store_true", help="measure what sequences and threads alone change")
    options = parser.parse_args()
    artifact = find_artifact(options.artifact)
    threads = resolve_threads(load_profile("local"), options.threads)
    settings = Settings(options.max_new_tokens, options.sequences, threads, stop=("\nQuestion:",))
    problems, _ = read_set(DatasetSpec("questions", options.data, options.format, options.limit), seed=0)
    print(f"{artifact}, {len(problems)} questions of {options.data}, {threads} threads\n")
    if options.floor:
        print_floor(artifact, problems, options.prompt, settings)
        return
    ours = run_runner(artifact, problems, options.prompt, settings)
    prompts = [Prompt.parse(ours.template).render(p.question) for p in problems]
    servers = [run_server(artifact, prompts, settings, flash_attention) for flash_attention in ("auto", "off")]
    print_table([ours.result, run_package(artifact, prompts, settings), *servers])


if __name__ == "__main__":
    main()
