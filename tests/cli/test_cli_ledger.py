"""What ``fdd-edge ledger`` says below its table: what share of the replies led to problems, and what that cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_edge.cli.ledger_ import _lines, _print
from fdd_edge.pipeline.ledger_report import CallGroup, LedgerReport


def report(cost: float | None, accepted: int) -> LedgerReport:
    def group(purpose: str, calls: int, found: int, accepted: int) -> CallGroup:
        return CallGroup(0, purpose, "mini", ["m-2"], calls + found, calls, found, 0, 900, 90, cost, accepted)

    return LedgerReport(Path("run"), [group("rationale", 9, 0, 7), group("similar", 30, 10, accepted)])


@pytest.mark.parametrize(
    ("cost", "accepted", "said"),
    [
        (0.5, 10, {"accepted": "10 of 40 replies to requests for new problems (25.0%)", "cost": "1.00, 0.059 per"}),
        (None, 0, {"accepted": "0 of 40 replies to requests for new problems (0.0%)", "cost": "a model has no price"}),
    ],
)
def test_the_share_that_is_accepted_and_what_it_cost(cost: float | None, accepted: int, said: dict[str, str]) -> None:
    """Where no price is known, it said `-, - per accepted problem`."""
    lines = dict(_lines(report(cost, accepted)))
    assert lines["teacher"] == "mini is m-2"
    for label, text in said.items():
        assert text in lines[label]


def test_the_table_ends_with_the_sums_of_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing said how many tokens there were in all."""
    _print(report(0.5, 10))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("all")]
    assert line.split() == ["all", "39", "10", "0", "1,800", "180", "1.00", "17"]
