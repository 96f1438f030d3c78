"""What a training did, as ``training.json`` next to the adapter holds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.runs.stage_files import AdapterFiles

__all__ = ["TrainingRecord", "read_training", "write_training"]


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What a training did; the fields from ``steps`` to ``best_step`` are those of ``students.TrainingTrace``.

    Attributes:
        examples: Problems trained on.
        too_long: Problems left out because they are longer than ``training.max_length``.
        bf16: Whether matrices were multiplied in bfloat16.
        steps: Optimizer steps, including those before an interruption.
        losses: Mean loss on completion tokens at every step.
        valid_losses: (step, validation loss) for each evaluation.
        tokens: Tokens that the last call trained on, without padding.
        seconds: Duration of the last call.
        best_step: The step whose weights were kept, if it is not the last one.
        program_tokens: Tokens of the programs in one epoch; None in the record of an earlier version.
        tokens_saved: How many more tokens these programs would have as they were written; None likewise.
        operation_tokens: Tokens trained on, before an interruption too, by the operations of their programs; None
            likewise.
        group_tokens: The same by group of ``training.mix``, or by set if the sets have weights; None without either.
        tracked_as: The id that trackers know the training by; None if it reported to none.
    """

    examples: int
    too_long: int
    bf16: bool
    steps: int
    losses: list[float]
    valid_losses: list[tuple[int, float]]
    tokens: int
    seconds: float
    best_step: int | None
    program_tokens: int | None = None
    tokens_saved: int | None = None
    operation_tokens: dict[str, int] | None = None
    group_tokens: dict[str, int] | None = None
    tracked_as: str | None = None


def write_training(adapter: Path, record: TrainingRecord) -> None:
    """Write the record into an adapter's folder; its presence says that the training is finished."""
    AdapterFiles(adapter).trace.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def read_training(adapter: Path) -> TrainingRecord:
    """Read the record of an adapter's folder."""
    row = parse_json(AdapterFiles(adapter).trace.read_text(encoding="utf-8"))
    valid_losses = [(step, loss) for step, loss in row["valid_losses"]]
    kept = {field.name: row[field.name] for field in fields(TrainingRecord) if field.name in row}
    return TrainingRecord(**{**kept, "valid_losses": valid_losses})
