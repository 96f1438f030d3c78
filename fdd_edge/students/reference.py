"""The float model in torch, which an exported file is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.students.base import load_model

__all__ = ["Choice", "Reference"]


class Choice(NamedTuple):
    """What the reference would write at one position: its best token.

    Attributes:
        token: Its id.
        logits_gap: By how many logits it beats the token that was written; 0 where they are the same.
    """

    token: int
    logits_gap: float


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
        best = logits.max(dim=-1)
        written = logits.gather(1, torch.tensor(written_ids).unsqueeze(1)).squeeze(1)
        gaps = best.values - written
        return [Choice(int(token), float(gap)) for token, gap in zip(best.indices, gaps, strict=True)]
