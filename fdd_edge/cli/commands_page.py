"""The command reference in the docs, generated from the commands: ``python -m fdd_edge.cli.commands_page``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from fdd_edge.cli import COMMANDS, cli

__all__ = ["reference"]

_WIDTH = 100

_HEAD = """# Commands

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 `solve` found no answer; 2 wrong usage or input;
3 the last round fails a gate (`run --fail-on-gate`), or one is worse (`compare --fail-if-worse`); 4 an exported file
does not match its float model; 5 the budget for language models is used up; 6 a target or an endpoint failed; 7 replies
of a batch are waited for, and nothing is wrong; 129 the terminal was closed; 130 interrupted.
"""


def reference() -> str:
    """Return docs/commands.md."""
    parts = [_HEAD]
    with click.Context(cli, info_name="fdd-edge") as group:
        for name in COMMANDS:
            command = cli.get_command(group, name)
            assert command is not None
            parts += _sections(command, name, group, name)
    return "\n".join(parts)


def _sections(command: click.Command, name: str, parent: click.Context, title: str) -> Iterator[str]:
    """Yield a command's help, and those of its own commands."""
    with click.Context(
        command,
        help_option_names=["-h", "--help"],
        info_name=name,
        parent=parent,
        max_content_width=_WIDTH,
        terminal_width=_WIDTH,
    ) as ctx:
        yield f"## {title}\n\n```text\n{command.get_help(ctx)}\n```\n"
        if isinstance(command, click.Group):
            for own in command.list_commands(ctx):
                inner = command.get_command(ctx, own)
                assert inner is not None
                yield from _sections(inner, own, ctx, f"{title} {own}")


if __name__ == "__main__":
    sys.stdout.write(reference())
