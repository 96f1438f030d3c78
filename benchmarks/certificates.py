"""What the certificates of a run cost, item by item: with a few prompts, as a run makes them, and with all 64.

Takes a finished run that still has its untuned student's artifacts and its last round's models, such as the demo's, and
makes their certificates again. The figures are processor seconds, user and system, of this process and of its runners,
with one thread: so they hardly depend on what else the machine does. Nothing is taken from the cache.

    fdd-edge run quickstart -o RUN
    python benchmarks/certificates.py RUN
"""

from __future__ import annotations

import argparse
import resource
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.config_file import load_config
from fdd_edge.feedback import sample_pool
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.operations import certify, file_content
from fdd_edge.parity import answer_waiting
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import read_problems
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import ArtifactsLayout, RunLayout
from fdd_edge.targets import TargetRuntime, load_profile

PARTS = {
    "the float model answers": (certify, "compute_reference_outputs"),
    "tensors": (file_content, "compare_tensors"),
    "vocabulary, configs": (certify, "read_content"),
    "the file reads and answers": (certify, "read_file"),
    "own_weights": (certify, "own_weights_item"),
    "logits and the other figures": (certify, "compare_outputs"),
}
"""What is timed, and the function that does it; the third contains the second, which is taken off."""

REST = "hashes and the rest"
TOKENS = ("tokens of the prompts", "tokens of the replies")
"""Of the float model's side, which each file reads too."""


class Costs:
    """Processor seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        before = processor_seconds()
        yield
        self.seconds[part] += processor_seconds() - before

    def watch(self, module: Any, name: str, part: str) -> Callable[[], None]:
        """Time a function; return what ends that."""
        real = getattr(module, name)

        def timed(*args: Any, **options: Any) -> Any:
            with self.timed(part):
                return real(*args, **options)

        setattr(module, name, timed)
        return partial(setattr, module, name, real)


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def cost_of(run: Path, layout: ArtifactsLayout, student: Student, template: str, *, few: bool) -> dict[str, float]:
    """Certify what a round, or the untuned student, has on the disk; return what each part took."""
    costs, paths = Costs(), RunLayout(run)
    ends = [costs.watch(module, name, part) for part, (module, name) in PARTS.items()]
    drawn = sample_pool(
        [problem for file in (paths.seed_problems, paths.valid) for problem in read_problems(file)],
        certify.CERTIFICATE_PROMPTS,
        0,
    )
    trained = layout.merged is not None
    with costs.timed("all"):
        reference = certify.reference_of(student, drawn, template=template, trained=trained, few=few, threads=1)
        # Of the untuned student, only the judge's artifact is compared, which is the smallest here.
        artifacts = sorted(layout.artifacts.iterdir(), key=lambda folder: find_model(folder).stat().st_size)
        for folder in artifacts if trained else artifacts[:1]:
            recipe = load_recipe(folder.name)
            certificate = certify.certify_file(
                find_model(folder),
                student.folder,
                reference,
                recipe,
                answer_all=partial(answer_waiting, reference, student.folder, threads=1) if few else None,
                runtime=TargetRuntime(load_profile("local"), recipe.family),
                threads=1,
            )
            print(f"{layout.name} {certificate!r} {certificate.prompts['answered']} prompts", flush=True)
    for end in ends:
        end()
    seconds = costs.seconds
    seconds["vocabulary, configs"] -= seconds["tensors"]
    seconds[REST] = seconds["all"] - sum(seconds[part] for part in PARTS)
    prompts, replies = TOKENS
    seconds[prompts] = sum(len(reply.prompt_ids) for reply in reference.answered)
    seconds[replies] = sum(len(reply.ids) for reply in reference.answered)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run, such as the demo's")
    parser.add_argument("--few-only", action="store_true", help="leave out the certificates of all 64 prompts")
    options = parser.parse_args()
    show_on_stderr()
    torch.set_num_threads(1)
    config, layout = load_config(str(options.run / "config.yaml"))[0], RunLayout(options.run)
    template, student = file_prompt(config.student.prompt), open_student(config.student.model_name_or_path)
    last = layout.round(config.rounds - 1)
    ways = [True] if options.few_only else [False, True]
    columns = {
        f"{name}, {'few' if few else 'all'}": cost_of(options.run, part, model, template, few=few)
        for name, part, model in (("untuned", layout.untuned, student), ("round", last, student.at(last.merged)))
        for few in ways
    }
    print(f"\n{'processor seconds':30}" + "".join(f"{name:>15}" for name in columns))
    for part in (*PARTS, REST, "all", *TOKENS):
        digits = 0 if part in TOKENS else 1
        print(f"{part:30}" + "".join(f"{seconds[part]:15.{digits}f}" for seconds in columns.values()))


if __name__ == "__main__":
    main()
