"""The command line. Each command is a module that is imported when it is called, so that help is instant."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

import click

from fdd_edge import __version__, interrupt
from fdd_edge.errors import FddError, WaitingError, did_you_mean
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.progress import show_on_stderr
from fdd_edge.terminal import guard_streams, lost_output

__all__ = ["cli", "main"]

COMMANDS = {
    "run": "Distil the student described in CONFIG, or resume a run.",
    "init": "Write a commented CONFIG for your own problems, model and device.",
    "validate": "Check all that the start of a run of CONFIG checks, without starting it.",
    "plan": "Say what a run of CONFIG will take: problems, calls, cost, hours, disk, memory and sizes of files.",
    "train": "LoRA-tune the student of CONFIG on problem records and merge it.",
    "export": "Export MODEL by recipes, and compare every artifact with it.",
    "parity": "Compare ARTIFACT with the float model it was made from, item by item.",
    "verify": "Check that a run or an exported folder is as it was written, down to the bytes of its artifacts.",
    "eval": "Evaluate ARTIFACT on a target.",
    "rows": "Show replies with their questions, expected answers and verdicts.",
    "compare": "Compare runs, rounds or evaluations with the first one, on the same problems.",
    "report": "Write a report on runs: one HTML file without scripts, or Markdown.",
    "split": "Split PROBLEMS into easy and hard by an artifact's answers.",
    "evolve": "Let a teacher write new problems from SPLIT.",
    "solve": "Ask MODEL one QUESTION; print its program and the answer.",
    "ledger": "Show what a run's calls to language models cost (`fdd-edge ledger RUN`), and import replies of batches.",
    "bench": "Measure what ARTIFACT costs on a target: load time, speeds, memory, energy.",
    "targets": "Create an emulated target, set up a board, and delete what a target stores.",
    "doctor": "Check this machine or a target; print the command that fixes each problem.",
    "cache": "Show what the cache holds, and delete what can be made again.",
    "ls": "List recipes, targets, configs, teachers, their prompts and data formats; or runs.",
}
"""Commands in the order a newcomer needs them, each with its summary: a command is imported only to be called, so the
first paragraph of its help stands here too (a test compares them)."""


_FIXABLE = {
    errno.ENOSPC: "Free some space; finished work is kept.",
    errno.EDQUOT: "Free some of your quota; finished work is kept.",
    errno.EFBIG: (
        "Its file system, or `ulimit -f`, allows no file of that size (FAT32: none of 4 GB); name a path on another "
        "disk."
    ),
    errno.ENAMETOOLONG: "Name a shorter path.",
    errno.ELOOP: "Name a path whose links do not form a circle.",
    errno.EIO: "The disk may be failing; name a path on another one.",
    errno.EMFILE: "Raise `ulimit -n`.",
    errno.EACCES: "Change the permissions, or name another path.",
    errno.EPERM: "Change the permissions, or name another path.",
    errno.ENOENT: "Name a path that exists.",
    errno.EROFS: "Name a path that is writable.",
    errno.ENOTDIR: "Name a folder.",
    errno.EISDIR: "Name a file.",
    errno.EEXIST: "Name a folder whose path contains no file.",
}
"""System errors that a user can fix, and how."""


class _LazyGroup(click.Group):
    """Finds a command by name and imports its module only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"fdd_edge.cli.{cmd_name}_").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fdd-edge")
def cli() -> None:
    """Distil small math models, judged on the device they will run on."""
    from fdd_edge.runs.marked_folder import sweep_temporary

    show_on_stderr()
    sweep_temporary()


def main() -> None:
    """Run the command line; an error that the user can fix ends in one sentence and an exit code."""
    guard_streams()
    show_on_stderr()
    # Progress is reported by us; the libraries' own bars would interrupt the lines.
    os.environ.setdefault("TQDM_DISABLE", "1")
    # From Python 3.13 on, tracebacks have colours, which would be shown as escapes.
    os.environ.setdefault("PYTHON_COLORS", "0")
    spin_briefly()
    code = _run()
    if (error := lost_output()) is not None:
        click.echo(f"Error: The result could not be printed ({error.strerror}); what was written is kept.", err=True)
        code = 2 if code in (None, 0, 1) else code
    if code:
        sys.exit(code)


def _run() -> str | int | None:
    """Run the command, and return its exit code."""
    try:
        interrupt.listen()
        # With colour, click leaves control sequences in place, and they are shown as escapes; it would drop some.
        code: int | None = cli.main(standalone_mode=False, color=True)
        return code
    except SystemExit as end:
        return end.code
    except BrokenPipeError:
        return 1  # the reader of our output is gone, as with `| head`, so there is nothing left to report
    except WaitingError as error:
        click.echo(str(error), err=True)  # nothing is wrong
        return error.exit_code
    except FddError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo(_how_to_resume(), err=True)
        return interrupt.exit_code()
    except OSError as error:
        if error.errno not in _FIXABLE:
            raise
        where = f": {os.fsdecode(error.filename)}" if error.filename else ""
        click.echo(f"Error: {error.strerror}{where}. {_FIXABLE[error.errno]}", err=True)
        return 2


def _how_to_resume() -> str:
    words = sys.argv[1:]
    resumable = words[:1] in (["run"], ["train"]) or (
        words[:1] == ["eval"] and any(w.startswith(("-o", "--output")) for w in words)
    )
    again = "Finished work is kept; the same command resumes from there." if resumable else ""
    return f"Interrupted. {again}".strip()
