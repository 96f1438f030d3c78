"""Decoding speed of our runner, compared with what users would otherwise decode the same student with.

For a GGUF file: ``llama_cpp.Llama()``, one question at a time, and llama.cpp's own server with as many slots as the
runner has sequences. For an int8 ONNX model: optimum's own export of the same student (``--student``), quantized with
the same settings, in ``ORTModelForCausalLM.generate``, one question at a time and in batches. For an int4 ONNX model:
onnxruntime-genai on the same folder, one question at a time. All of them read the same questions with the same template
and decode greedily, with the same threads, token limit and stop texts. ``--floor`` measures instead how often
``sequences`` and ``threads`` alone change an answer. Run it with:

    python benchmarks/decoding.py --artifact MODEL --data QUESTIONS.jsonl --limit 150 [--student MERGED]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llama_server import ask, server_binary, serving

from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.onnx import OnnxRecipe
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.evaluation import wilson
from fdd_edge.ondevice.families import GGUF, device_family
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Task, plan_waves
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.attention_choice import decide_attention
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import Problem
from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set
from fdd_edge.resolve.model_file import find_model_file
from fdd_edge.targets import TargetRuntime, load_profile, open_session, resolve_threads

TOLERANCE = 0.02
"""Largest relative difference in tokens at which problems/s can still be compared."""
CONTEXT = 512
"""Tokens per slot of the server: more than any of these questions needs with its reply."""


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
        f"runner, {settings.decoding.batch_size} sequences",
        seconds,
        sum(wave.timing.prompt_tokens for wave in results),
        sum(wave.timing.decode_tokens for wave in results),
        [row.text for row in rows],
        session.totals.peak_rss_bytes / 1e6,
    )
    return Decoded(rows, result, session.info.prompt)


def alone(side: Callable[..., Result], *arguments: object) -> Result:
    """Run a side in its own process, so that the peak memory it reports is the model's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(side, arguments)


def own_peak() -> float:
    """Return this process's peak memory in MB (Linux counts in 1,024 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def run_package(artifact: Path, prompts: Sequence[str], settings: Settings) -> Result:
    """Decode with the package's high-level class, as its documentation shows."""
    import llama_cpp

    model = llama_cpp.Llama(
        str(artifact), n_ctx=2048, n_threads=settings.threads, n_threads_batch=settings.threads, verbose=False
    )
    began, n_prompt, n_new, texts = time.perf_counter(), 0, 0, []
    for prompt in prompts:
        reply = model(prompt, max_tokens=settings.decoding.max_new_tokens, temperature=0.0, stop=list(settings.stop))
        n_prompt += reply["usage"]["prompt_tokens"]
        # Count the token that ends a reply, as the others do; the package leaves it out. (One too many for a reply that
        # was ended by a stop text.)
        n_new += reply["usage"]["completion_tokens"] + (reply["choices"][0]["finish_reason"] == "stop")
        texts.append(reply["choices"][0]["text"])
    return Result("llama_cpp.Llama()", time.perf_counter() - began, n_prompt, n_new, texts, own_peak())


def export_by_optimum(student: Path, recipe: OnnxRecipe, out: Path) -> None:
    """Write optimum's own int8 model of a student with a recipe's settings, unless it exists."""
    from optimum.onnxruntime import ORTModelForCausalLM, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    if out.is_dir():
        return
    work = out.with_name(f"{out.name}.making")
    shutil.rmtree(work, ignore_errors=True)
    ORTModelForCausalLM.from_pretrained(student, export=True).save_pretrained(work / "float")
    how = getattr(AutoQuantizationConfig, str(recipe.instructions))(is_static=False, per_channel=recipe.per_channel)
    ORTQuantizer.from_pretrained(work / "float").quantize(save_dir=work / "int8", quantization_config=how)
    for path in student.glob("*token*"):
        shutil.copy2(path, work / "int8" / path.name)
    (work / "int8").rename(out)
    shutil.rmtree(work)


def run_optimum(folder: Path, prompts: Sequence[str], settings: Settings, batch: int) -> Result:
    """Decode with optimum's class, as its documentation shows; prompts of a batch are padded on the left."""
    import onnxruntime
    from optimum.onnxruntime import ORTModelForCausalLM
    from transformers import AutoTokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    (graph,) = folder.glob("*.onnx")
    model = ORTModelForCausalLM.from_pretrained(folder, file_name=graph.name, session_options=options)
    # Longest first, as in the runner's waves, so that a batch needs little padding.
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i])) if batch > 1 else range(len(prompts))
    began, n_prompt, n_new, texts = time.perf_counter(), 0, 0, [""] * len(prompts)
    for at in range(0, len(prompts), batch):
        chosen = list(order)[at : at + batch]
        texts_here = [prompts[i] for i in chosen]
        encoded = tokenizer(texts_here, return_tensors="pt", padding=True, add_special_tokens=False)
        given = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        written = model.generate(
            **given, max_new_tokens=settings.decoding.max_new_tokens, do_sample=False, tokenizer=tokenizer,
            stop_strings=list(settings.stop), pad_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        n_prompt += int(given["attention_mask"].sum())
        for i, ids in zip(chosen, written[:, given["input_ids"].shape[1] :].tolist(), strict=True):
            n_new += ids.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in ids else len(ids)
            texts[i] = tokenizer.decode(ids, skip_special_tokens=True)
    how = "one at a time" if batch == 1 else f"batches of {batch}"
    return Result(f"optimum, {how}", time.perf_counter() - began, n_prompt, n_new, texts, own_peak())


def run_genai(folder: Path, prompts: Sequence[str], settings: Settings) -> Result:
    """Decode with onnxruntime-genai's loop, as its documentation shows; its threads are set in the folder's config."""
    import onnxruntime_genai as og

    config = og.Config(str(folder))
    config.overlay(f'{{"model": {{"decoder": {{"session_options": {{"intra_op_num_threads": {settings.threads}}}}}}}}}')
    model = og.Model(config)
    tokenizer = og.Tokenizer(model)
    began, n_prompt, n_new, texts = time.perf_counter(), 0, 0, []
    for prompt in prompts:
        ids = tokenizer.encode(prompt)
        options = og.GeneratorParams(model)
        options.set_search_options(max_length=len(ids) + settings.decoding.max_new_tokens, do_sample=False)
        generator = og.Generator(model, options)
        generator.append_tokens(ids)
        written = 0
        while not generator.is_done():
            generator.generate_next_token()
            written += 1
        n_prompt, n_new = n_prompt + len(ids), n_new + written
        texts.append(tokenizer.decode(generator.get_sequence(0)[len(ids) :]))
    return Result("onnxruntime-genai, one at a time", time.perf_counter() - began, n_prompt, n_new, texts, own_peak())


def run_server(artifact: Path, prompts: Sequence[str], settings: Settings, flash_attention: str) -> Result:
    """Decode with llama.cpp's server; its default attention, ``auto``, means flash attention even on a CPU."""
    binary = server_binary()
    slots, threads = settings.decoding.batch_size, settings.threads
    server = serving(binary, artifact, slots=slots, threads=threads, context=CONTEXT, flash_attention=flash_attention)
    with server as (port, pid):
        began = time.perf_counter()
        replies = ask(port, prompts, slots=slots, max_new_tokens=settings.decoding.max_new_tokens, stop=settings.stop)
        seconds = time.perf_counter() - began
        peak = next(
            int(line.split()[1]) * 1024 / 1e6
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM")
        )
    n_prompt, n_new = sum(r.prompt_tokens for r in replies), sum(r.tokens for r in replies)
    name = f"llama-server, {slots} slots" + (", no flash" if flash_attention == "off" else "")
    return Result(name, seconds, n_prompt, n_new, [r.text for r in replies], peak)


def print_table(results: Sequence[Result], *, one_file: bool) -> None:
    ours = results[0]
    print(f"{'':34} {'problems/s':>10} {'new tok/s':>10} {'new tokens':>10} {'speedup':>10} {'RSS MB':>7}  same texts")
    for result in results:
        n = len(result.texts)
        rss = f"{result.peak_rss_mb:.0f}" if result.peak_rss_mb else "-"
        same = sum(a.strip() == b.strip() for a, b in zip(ours.texts, result.texts, strict=True))
        faster = (ours.tokens / ours.seconds) / (result.tokens / result.seconds)
        print(
            f"{result.name:34} {n / result.seconds:10.2f} {result.tokens / result.seconds:10.1f} {result.tokens:10} "
            f"{faster:9.2f}x {rss:>7}  {same} of {n}"
        )
    most = max(abs(result.tokens / ours.tokens - 1) for result in results)
    print(
        "\nspeedup: tokens/s of the runner divided by those of the other side; the time includes reading the prompts."
    )
    print("Runtimes add numbers in different orders, which changes the last bits and occasionally a text.")
    print(f"The token counts differ by up to {100 * most:.1f} %.")
    if one_file and most > TOLERANCE:
        sys.exit(f"That is more than {100 * TOLERANCE:.0f} %: the sides did different amounts of work.")


def with_decoding(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, decoding=replace(settings.decoding, **changes))


def print_floor(artifact: Path, problems: Sequence[Problem], prompt: str | None, settings: Settings) -> None:
    """Print how often a different number of sequences or threads gives a different text or answer."""
    base = run_runner(artifact, problems, prompt, settings).rows
    n = len(base)
    named = f"vs {settings.decoding.batch_size} sequences, {settings.threads} threads"
    print(f"{named:36} texts, answers that differ")
    changes = {
        f"sequences {k}": with_decoding(settings, batch_size=k)
        for k in (1, 4, 8, 32)
        if k != settings.decoding.batch_size
    }
    fewer = [k for k in (1, 2, 4) if k < settings.threads]
    changes |= {f"threads {k}": with_decoding(settings, threads=k) for k in fewer}
    for name, change in changes.items():
        rows = run_runner(artifact, problems, prompt, change).rows
        texts = sum(a.text != b.text for a, b in zip(base, rows, strict=True))
        answers = sum((a.answer, a.verdict) != (b.answer, b.verdict) for a, b in zip(base, rows, strict=True))
        low, high = wilson(answers, n)
        print(f"{name:36} {texts} of {n}, {answers} of {n} ({100 * low:.1f}-{100 * high:.1f} %)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifact", default="runs/quickstart", help="a model, or a run (default: %(default)s)")
    parser.add_argument(
        "--student", type=Path, help="float folder of the same student, for optimum's own export (int8)"
    )
    parser.add_argument("--data", default="symbolic:heldout", help="as for fdd-edge eval --data (default: %(default)s)")
    parser.add_argument("--format", help="format of the data (default: recognised)")
    parser.add_argument("--limit", type=int, default=150, help="questions (default: %(default)s)")
    parser.add_argument(
        "--prompt", help="a template with {question}, or: chat (default: the prompt stored in the file)"
    )
    parser.add_argument("--max-new-tokens", type=int, default=120)
    parser.add_argument("--threads", type=int, help="default: one per physical core")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--floor", action="store_true", help="measure how much sequences and threads alone change")
    options = parser.parse_args()
    show_on_stderr()
    artifact = find_model_file(options.artifact)
    threads = resolve_threads(load_profile("local"), options.threads)
    runtime = TargetRuntime(load_profile("local"), device_family(artifact).recipe_family)
    asking = Asking(Decoding(options.max_new_tokens, options.sequences, threads))
    settings = Settings(decide_attention(asking, runtime, artifact).decoding, stop=("\nQuestion:",))
    asked = DatasetOptions(options.data, "questions", options.format, options.limit)
    problems, *_ = read_set(asked, fetch_set(asked).files, seed=0)
    print(f"{artifact}, {len(problems)} questions of {options.data}, {threads} threads")
    print(f"the runner decodes with {'flash' if settings.decoding.flash_attention else 'standard'} attention\n")
    if options.floor:
        print_floor(artifact, problems, options.prompt, settings)
        return
    ours = run_runner(artifact, problems, options.prompt, settings)
    prompts = [Prompt.parse(ours.template).render(p.question) for p in problems]
    print_table(
        [ours.result, *others(artifact, options, problems, prompts, settings)], one_file=options.student is None
    )


def others(
    artifact: Path, options: argparse.Namespace, problems: Sequence[Problem], prompts: Sequence[str], settings: Settings
) -> list[Result]:
    """Run the programs a user would otherwise decode the model with."""
    if device_family(artifact) is GGUF:
        servers = [run_server(artifact, prompts, settings, flash_attention) for flash_attention in ("auto", "off")]
        return [alone(run_package, artifact, prompts, settings), *servers]
    single = run_runner(artifact, problems, options.prompt, with_decoding(settings, batch_size=1)).result
    recipe = load_recipe(str(describe_model(artifact).recipe))
    assert isinstance(recipe, OnnxRecipe)
    if recipe.precision == "int4":
        return [single, alone(run_genai, artifact.parent, prompts, settings)]
    if options.student is None:
        sys.exit("An int8 model needs --student, the float folder of the same student: optimum exports it itself.")
    own = artifact.parent.with_name(f"{artifact.parent.name}-by-optimum")
    export_by_optimum(options.student, recipe, own)
    return [single, *(alone(run_optimum, own, prompts, settings, batch) for batch in (1, settings.decoding.batch_size))]


if __name__ == "__main__":
    main()
