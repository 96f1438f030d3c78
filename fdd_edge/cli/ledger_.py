"""``fdd-edge ledger``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fdd_edge.pipeline.ledger_report import LedgerReport


class _RunOrCommand(click.Group):
    """Takes a run where a command is expected: ``fdd-edge ledger RUN`` is ``fdd-edge ledger show RUN``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("ledger", cls=_RunOrCommand)
def command() -> None:
    """Show what a run's calls to language models cost (`fdd-edge ledger RUN`), and import replies of batches."""


@command.command("show", cls=Command)
@click.argument("run", metavar="RUN")
@json_option()
def show(run: str, as_json: bool) -> None:
    """Show what a run's calls to language models cost, and what came of them.

    By round, purpose and teacher: calls that were paid, replies that were found because they had been paid before,
    attempts that failed, tokens, cost, and accepted problems. Below the table: why attempts failed, and what waits for
    a batch. `fdd-edge ledger RUN` does the same. In JSON, the column `paid` is `calls`.
    """
    import json

    from fdd_edge import api

    report = api.ledger(run)
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        _print(report)


@command.command("import", cls=Command)
@click.argument("results", metavar="RESULTS")
@json_option()
def import_results(results: str, as_json: bool) -> None:
    """Put the replies of a batch into the ledger: RESULTS is in OpenAI's batch format, in any order, whole or in parts.

    Then run the command again that waits for them.
    """
    import json

    from fdd_edge import api
    from fdd_edge.cli.console import print_text

    found = api.import_replies(results)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
        return
    others = (
        (found.known, "were there already"),
        (found.failed, "were not answered"),
        (found.unknown, "belong to no request of this ledger"),
    )
    replies = "reply" if found.imported == 1 else "replies"
    print_text(f"{found.imported} {replies} imported{''.join(f', {n} {what}' for n, what in others if n)}.")
    if found.waiting:
        print_text(f"{found.waiting} more of the same runs {'is' if found.waiting == 1 else 'are'} waited for.")


def _print(report: LedgerReport) -> None:
    from fdd_edge.cli.console import print_labelled, print_lines, print_text
    from fdd_edge.cli.rich_table import Name, empty_table, print_table
    from fdd_edge.pipeline.ledger_report import money

    if not report.groups:
        print_text(f"{report.path} has made no calls to a language model.")
        return
    table = empty_table()
    for name in ("round", "purpose"):
        table.add_column(name, no_wrap=True)
    # Where there is one, the lines below the table name it; its column would not fit into 80 characters.
    has_several = len({group.teacher for group in report.groups}) > 1
    if has_several:
        table.add_column("teacher")
    for name in ("paid", "found", "failed", "input", "output", "cost", "accepted"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in report.groups:
        table.add_row(
            str(group.round),
            group.purpose,
            *([Name(group.teacher)] if has_several else []),
            *(f"{count:,}" for count in (group.calls, group.found, group.failed)),
            f"{group.input_tokens:,}",
            f"{group.output_tokens:,}",
            money(group.cost),
            f"{group.accepted:,}",
        )
    if len(report.groups) > 1:
        counts = ("calls", "found", "failed", "input_tokens", "output_tokens")
        totals = [f"{sum(getattr(group, name) for group in report.groups):,}" for name in counts]
        everything = ["all", "", *([""] if has_several else []), *totals, money(report.cost), f"{report.accepted:,}"]
        table.add_section()
        table.add_row(*everything)
    print_table(table)
    print_lines("")
    print_labelled(_lines(report), width=12)


def _lines(report: LedgerReport) -> Iterator[tuple[str, str]]:
    """Yield what is said below the table: a label and a text."""
    from fdd_edge.pipeline.ledger_report import money

    figures = report.to_dict()
    for teacher in sorted({group.teacher for group in report.groups}):
        models = {model for group in report.groups if group.teacher == teacher for model in group.models}
        yield "teacher", f"{teacher} is {', '.join(sorted(models)) or 'a model that has not answered'}"
    if written := [group for group in report.groups if group.purpose != "rationale"]:
        accepted, replies = (sum(getattr(group, name) for group in written) for name in ("accepted", "replies"))
        share = f" ({accepted / replies:.1%})" if replies else ""
        yield "accepted", f"{accepted:,} of {replies:,} replies to requests for new problems{share}"
    if report.cost is None:
        yield "cost", "not known, because a model has no price; see teacher.models.NAME.price"
    else:
        per = figures["cost_per_accepted"]
        yield "cost", money(report.cost) + (f", {money(per)} per accepted problem" if report.accepted else "")
    yield "", "input, output: tokens; found: replies that had been paid before"
    if report.points is not None:
        gained = f"{report.points:+.1f} points on valid from the first to the last round"
        per = figures["cost_per_point"]
        yield "gained", gained if per is None else f"{gained}: {money(per)} per point"
    if report.faults:
        yield "failed", ", ".join(f"{n} {reason}" for reason, n in report.faults.items())
    if report.waiting:
        requests, wait = ("request", "waits") if report.waiting == 1 else ("requests", "wait")
        yield "waiting", f"{report.waiting} {requests} {wait} for a batch: fdd-edge ledger import RESULTS"
    if report.in_doubt:
        n = len(report.in_doubt)
        calls, they = ("1 call was", "it") if n == 1 else (f"{n} calls were", "they")
        asked = ", ".join(f"{row.problem_id} ({row.purpose})" for row in report.in_doubt[:3])
        yield (
            "in doubt",
            f"{calls} sent, and nobody received a reply; if asked again, {they} may have been paid twice: {asked}"
            f"{', ...' if n > 3 else ''}",
        )
