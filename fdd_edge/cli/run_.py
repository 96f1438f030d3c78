"""``fdd-edge run``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import EXAMPLE_QUESTION, Command, json_option, set_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.pipeline.shown_questions import Shown
    from fdd_edge.run_result import RoundResult, RunResult


@click.command("run", cls=Command)
@click.argument("config")
@click.option("-o", "--output", metavar="RUN", help="Run folder; default: output_dir of the config.")
@set_option("Override a key, such as feedback.limit=100; repeatable.")
@click.option("--rounds", type=click.IntRange(min=1), help="Number of rounds; more than before extends a run.")
@click.option("--no-parity", is_flag=True, help="Skip the parity certificates; the manifest records it.")
@click.option("--fail-on-gate", is_flag=True, help="Exit with code 3 if the last round fails a gate.")
@json_option("Print one JSON object per round instead of tables.")
def command(
    config: str,
    output: str | None,
    overrides: tuple[str, ...],
    rounds: int | None,
    no_parity: bool,
    fail_on_gate: bool,
    as_json: bool,
) -> None:
    """Distil the student described in CONFIG, or resume a run.

    CONFIG is the name of a packaged config (see `fdd-edge ls configs`), a YAML file, or a run folder.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.answers import print_answers
    from fdd_edge.cli.round_table import print_before_and_after, print_legend, print_round
    from fdd_edge.config_file import read_config_source
    from fdd_edge.errors import GateError
    from fdd_edge.progress import is_quiet

    shown: list[RoundSummary] = []
    waiting: list[RoundResult] = []

    def show(finished: RoundResult) -> None:
        shown.append(finished.summary)
        if not as_json:
            print_round(finished.summary, claimed=finished.claimed)
        elif finished.summary.untuned_follows:
            waiting.append(finished)
        else:
            click.echo(json.dumps(finished.to_dict()))

    def show_answers(shown: Shown) -> None:
        if not (as_json or is_quiet()):
            print_answers(shown)

    try:
        result = api.run(
            config,
            output=output,
            overrides=overrides,
            rounds=rounds,
            parity=not no_parity,
            on_round=show,
            on_answers=show_answers,
        )
    finally:
        # With the untuned student's figures, which come last; without them if it does not get that far.
        for finished in waiting:
            click.echo(json.dumps(finished.read_again().to_dict()))
    last = shown[-1]
    if not as_json:
        print_legend(shown)
        complete = result.rounds
        print_before_and_after([one.summary for one in complete], claimed=complete[-1].claimed)
        _compare_with_plan(result)
        source = read_config_source(str(result.layout.config))
        _suggest_next_step(result, source["student"]["model_name_or_path"])
    if fail_on_gate and last.held_back:
        raise GateError(f"Round {last.round} failed its gates: {'; '.join(last.held_back)}.")


def _compare_with_plan(run: RunResult) -> None:
    """Print what the run was expected to take, and what it took; nothing for a run that keeps no plan."""
    from fdd_edge.cli.console import print_lines
    from fdd_edge.cli.plan_table import print_compared
    from fdd_edge.pipeline.plan_kept import compared_plan

    if compared := compared_plan(run.layout):
        print_compared(compared)
        print_lines("")


def _suggest_next_step(run: RunResult, student: str) -> None:
    """Print how the run ended, and what to try next."""
    from fdd_edge.cli.console import print_text
    from fdd_edge.students.locate import TINY, TINY_T5

    path, best = shlex.quote(str(run.path)), run.best
    if best is None:
        path = shlex.quote(str(run.rounds[-1].path))
        print_text(
            "No round passed its gates. To change a gate, repeat the command with --set gates.KEY=VALUE; nothing is "
            "trained again. To try the newest round anyway:"
        )
    elif not any(one.accuracy for one in run.rounds):
        complete = "The run is complete, but no round has solved a validation problem."
        if student in (TINY, TINY_T5):
            print_text(f"{complete} For a student that does:")
            click.echo("\n  fdd-edge run quickstart\n")
        else:
            print_text(f"{complete} Train longer (training.num_train_epochs), or add data.")
        return
    else:
        print_text(f"The best round is {best.path.name}. Try it:")
    click.echo(f'\n  fdd-edge solve {path} "{EXAMPLE_QUESTION}"\n')
