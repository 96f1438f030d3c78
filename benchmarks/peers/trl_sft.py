"""TRL's SFTTrainer on one job of benchmarks/training.py, in its own environment (peers/trl.txt).

It does not import fdd_edge. One JSON object goes to stdout, everything else to stderr. ``default`` uses TRL's defaults
for everything but the task itself; the other modes change settings documented by TRL or PEFT, and none of their code.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PACKAGES = ("trl", "transformers", "peft", "torch")


@dataclass(frozen=True)
class Mode:
    """Settings of one job for TRL; ``about`` describes the difference from the mode before."""

    about: str
    dtype: str = "float32"  # TRL's default for a model named by its folder
    attention: str | None = None
    autocast_adapter: bool = True
    packed: bool = False
    config: dict[str, Any] = field(default_factory=dict)


# TRL says that padding-free batches need flash attention. SDPA works too: transformers 5 finds the borders of flattened
# examples by their positions and masks attention across them, and the losses equal those of the padded batch.
DEFAULT = Mode("bf16 autocast over float32 weights, gradient checkpointing, random order, padded batches")
KEPT = replace(DEFAULT, about="no gradient checkpointing", config={"gradient_checkpointing": False})
BF16 = replace(KEPT, about="also bf16 weights", dtype="bfloat16")
GROUPED = replace(
    BF16,
    about="also batches of similar lengths",
    config={**BF16.config, "train_sampling_strategy": "group_by_length", "length_column_name": "length"},
)
BEST = replace(
    BF16,
    about="also each batch flattened into one row, without padding",
    config={**BF16.config, "padding_free": True, "max_length": None},
)

MODES = {
    "default": DEFAULT,
    "kept": KEPT,
    "bf16": BF16,
    "grouped": GROUPED,
    "grouped-eager": replace(GROUPED, about="grouped, with eager attention", attention="eager"),
    "best": BEST,
    "packed": replace(BF16, about="bf16, examples packed (bfd) into rows of a batch's mean length", packed=True),
    "best-float32-weights": replace(BEST, about="best, with float32 weights under autocast", dtype="float32"),
    "best-float32": replace(
        BEST, about="best, float32 throughout", dtype="float32", config={**BEST.config, "bf16": False}
    ),
    "best-checkpointing": replace(
        BEST, about="best, with gradient checkpointing", config={**BEST.config, "gradient_checkpointing": True}
    ),
    "best-pure-bf16": replace(
        BEST,
        about="best, the adapter in bf16 too, no autocast",
        autocast_adapter=False,
        config={**BEST.config, "bf16": False},
    ),
    "best-eager": replace(BEST, about="best, with eager attention", attention="eager"),
    "best-compiled": replace(
        BEST, about="best, with torch.compile, compiling included", config={**BEST.config, "torch_compile": True}
    ),
}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the encoded examples in TRL's format for tokenized data."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        example = json.loads(line)
        prompt, completion = example["prompt_ids"], example["completion_ids"]
        mask = [0] * len(prompt) + [1] * len(completion)
        rows.append({"input_ids": prompt + completion, "completion_mask": mask, "length": len(mask)})
    return rows


def load_model(student: str, mode: Mode, seed: int) -> Any:
    """Return the student with a new adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, set_seed

    set_seed(seed)
    options = {} if mode.attention is None else {"attn_implementation": mode.attention}
    model = AutoModelForCausalLM.from_pretrained(student, dtype=getattr(torch, mode.dtype), **options)
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")
    return get_peft_model(model, lora, autocast_adapter_dtype=mode.autocast_adapter)


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Run one job and return its figures; time is the Trainer's own, without loading and data preparation."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(options.threads)
    mode = MODES[options.mode]
    rows = read_rows(options.examples)
    batch = {"per_device_train_batch_size": options.batch}
    if mode.packed:
        # A few per cent above the mean; otherwise best-fit packing leaves an extra row of leftovers.
        mean = sum(row["length"] for row in rows) / options.steps
        block = max(round(1.02 * mean), *(row["length"] for row in rows))
        batch = {"per_device_train_batch_size": 1, "packing": True, "max_length": block}
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            num_train_epochs=1,
            completion_only_loss=True,
            seed=options.seed,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **batch,
            **mode.config,
        )
        trainer = SFTTrainer(
            model=load_model(options.student, mode, options.seed),
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(options.student),
        )
        before = resource.getrusage(resource.RUSAGE_SELF)
        result = trainer.train()
        after = resource.getrusage(resource.RUSAGE_SELF)
    logs = [log for log in trainer.state.log_history if "loss" in log]
    return {
        "steps": result.global_step,
        "tokens": int(logs[-1]["num_tokens"]),  # TRL's own count: attention mask, or flattened positions
        "seconds": result.metrics["train_runtime"],
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "losses": [log["loss"] for log in logs],
        "peak_rss_mb": after.ru_maxrss / 1024,
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", required=True, help="Hugging Face folder")
    parser.add_argument("--examples", type=Path, required=True, help="JSON lines with prompt_ids and completion_ids")
    parser.add_argument("--steps", type=int, required=True, help="number of steps that --examples and --batch give")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    modes = "; ".join(f"{name}: {mode.about}" for name, mode in MODES.items())
    parser.add_argument("--mode", choices=MODES, default="default", metavar="MODE", help=modes)
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        facts = train(options)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
