"""The float model in torch, which an exported file is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.students.base import load_model

__all__ = ["Choice", "Reference"]


class Choice(NamedTuple):
    """What the reference would write at one position: its best token, and by how many logits it is best."""

    token: int
    margin: float
    logits_gap: float
    """Logits by which the best token beats the one that was written; 0 where they are the same."""


class Reference:
    """A merged student in float32 on the CPU."""

    def __init__(self, folder: Path) -> None:
        """Load the Hugging Face folder."""
        self._model: Any = load_model(folder).eval()

    def choices(self, prompt_ids: Sequence[int], written_ids: Sequence[int]) -> list[Choice]:
        """Return what the reference would choose at each position of a text that another runtime wrote.

        Feeding it the written tokens keeps every position comparable, also after a first difference.

        Args:
            prompt_ids: Ids of the prompt, length p.
            written_ids: Ids that were written after it, length w.

        Returns:
            w choices.
        """
        import torch

        ids = torch.tensor([[*prompt_ids, *written_ids]])
        with torch.inference_mode():
            logits = self._model(ids).logits[0, len(prompt_ids) - 1 : -1].float()
        top = logits.topk(2, dim=-1)
        written = logits.gather(1, torch.tensor(written_ids).unsqueeze(1)).squeeze(1)
        return [
            Choice(int(best), float(values[0] - values[1]), float(values[0] - own))
            for best, values, own in zip(top.indices[:, 0], top.values, written, strict=True)
        ]
