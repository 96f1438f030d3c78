"""``fdd-edge train``."""

from __future__ import annotations

import shlex

import click

from fdd_edge.cli.click_options import Command, columns_options, options_of, set_option
from fdd_edge.students.training_options import TrainingOptions


@click.command("train", cls=Command)
@click.argument("config")
@click.option(
    "--data", required=True, metavar="FILE", help="Problems with question, answer and program; - is standard input."
)
@click.option("--valid", metavar="FILE", help="Problems for the validation loss, in the same format.")
@click.option("-o", "--output", required=True, metavar="DIR", help="New folder for adapter/ and merged/.")
@columns_options
@options_of(TrainingOptions, "threads")
@set_option()
def command(
    config: str,
    data: str,
    valid: str | None,
    output: str,
    question_field: str | None,
    answer_field: str | None,
    threads: int | None,
    overrides: tuple[str, ...],
) -> None:
    """LoRA-tune the student of CONFIG on problem records and merge it.

    As in a run, problems whose program does not give their answer, and duplicates, are left out; how many, and why, is
    said. Programs are trained on in their terse form, unless CONFIG or --set says teacher.style=as_written.
    CONFIG is the name of a packaged config, a YAML file, or a run folder. The same command resumes an interrupted
    training from its last checkpoint. Training runs on the CPU. For several processes use
    `accelerate launch --multi_gpu --num_processes N -m fdd_edge train ...`: in spite of its name, accelerate needs
    that option on CPUs too.
    """
    from fdd_edge import api
    from fdd_edge.distributed import is_first_process

    fields = {"question_field": question_field, "answer_field": answer_field}
    made = api.train(config, data, output, valid=valid, threads=threads, overrides=overrides, **fields)
    if is_first_process():
        merged = shlex.quote(str(made.merged))
        click.echo(f"{made.merged}\n\nExport it:\n\n  fdd-edge export {merged} -r gguf-q8_0 -o DIR\n")
