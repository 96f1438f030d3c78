"""Our side of benchmarks/training.py: one job of ``train_adapter`` in a process of its own.

It takes the arguments of peers/trl_sft.py and prints the same JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("fdd-edge", "transformers", "peft", "torch")


def train(options: argparse.Namespace) -> dict[str, Any]:
    from fdd_edge.artifacts.recipe import load_gguf_recipe
    from fdd_edge.config import LoraConfig, TrainingConfig
    from fdd_edge.operations.train import quantized_weights
    from fdd_edge.resolve.student import open_student
    from fdd_edge.students.lora_training import LoraSettings, TrainSettings, cpu_has_bf16, train_adapter
    from fdd_edge.students.tokenizer import Example

    lora = LoraConfig()
    settings = TrainSettings(
        learning_rate=TrainingConfig().learning_rate,
        num_train_epochs=1,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=1,
        max_length=TrainingConfig().max_length,
        seed=options.seed,
        bf16=cpu_has_bf16(),
        threads=options.threads,
    )
    rows = [json.loads(line) for line in options.examples.read_text(encoding="utf-8").splitlines()]
    examples = [Example(row["prompt_ids"], row["completion_ids"]) for row in rows]
    aware_of = None if options.aware is None else load_gguf_recipe(options.aware)
    with (
        tempfile.TemporaryDirectory() as scratch,
        quantized_weights(open_student(str(options.student)), aware_of, Path(scratch)) as quantized,
    ):
        before = resource.getrusage(resource.RUSAGE_SELF)
        trace = train_adapter(
            options.student,
            examples,
            Path(scratch) / "adapter",
            lora=LoraSettings(lora.r, lora.lora_alpha, lora.lora_dropout, tuple(lora.target_modules)),
            settings=settings,
            base_name="benchmark",
            quantized=quantized,
        )
        after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "steps": trace.steps,
        "tokens": trace.tokens,
        "seconds": trace.seconds,
        # Ours cannot be had without loading the student and saving the adapter: a second or two.
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "losses": trace.losses,
        "peak_rss_mb": after.ru_maxrss / 1024,
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--examples", type=Path, required=True, help="JSON lines of prompt_ids and completion_ids")
    parser.add_argument("--steps", type=int, required=True, help="what --examples and --batch come to")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--aware", help="train for the rounding of this recipe")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        facts = train(options)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
