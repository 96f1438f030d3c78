"""``fdd-edge train``."""

from __future__ import annotations

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

    from fdd_edge.artifacts.recipe import load_recipe
    from fdd_edge.config import load_config
    from fdd_edge.data import read_dataset
    from fdd_edge.errors import FddError
    from fdd_edge.launched import is_first_process, processes
    from fdd_edge.runs import RunLayout
    from fdd_edge.runs.hashing import hash_file
    from fdd_edge.runs.stage import make_whole, partial_of
    from fdd_edge.stages.export import check_disk, count_parameters
    from fdd_edge.stages.prompts import begin_prompt
    from fdd_edge.stages.student import open_student
    from fdd_edge.stages.training import merge, train
    from fdd_edge.students.train import wait_for_processes

    run = RunLayout(Path(config))
    checked, _ = load_config(
        str(run.config) if run.is_run() else config, [*overrides, f"output_dir={json.dumps(output)}"]
    )
    out = Path(output)
    problems = read_dataset(Path(data)).problems
    if not any(problem.program for problem in problems):
        raise FddError(f"{data} holds no problem with a program to train on; each line needs one under `program`.")
    held = [] if valid is None else read_dataset(Path(valid)).problems
    named = checked.training.quantization_aware
    aware_of = None if named == "none" else load_recipe(named)
    student = open_student(checked.student.model_name_or_path, checked.student.revision)
    note = partial_of(out) / "prompt.json"
    noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    prompt = begin_prompt(checked.student.prompt, student.folder, student.sha256, noted)
    template = prompt.template

    def tune(folder: Path) -> None:
        train(
            student,
            problems,
            folder,
            template=template,
            lora=checked.lora.model_dump(),
            training=checked.training.model_dump(),
            dtype=checked.student.dtype,
            seed=checked.seed,
            valid=held,
            aware_of=aware_of,
        )

    def tune_unless_done(folder: Path) -> None:
        # A call that was killed while it merged goes on there; all processes must see the same before one acts.
        wait_for_processes()
        done = (folder / "training.json").is_file()
        wait_for_processes()
        if not done:
            tune(folder)

    def make(folder: Path) -> None:
        (folder / note.name).write_text(json.dumps(prompt._asdict()), encoding="utf-8")
        tune_unless_done(folder / "adapter")
        merge(student, folder / "adapter", folder / "merged", template=template)
        (folder / note.name).unlink()

    if not is_first_process():
        tune_unless_done(partial_of(out) / "adapter")
        return
    made_from = {
        "student": student.sha256,
        "data": hash_file(Path(data)),
        "valid": valid and hash_file(Path(valid)),
        "settings": checked.model_dump(mode="json", include={"student", "lora", "training", "seed"}),
        "template": template,
        "aware_of": aware_of and aware_of.model_dump(mode="json"),
        "processes": processes(),
    }
    check_disk(out, count_parameters(student.folder), copies=1.5)
    make_whole(out, make, params=made_from)
    click.echo(f"{out / 'merged'}\n\nExport it:\n\n  fdd-edge export {out / 'merged'} -r gguf-q8_0 -o DIR\n")
