"""What calls to a model took before, by the ledger: tokens and seconds of one, the mean with its uncertainty."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.teachers.ledger._schema import connect

__all__ = ["MeasuredCalls", "measured_calls"]

_QUERY = """
SELECT COUNT(*), AVG(input_tokens), AVG(input_tokens * input_tokens),
    AVG(output_tokens), AVG(output_tokens * output_tokens), AVG(latency)
FROM attempts
WHERE state = 'done' AND base_url = ? AND model = ? AND purpose = ?
    AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL
"""


@dataclass(frozen=True)
class MeasuredCalls:
    """Calls that were answered.

    Attributes:
        calls: How many.
        input_tokens: Of a prompt, the 95 % interval of the mean.
        output_tokens: Of a reply, likewise.
        latency: Seconds, the mean; None if none was noted.
    """

    calls: int
    input_tokens: tuple[float, float]
    output_tokens: tuple[float, float]
    latency: float | None


def measured_calls(ledger: Path, base_url: str, model: str, purpose: str) -> MeasuredCalls | None:
    """Return what calls to a model for a purpose took; None if the ledger has none.

    Raises:
        FddError: The ledger cannot be read.
    """
    if not ledger.exists():
        return None
    connection = connect(ledger)
    try:
        row = connection.execute(_QUERY, (base_url.rstrip("/"), model, purpose)).fetchone()
    except sqlite3.Error as error:
        raise FddError(f"{ledger}, the ledger of paid calls, cannot be read: {error}.") from None
    finally:
        connection.close()
    calls, asked, asked_squared, written, written_squared, latency = row
    if not calls:
        return None
    intervals = (_interval(asked, asked_squared, calls), _interval(written, written_squared, calls))
    return MeasuredCalls(calls, *intervals, None if latency is None else float(latency))


def _interval(mean: float, mean_of_squares: float, n: int) -> tuple[float, float]:
    """Return the mean less and plus two of its standard errors."""
    error = 2 * (max(0.0, mean_of_squares - mean * mean) / n) ** 0.5
    return max(0.0, mean - error), mean + error
