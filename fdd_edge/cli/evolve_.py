"""``fdd-edge evolve``."""

from __future__ import annotations

import click

from fdd_edge.feedback import POLICIES, Policy


@click.command("evolve")
@click.argument("split")
@click.option("-o", "--output", required=True, metavar="FILE", help="New file of problem records.")
@click.option("--teacher", default="symbolic", show_default=True, metavar="NAME", help="Who writes; see `fdd-edge ls`.")
@click.option(
    "--per-easy", type=click.IntRange(min=0), default=1, show_default=True, help="Complex ones for an easy one."
)
@click.option(
    "--per-hard", type=click.IntRange(min=0), default=1, show_default=True, help="Similar ones for a hard one."
)
@click.option(
    "--max-depth", type=click.IntRange(min=1), default=3, show_default=True, help="Problems evolve below this depth."
)
@click.option("--policy", type=click.Choice(POLICIES), default="fdd", show_default=True, help="What evolves into what.")
@click.option("--round", "number", type=click.IntRange(min=0), default=0, show_default=True, help="Whose split it is.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the run; the round is added."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    split: str,
    output: str,
    teacher: str,
    per_easy: int,
    per_hard: int,
    max_depth: int,
    policy: Policy,
    number: int,
    seed: int,
    as_json: bool,
) -> None:
    """Let a teacher write more complex problems from easy ones, and similar ones from hard ones.

    SPLIT is a folder that `fdd-edge split`, or a round of a run, wrote. The problems are unchecked: a run's curation
    comes after.
    """
    import json

    from fdd_edge import api

    made = api.evolve(
        split,
        output,
        teacher=teacher,
        per_easy=per_easy,
        per_hard=per_hard,
        max_depth=max_depth,
        policy=policy,
        round_number=number,
        seed=seed,
    )
    if as_json:
        click.echo(json.dumps({"path": output} | made))
        return
    for origin, n in made["evolved"].items():
        declined = ", ".join(f"{count} {reason}" for reason, count in made["declined"].get(origin, {}).items())
        click.echo(f"{origin:<10} {n:>6}" + (f"   without: {declined}" if declined else ""))
