"""The float model in torch, which an exported file is held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.model_files import ENCODER_LENGTH
from fdd_edge.progress import Advance
from fdd_edge.students.gguf_import import load_model

__all__ = ["GreedyReply", "Reference"]

_BATCH = 32
"""Prompts that are completed together; the weights are read once for all of them."""


class Reference:
    """A student in float32 on the CPU."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load the Hugging Face folder; ``threads`` None leaves torch its own number."""
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._model: Any = load_model(folder).eval()

    @property
    def context(self) -> int:
        """Tokens it can read at once."""
        config = self._model.config
        if config.is_encoder_decoder:
            return int(getattr(config, "n_positions", ENCODER_LENGTH))
        return int(config.max_position_embeddings)

    @property
    def n_vocab(self) -> int:
        """Length of a row of logits."""
        return int(self._model.config.vocab_size)

    @property
    def stop_ids(self) -> set[int]:
        """The ids at which its generation config ends a reply; empty if it names none."""
        named = self._model.generation_config.eos_token_id
        return set() if named is None else {named} if isinstance(named, int) else set(named)

    def write(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        stops: Collection[int],
        keep: Collection[int],
        on_progress: Advance = lambda done: None,
    ) -> list[GreedyReply]:
        """Write greedily after each prompt.

        Args:
            prompts: Ids; none is empty.
            max_new_tokens: Tokens of a reply, at most.
            stops: Ids that end one.
            keep: Positions of a reply whose logits are kept, beside its last.
            on_progress: Called with the number of replies that are written.

        Returns:
            One reply a prompt.
        """
        written: list[GreedyReply] = [_NOTHING] * len(prompts)
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            drafts = self._write_batch([prompts[i] for i in chosen], max_new_tokens, set(stops), set(keep))
            for i, draft in zip(chosen, drafts, strict=True):
                written[i] = draft.finish()
            on_progress(start + len(chosen))
        return written

    def exchange(self, weights: Iterable[tuple[str, npt.NDArray[np.float32]]]) -> None:
        """Put other values in place of weights, by their Hugging Face names.

        A head that was tied to the embedding stands alone if it is among them, and else goes with the embedding.
        """
        import torch

        embedding, head = self._model.get_input_embeddings(), self._model.get_output_embeddings()
        tied, own_head = head.weight is embedding.weight, False
        for name, values in weights:
            module, _, last = name.rpartition(".")
            holder = self._model.get_submodule(module)
            setattr(holder, last, torch.nn.Parameter(torch.from_numpy(values), requires_grad=False))
            own_head = own_head or holder is head
        if tied and not own_head:
            head.weight = embedding.weight

    def read(self, prompt: Sequence[int], reply: Sequence[int], rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the logits with which a reply would go on at some of its positions: shape (rows, n_vocab)."""
        import torch

        with torch.inference_mode():
            if self._model.config.is_encoder_decoder:
                asked, fed = torch.tensor([prompt[:-1]]), torch.tensor([[prompt[-1], *reply[:-1]]])
                logits = self._model(input_ids=asked, decoder_input_ids=fed).logits[0]
            else:
                logits = self._model(torch.tensor([[*prompt, *reply[:-1]]])).logits[0, len(prompt) - 1 :]
            wanted: npt.NDArray[np.float32] = logits[list(rows)].float().numpy()
        return wanted

    def _write_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: set[int], keep: set[int]
    ) -> list[_Draft]:
        """Write after prompts; a finished reply is fed on until all are."""
        import torch

        drafts = [_Draft() for _ in prompts]
        with torch.inference_mode():
            reading = _encoder_decoder if self._model.config.is_encoder_decoder else _decoder
            follow, fed = reading(self._model, prompts)
            for step in range(max_new_tokens):
                logits = follow(fed)[:, -1].float()
                top = logits.topk(2, dim=-1)
                tokens, leads = top.indices[:, 0].tolist(), (top.values[:, 0] - top.values[:, 1]).tolist()
                for draft, token, lead, row in zip(drafts, tokens, leads, logits.numpy(), strict=True):
                    if not draft.over:
                        draft.add(token, lead, row, keep=step in keep)
                        draft.over = token in stops
                if all(draft.over for draft in drafts):
                    break
                fed = top.indices[:, :1]
        return drafts


def _decoder(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[Callable[[Any], Any], Any]:
    """Return what gives the logits behind the next ids, and the first of these: prompts, padded on the left."""
    import torch

    width = max(len(ids) for ids in prompts)
    padding = [width - len(ids) for ids in prompts]
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding])
    cache = None

    def follow(fed: Any) -> Any:
        nonlocal mask, cache
        if cache is not None:
            mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], 1)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -fed.shape[1] :]
        out = model(
            fed, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        cache = out.past_key_values
        return out.logits

    return follow, torch.tensor([[0] * pad + list(ids) for pad, ids in zip(padding, prompts, strict=True)])


def _encoder_decoder(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[Callable[[Any], Any], Any]:
    """Return the same for a model whose encoder reads a prompt up to its last id, which its decoder starts with."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    texts = [torch.tensor(ids[:-1]) for ids in prompts]
    mask = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
    encoded = model.get_encoder()(pad_sequence(texts, batch_first=True), attention_mask=mask)
    cache = None

    def follow(fed: Any) -> Any:
        nonlocal cache
        out = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=fed, past_key_values=cache, use_cache=True
        )
        cache = out.past_key_values
        return out.logits

    return follow, torch.tensor([[ids[-1]] for ids in prompts])


class GreedyReply(NamedTuple):
    """A greedy reply of the reference.

    Attributes:
        ids: What it wrote, the id that ended it included.
        leads: By how many logits each beat the next one.
        rows: Positions whose logits are kept, ascending; the last of the reply is among them.
        logits: Those rows, shape (rows, n_vocab).
    """

    ids: tuple[int, ...]
    leads: tuple[float, ...]
    rows: tuple[int, ...]
    logits: npt.NDArray[np.float32]


_NOTHING = GreedyReply((), (), (), np.empty((0, 0), np.float32))


@dataclass
class _Draft:
    """A reply under way; of its logits, only the wanted rows and the latest are held."""

    ids: list[int] = field(default_factory=list)
    leads: list[float] = field(default_factory=list)
    kept: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    latest: npt.NDArray[np.float32] | None = None
    over: bool = False

    def add(self, token: int, lead: float, row: npt.NDArray[np.float32], *, keep: bool) -> None:
        self.latest = row.copy()
        if keep:
            self.kept[len(self.ids)] = self.latest
        self.ids.append(token)
        self.leads.append(lead)

    def finish(self) -> GreedyReply:
        assert self.latest is not None, "a reply has at least one token"
        rows = self.kept | {len(self.ids) - 1: self.latest}
        leads = tuple(round(lead, 6) for lead in self.leads)
        return GreedyReply(tuple(self.ids), leads, tuple(sorted(rows)), np.stack([rows[i] for i in sorted(rows)]))
