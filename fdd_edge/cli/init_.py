"""``fdd-edge init``."""

from __future__ import annotations

from typing import Any

import click

from fdd_edge.cli.click_options import Command

QUESTIONS = {
    "student": "The model to train: a hub id, a folder, a .gguf file, or package:NAME",
    "train": "Problems to train on: a file, a hub id, or symbolic:train for generated ones",
    "eval": "Problems to report on, or none",
    "target": "Where it will run (fdd-edge ls targets)",
    "recipe": "Kind of file (fdd-edge ls recipes)",
    "rounds": "Rounds",
}


@click.command("init", cls=Command)
@click.argument("config", default="fdd-edge.yaml")
@click.option("--student", metavar="MODEL", help="The model to train.")
@click.option("--train", metavar="FILE|ID", help="Problems to train on.")
@click.option("--eval", "eval_set", metavar="FILE|ID", help="Problems to report on; `none` for none.")
@click.option("--target", metavar="NAME", help="Where it will run.")
@click.option("--recipe", metavar="NAME", help="Kind of file.")
@click.option("--rounds", type=click.IntRange(1), help="Number of rounds.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing, and take the defaults for what is not given.")
def command(config: str, eval_set: str | None, yes: bool, **given: Any) -> None:
    """Write a commented CONFIG for your own problems, model and device.

    Whatever no option says is asked for, in a terminal. The default of CONFIG is fdd-edge.yaml.
    """
    import shlex
    import sys
    from dataclasses import asdict, replace
    from pathlib import Path

    from fdd_edge.cli.console import print_lines, print_text
    from fdd_edge.pipeline.new_config import NewConfig, check_name, write_config

    check_name(Path(config))
    known = {name: value for name, value in {**given, "eval": eval_set}.items() if value is not None}
    defaults = asdict(NewConfig())
    asks = not yes and sys.stdin.isatty()
    for name, question in QUESTIONS.items():
        if name == "eval" and known.get("train", defaults["train"]) != defaults["train"]:
            defaults["eval"] = "none"
        if name not in known:
            kind = click.IntRange(1) if name == "rounds" else str
            known[name] = click.prompt(question, default=defaults[name], type=kind) if asks else defaults[name]
    if known["eval"] == "none":
        known["eval"] = ""
    write_config(Path(config), replace(NewConfig(), **known))
    print_text(f"{config} is written. Check it, see what it will take, and run it:")
    name = shlex.quote(config)
    print_lines("", *(f"  fdd-edge {verb} {name}" for verb in ("validate", "plan", "run")), "")
