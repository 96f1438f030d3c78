"""``fdd-edge validate``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option, set_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.validation import ValidConfig

_LABEL_WIDTH = 10


@click.command("validate", cls=Command)
@click.argument("config")
@set_option("Override a key, such as feedback.limit=100; repeatable.")
@json_option()
def command(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check all that the start of a run of CONFIG checks, without starting it.

    The student, the problems and every model and target that it names are opened. Downloads go to the cache; nothing is
    written to the run folder, and nothing is spent. CONFIG is as for `run`; of a run that is there already, the start
    that would resume it is checked.
    """
    import json

    from fdd_edge import api

    valid = api.validate(config, overrides=overrides)
    if as_json:
        click.echo(json.dumps(valid.to_dict()))
    else:
        _print(valid, overrides)


def _print(valid: ValidConfig, overrides: tuple[str, ...]) -> None:
    from fdd_edge.cli.console import print_labelled, print_lines, print_text

    print_text(f"{valid.name} is valid.")
    print_lines("")
    train, *reported = valid.problems.items()
    done = "1 finished round" if valid.rounds_done == 1 else f"{valid.rounds_done} finished rounds"
    rows = [
        ("student", f"{valid.student}, {valid.parameters / 1e6:.1f} M weights"),
        ("problems", ", ".join([f"{train[1]:,} to train on", *(f"{n:,} in {name}" for name, n in reported)])),
        ("artifacts", f"{', '.join(valid.recipes)} on {', '.join(valid.targets)}"),
        ("teachers", ", ".join(valid.teachers)),
        ("output", f"{valid.output}, {f'which has {done}' if valid.rounds_done else 'new'}"),
    ]
    print_labelled(rows, width=_LABEL_WIDTH)
    settings = "".join(f" --set {shlex.quote(setting)}" for setting in overrides)
    print_lines("")
    print_text("What it will take:")
    print_lines("", f"  fdd-edge plan {shlex.quote(valid.name)}{settings}", "")
