"""``fdd-edge train``."""

from __future__ import annotations

import shlex

import click


@click.command("train")
@click.argument("config")
@click.option("--data", required=True, metavar="FILE", help="JSON lines with question, answer, program.")
@click.option("--valid", metavar="FILE", help="Likewise, for a validation loss.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Gets adapter/ and merged/.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the config.")
def command(config: str, data: str, valid: str | None, output: str, overrides: tuple[str, ...]) -> None:
    """LoRA-tune the student of CONFIG on problem records and merge it.

    CONFIG is the name of a packaged config, a YAML file, or a run folder. Interrupted, the same command goes on from
    the last checkpoint. Several processes share the work under `accelerate launch --multi_gpu
    --num_processes N -m fdd_edge train ...`, on CPUs too.
    """
    import json
    from pathlib import Path

    from fdd_edge.artifacts.recipe import families_of, load_gguf_recipe
    from fdd_edge.config import load_config
    from fdd_edge.data import read_dataset
    from fdd_edge.distributed import is_first_process
    from fdd_edge.errors import FddError
    from fdd_edge.operations.tune import tune
    from fdd_edge.resolve.student import open_student
    from fdd_edge.runs import RunLayout
    from fdd_edge.runs.hashing import hash_file

    run = RunLayout(Path(config))
    checked, _ = load_config(
        str(run.config) if run.is_run() else config, [*overrides, f"output_dir={json.dumps(output)}"]
    )
    problems = read_dataset(Path(data)).problems
    if not any(problem.program for problem in problems):
        raise FddError(f"{data} holds no problem with a program to train on; each line needs one under `program`.")
    aware_of = checked.training.quantization_aware
    grid = None if aware_of == "none" else load_gguf_recipe(aware_of, "training.quantization_aware")
    families = families_of(checked.recipe_names)
    student = open_student(checked.student.model_name_or_path, checked.student.revision, families=families)
    tune(
        student,
        problems,
        Path(output),
        prompt=checked.student.prompt,
        settings={
            "lora": checked.lora.model_dump(),
            "training": checked.training.model_dump(),
            "dtype": checked.student.dtype,
            "seed": checked.seed,
        },
        valid=[] if valid is None else read_dataset(Path(valid)).problems,
        aware_of=grid,
        made_from={
            "student": student.sha256,
            "data": hash_file(Path(data)),
            "valid": valid and hash_file(Path(valid)),
        },
    )
    if is_first_process():
        merged = Path(output) / "merged"
        click.echo(f"{merged}\n\nExport it:\n\n  fdd-edge export {shlex.quote(str(merged))} -r gguf-q8_0 -o DIR\n")
