"""Time and memory for a student of half a billion parameters: training, export and parity with Qwen2.5-0.5B's shape.

The weights are random, and so are the answers. The shape is the model's (896 wide, 24 layers, a vocabulary of 151,936),
and the problems are those of the config ``gsm8k-qwen-0.5b``: half from GSM8K, half symbolic. The tokenizer is made up,
so a problem does not have as many tokens as with Qwen's tokenizer; that is why tokens/s is printed next to the minutes.
Run it with:

    FDD_DATA=FOLDER python benchmarks/half_billion.py -o DIR
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from training import training_problems

from fdd_edge.progress import show_on_stderr
from fdd_edge.records import write_jsonl

CONFIG = "gsm8k-qwen-0.5b"
VOCABULARY = 151_936
RECIPES = ("gguf-f32", "gguf-q8_0", "gguf-q4_0")


class Step(NamedTuple):
    name: str
    seconds: float
    peak_rss_gb: float
    exit_code: int


def make_student(out: Path, texts: list[str]) -> None:
    """Write a folder with Qwen2.5-0.5B's shape: random weights, and a small tokenizer padded to the full vocabulary."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.save_pretrained(out)
    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        rope_theta=1_000_000.0,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        eos_token_id=fast.eos_token_id,
        dtype="bfloat16",
    )
    Qwen2ForCausalLM(shape).to(torch.bfloat16).save_pretrained(out)


def run(name: str, *arguments: str) -> Step:
    """Run an fdd-edge command in its own process, and measure it."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "fdd_edge", *arguments], check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    return Step(name, time.perf_counter() - began, peak, done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a new folder")
    parser.add_argument("--problems", type=int, default=200, help="problems to train on (default: %(default)s)")
    options = parser.parse_args()
    show_on_stderr()
    out: Path = options.output
    out.mkdir(parents=True)
    gsm8k = str(Path(os.environ["FDD_DATA"]) / "gsm8k_train.jsonl")
    problems = training_problems([gsm8k], options.problems, seed=0)[: options.problems]
    write_jsonl(out / "records.jsonl", (problem.to_row() for problem in problems))
    make_student(out / "student", [f"{p.question}\n{p.program}\n" for p in problems])
    student = ("--set", f"student.model_name_or_path={out / 'student'}")
    data = ("--data", str(out / "records.jsonl"))
    wanted = [word for recipe in RECIPES for word in ("-r", recipe)]
    merged = str(out / "trained" / "merged")
    steps = [
        run("train and merge", "train", CONFIG, *student, *data, "-o", str(out / "trained")),
        run("export, certified", "export", merged, *wanted, "-o", str(out / "files")),
        run("parity alone", "parity", str(out / "files" / RECIPES[1]), "--reference", merged),
    ]
    trace = json.loads((out / "trained" / "adapter" / "training.json").read_text(encoding="utf-8"))
    print(f"\n{'':20} {'minutes':>8} {'peak GB':>8}  exit code")
    for step in steps:
        print(f"{step.name:20} {step.seconds / 60:8.1f} {step.peak_rss_gb:8.1f}  {step.exit_code}")
    minutes = trace["seconds"] / 60 * 1000 / options.problems
    print(
        f"\n{minutes:.1f} minutes per thousand problems ({trace['tokens'] / trace['seconds']:.0f} tokens/s, one epoch)"
    )
    print("peak GB: the largest process so far, including the runner's")
    sys.exit(any(step.exit_code for step in steps))


if __name__ == "__main__":
    main()
