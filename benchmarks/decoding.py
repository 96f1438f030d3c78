"""Decoding a GGUF file: our runner (sequences share batches) beside ``llama_cpp.Llama()`` (one question at a time).

Both run the same file, questions, template, threads, token limit and stop texts, greedily. Run it with:
python benchmarks/decoding.py --artifact MODEL.gguf --data QUESTIONS.jsonl --limit 150
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import Settings, Task, plan_waves
from fdd_edge.stages.artifact import find_artifact
from fdd_edge.stages.datasets import DatasetSpec, read_set
from fdd_edge.targets import load_profile, open_session, resolve_threads


class Result(NamedTuple):
    name: str
    seconds: float
    prompt_tokens: int
    tokens: int
    texts: list[str]
    peak_rss_mb: float | None


def run_runner(artifact: Path, questions: Sequence[str], prompt: str | None, settings: Settings) -> tuple[Result, str]:
    """Return the runner's result, and the template it used."""
    waves = plan_waves([Task(str(i), 0, question) for i, question in enumerate(questions)])
    with open_session(load_profile("local"), artifact, settings=settings, prompt=prompt) as session:
        results = list(session.complete(waves))
    result = Result(
        f"runner, {settings.sequences} sequences",
        sum(wave.timing.seconds for wave in results),
        sum(wave.timing.prompt_tokens for wave in results),
        sum(wave.timing.decode_tokens for wave in results),
        [row.text for wave in results for row in wave.completions],
        session.totals.peak_rss_bytes / 2**20,
    )
    return result, session.info.prompt


def run_peer(artifact: Path, prompts: Sequence[str], settings: Settings) -> Result:
    """Decode with the package's own high-level class, as its documentation shows."""
    import llama_cpp

    model = llama_cpp.Llama(
        str(artifact), n_ctx=2048, n_threads=settings.threads, n_threads_batch=settings.threads, verbose=False
    )
    began, n_prompt, n_new, texts = time.perf_counter(), 0, 0, []
    for prompt in prompts:
        reply = model(prompt, max_tokens=settings.max_new_tokens, temperature=0.0, stop=list(settings.stop))
        n_prompt += reply["usage"]["prompt_tokens"]
        n_new += reply["usage"]["completion_tokens"]
        texts.append(reply["choices"][0]["text"])
    return Result("llama_cpp.Llama()", time.perf_counter() - began, n_prompt, n_new, texts, None)


def print_table(results: Sequence[Result]) -> None:
    base = results[-1]
    print(f"{'':26} {'problems/s':>10} {'new tok/s':>10} {'new tokens':>10} {'prompt':>8} {'ratio':>6} {'RSS MB':>7}")
    for result in results:
        n = len(result.texts)
        rss = f"{result.peak_rss_mb:.0f}" if result.peak_rss_mb else "-"
        print(
            f"{result.name:26} {n / result.seconds:10.2f} {result.tokens / result.seconds:10.1f} {result.tokens:10} "
            f"{result.prompt_tokens:8} {base.seconds / result.seconds:6.2f} {rss:>7}"
        )
    same = sum(a.strip() == b.strip() for a, b in zip(results[0].texts, base.texts, strict=True))
    print(f"\nThe same text for {same} of {len(base.texts)} questions; a batch's neighbours change the last bits.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", default="runs/quickstart", help="a GGUF file, or a run (default: %(default)s)")
    parser.add_argument("--data", default="symbolic:heldout", help="as of fdd-edge eval (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=150, help="questions (default: %(default)s)")
    parser.add_argument("--prompt", help="a template with {question}, or: chat (default: what the file says)")
    parser.add_argument("--max-new-tokens", type=int, default=120)
    parser.add_argument("--threads", type=int, help="default: one for each physical core")
    parser.add_argument("--sequences", type=int, default=16)
    options = parser.parse_args()
    artifact = find_artifact(options.artifact)
    threads = resolve_threads(load_profile("local"), options.threads)
    settings = Settings(options.max_new_tokens, options.sequences, threads, stop=("\nQuestion:",))
    problems, _ = read_set(DatasetSpec("questions", options.data, limit=options.limit), seed=0)
    questions = [problem.question for problem in problems]
    ours, template = run_runner(artifact, questions, options.prompt, settings)
    prompt = Prompt.parse(template)
    peer = run_peer(artifact, [prompt.render(question) for question in questions], settings)
    print(f"{artifact}, {len(questions)} questions of {options.data}, {threads} threads\n")
    print_table([ours, peer])


if __name__ == "__main__":
    main()
