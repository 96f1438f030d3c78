"""Our side of benchmarks/training.py: one job of ``train_adapter`` in its own process.

It takes the same arguments as peers/trl_sft.py and prints the same JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fdd_edge.progress import show_on_stderr

PACKAGES = ("fdd-edge", "transformers", "peft", "torch")

GROUPS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn::_linear_pointwise"),
    "copies and casts": (
        "aten::copy_",
        "aten::_to_copy",
        "aten::cat",
        "aten::clone",
        "aten::index_select",
        "aten::index",
    ),
    "softmax and its gradient": ("aten::_softmax", "aten::_log_softmax", "aten::exp", "aten::exp_", "aten::logsumexp"),
    "optimizer": ("aten::_fused_adamw_", "aten::_foreach_norm", "aten::linalg_vector_norm", "aten::_foreach_mul_"),
}
"""Operations of torch by what they are for; all others are element by element: norms, gates, rotations, rounding."""

OTHER = "element by element"


def shares_of(operations: Iterable[Any]) -> dict[str, float]:
    """Return the share of processor time of each group, given the averages of torch's profiler."""
    groups = {name: group for group, names in GROUPS.items() for name in names}
    seconds: Counter[str] = Counter()
    for operation in operations:
        if operation.key.startswith("aten::") or operation.key in groups:
            seconds[groups.get(operation.key, OTHER)] += operation.self_cpu_time_total
    return {group: taken / seconds.total() for group, taken in seconds.most_common()}


def train(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from fdd_edge.artifacts.recipe import load_gguf_recipe
    from fdd_edge.operations.quantized_student import quantized_weights
    from fdd_edge.resolve.student import open_student
    from fdd_edge.students.lora_training import cpu_has_bf16, train_adapter
    from fdd_edge.students.tokenizer import Example
    from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

    rows = [json.loads(line) for line in options.examples.read_text(encoding="utf-8").splitlines()]
    examples = [Example(row["prompt_ids"], row["completion_ids"]) for row in rows]
    aware_of = None if options.aware is None else load_gguf_recipe(options.aware)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as held:
        quantized = None
        if aware_of is not None:
            student = open_student(str(options.student))
            quantized = held.enter_context(quantized_weights(student, aware_of, Path(scratch)))
        before = resource.getrusage(resource.RUSAGE_SELF)
        profiler = held.enter_context(torch.profiler.profile()) if options.profile else None
        trace = train_adapter(
            options.student,
            examples,
            Path(scratch) / "adapter",
            lora=LoraOptions(),
            options=TrainingOptions(per_device_train_batch_size=options.batch),
            resolved=ResolvedTraining(1, seed=options.seed, bf16=cpu_has_bf16(), threads=options.threads),
            base_name="benchmark",
            quantized=quantized,
        )
        after = resource.getrusage(resource.RUSAGE_SELF)
    if profiler is not None:
        for group, share in shares_of(profiler.key_averages()).items():
            print(f"{100 * share:5.1f} %  {group}", file=sys.stderr)
    return {
        "steps": trace.steps,
        "tokens": trace.tokens,
        "seconds": trace.seconds,
        # Includes loading the student and saving the adapter, a second or two.
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "losses": trace.losses,
        "peak_rss_mb": after.ru_maxrss / 1024,
        "versions": {name: version(name) for name in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--examples", type=Path, required=True, help="JSON lines with prompt_ids and completion_ids")
    parser.add_argument("--steps", type=int, required=True, help="number of steps that --examples and --batch give")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--aware", help="train for the rounding of this recipe")
    parser.add_argument("--profile", action="store_true", help="print which operations take how much of the time")
    options = parser.parse_args()
    show_on_stderr()
    with contextlib.redirect_stdout(sys.stderr):
        facts = train(options)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
