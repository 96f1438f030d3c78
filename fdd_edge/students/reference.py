"""The float model in torch, which an exported file is held against."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fdd_edge.progress import Advance
from fdd_edge.students.base import load_model

__all__ = ["Reference"]

_BATCH = 32
"""Prompts that are completed together; the weights are read once for all of them."""


class Reference:
    """A student in float32 on the CPU."""

    def __init__(self, folder: Path) -> None:
        """Load the Hugging Face folder."""
        self._model: Any = load_model(folder).eval()

    @property
    def stop_ids(self) -> set[int]:
        """The ids at which its generation config ends a reply; empty if it names none."""
        named = self._model.generation_config.eos_token_id
        return set() if named is None else {named} if isinstance(named, int) else set(named)

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        stops: Collection[int],
        on_progress: Advance = lambda done: None,
    ) -> list[list[int]]:
        """Write greedily after each prompt.

        Args:
            prompts: Ids; none is empty.
            max_new_tokens: Tokens of a reply, at most.
            stops: Ids that end one.
            on_progress: Called with the number of replies that are written.

        Returns:
            One reply a prompt, the id that ended it included.
        """
        replies: list[list[int]] = [[] for _ in prompts]
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            written = self._complete_batch([prompts[i] for i in chosen], max_new_tokens, set(stops))
            for i, reply in zip(chosen, written, strict=True):
                replies[i] = reply
            on_progress(start + len(chosen))
        return replies

    def logits(self, prompt_ids: Sequence[int], reply_ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return what it thinks at each position of a reply that is fed to it.

        Args:
            prompt_ids: Ids of the prompt, length p.
            reply_ids: Ids that follow it, length w.

        Returns:
            Logits for each token of the reply, shape (w, n_vocab).
        """
        import torch

        ids = torch.tensor([[*prompt_ids, *reply_ids[:-1]]])
        with torch.inference_mode():
            logits = self._model(ids, use_cache=False, logits_to_keep=len(reply_ids)).logits[0]
        rows: npt.NDArray[np.float32] = logits.float().numpy()
        return rows

    def _complete_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: set[int]
    ) -> list[list[int]]:
        """Write after prompts that are padded on the left; a finished reply is fed padding until all are."""
        import torch

        width = max(len(ids) for ids in prompts)
        padding = [width - len(ids) for ids in prompts]
        fed = torch.tensor([[0] * pad + list(ids) for pad, ids in zip(padding, prompts, strict=True)])
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding])
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = None
        replies: list[list[int]] = [[] for _ in prompts]
        over = [False] * len(prompts)
        with torch.inference_mode():
            for _ in range(max_new_tokens):
                out = self._model(
                    fed,
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                cache = out.past_key_values
                tokens = out.logits[:, -1].argmax(-1)
                for i, token in enumerate(tokens.tolist()):
                    if not over[i]:
                        replies[i].append(token)
                        over[i] = token in stops
                if all(over):
                    break
                fed = tokens.unsqueeze(1)
                mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], 1)
                positions = positions[:, -1:] + 1
        return replies
