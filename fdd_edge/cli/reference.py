"""The command reference in the docs, generated from the commands: ``python -m fdd_edge.cli.reference``."""

from __future__ import annotations

import sys

import click

from fdd_edge.cli import COMMANDS, cli

__all__ = ["reference"]

_WIDTH = 100

_HEAD = """# Commands

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 `solve` found no answer; 2 wrong usage or input;
4 a file does not answer as its model; 6 a target failed; 130 interrupted.
"""


def reference() -> str:
    """Return docs/commands.md."""
    parts = [_HEAD]
    with click.Context(cli, info_name="fdd-edge") as group:
        for name in COMMANDS:
            command = cli.get_command(group, name)
            assert command is not None
            with click.Context(
                command,
                help_option_names=["-h", "--help"],
                info_name=name,
                parent=group,
                max_content_width=_WIDTH,
                terminal_width=_WIDTH,
            ) as ctx:
                parts.append(f"## {name}\n\n```text\n{command.get_help(ctx)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(reference())
