"""The float model in torch: the reference that an exported file is compared with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.model_files import ENCODER_LENGTH
from fdd_edge.progress import Advance
from fdd_edge.students.load import load_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["GreedyReply", "Reference", "Started", "start_decoder", "start_encoder_decoder"]

_BATCH = 32
"""Number of prompts that are completed together; the weights are read once for all of them."""


class Reference:
    """A student in float32 on the CPU."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load a Hugging Face folder; with ``threads`` None, torch chooses the number of threads."""
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._model = load_model(folder).eval()

    @property
    def context(self) -> int:
        """Size of the context in tokens."""
        config = self._model.config
        if config.is_encoder_decoder:
            return int(getattr(config, "n_positions", None) or ENCODER_LENGTH)
        return int(config.max_position_embeddings)

    @property
    def n_vocab(self) -> int:
        """Length of a row of logits."""
        return int(self._model.config.vocab_size)

    @property
    def eos_ids(self) -> set[int]:
        """The ids that end a reply according to its generation config; empty if it has none."""
        ids = self._model.generation_config.eos_token_id
        return set() if ids is None else {ids} if isinstance(ids, int) else set(ids)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        eos_ids: Collection[int],
        keep: Collection[int],
        on_progress: Advance = lambda done: None,
    ) -> list[GreedyReply]:
        """Generate a greedy reply to each prompt.

        Args:
            prompts: Ids; no prompt is empty.
            max_new_tokens: Longest reply, in tokens.
            eos_ids: Ids that end a reply.
            keep: Positions of a reply whose logits are kept; those of its last position are always kept.
            on_progress: Called with the number of finished replies.

        Returns:
            One reply per prompt.
        """
        replies: list[GreedyReply] = [_EMPTY] * len(prompts)
        # Prompts of similar length share a batch, so that little of it is padding.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            drafts = self._generate_batch([prompts[i] for i in batch], max_new_tokens, set(eos_ids), set(keep))
            for i, draft in zip(batch, drafts, strict=True):
                replies[i] = draft.finish()
            on_progress(start + len(batch))
        return replies

    def replace_weights(self, weights: Iterable[tuple[str, npt.NDArray[np.float32]]]) -> None:
        """Replace weights, by their Hugging Face names.

        A head that is tied to the embedding gets the new embedding, unless ``weights`` has one for the head.
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

    def logits_at(
        self, prompt: Sequence[int], reply: Sequence[int], positions: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """Return the logits that predict a reply's tokens at some positions: shape (positions, n_vocab)."""
        import torch

        with torch.inference_mode():
            if self._model.config.is_encoder_decoder:
                source, decoder_input = torch.tensor([prompt[:-1]]), torch.tensor([[prompt[-1], *reply[:-1]]])
                logits = self._model(input_ids=source, decoder_input_ids=decoder_input).logits[0]
            else:
                logits = self._model(torch.tensor([[*prompt, *reply[:-1]]])).logits[0, len(prompt) - 1 :]
            rows: npt.NDArray[np.float32] = logits[list(positions)].float().numpy()
        return rows

    def _generate_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, eos_ids: set[int], keep: set[int]
    ) -> list[_Draft]:
        """Generate replies together; those that are finished leave the batch."""
        import torch

        drafts = [_Draft() for _ in prompts]
        with torch.inference_mode():
            start = start_encoder_decoder if self._model.config.is_encoder_decoder else start_decoder
            step, ids, keep_only = start(self._model, prompts)
            running = drafts
            for position in range(max_new_tokens):
                logits = step(ids)[:, -1].float()
                top = logits.topk(2, dim=-1)
                tokens, leads = top.indices[:, 0].tolist(), (top.values[:, 0] - top.values[:, 1]).tolist()
                for draft, token, lead, row in zip(running, tokens, leads, logits.numpy(), strict=True):
                    draft.add(token, lead, row, keep=position in keep)
                ids = top.indices[:, :1]
                left = [i for i, token in enumerate(tokens) if token not in eos_ids]
                if not left:
                    break
                if len(left) < len(running):
                    chosen = torch.tensor(left)
                    running, ids = [running[i] for i in left], ids[chosen]
                    keep_only(chosen)
        return drafts


class Started(NamedTuple):
    """A batch that is about to be decoded.

    Attributes:
        step: Takes the next ids, shape (prompts, n), and returns their logits.
        first_ids: The first ids to give it.
        keep_only: Goes on with some of the prompts, given their places in the batch.
    """

    step: Callable[[torch.Tensor], torch.Tensor]
    first_ids: torch.Tensor
    keep_only: Callable[[torch.Tensor], None]


def start_decoder(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> Started:
    """Start a decoder; its first ids are the prompts, padded on the left."""
    import torch

    width = max(len(ids) for ids in prompts)
    padding = [width - len(ids) for ids in prompts]
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding])
    cache: Any = None

    def step(ids: torch.Tensor) -> torch.Tensor:
        nonlocal mask, cache
        if cache is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = model(
            ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        cache = out.past_key_values
        return out.logits

    def keep_only(chosen: torch.Tensor) -> None:
        nonlocal mask
        mask = mask[chosen]
        cache.batch_select_indices(chosen)

    first_ids = torch.tensor([[0] * pad + list(ids) for pad, ids in zip(padding, prompts, strict=True)])
    return Started(step, first_ids, keep_only)


def start_encoder_decoder(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> Started:
    """Start an encoder-decoder; its first ids are the last one of each prompt."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    texts = [torch.tensor(ids[:-1]) for ids in prompts]
    mask = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
    encoded = model.get_encoder()(pad_sequence(texts, batch_first=True), attention_mask=mask)
    cache: Any = None

    def step(ids: torch.Tensor) -> torch.Tensor:
        nonlocal cache
        out = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=ids, past_key_values=cache, use_cache=True
        )
        cache = out.past_key_values
        return out.logits

    def keep_only(chosen: torch.Tensor) -> None:
        nonlocal mask
        mask = mask[chosen]
        encoded.last_hidden_state = encoded.last_hidden_state[chosen]
        cache.batch_select_indices(chosen)

    return Started(step, torch.tensor([[ids[-1]] for ids in prompts]), keep_only)


class GreedyReply(NamedTuple):
    """A greedy reply of the reference.

    Attributes:
        ids: The generated ids, including the one that ended the reply.
        leads: How much higher, in logits, each id scored than the runner-up.
        rows: Positions whose logits are kept, in ascending order, including the last one.
        logits: The logits at these positions, shape (rows, n_vocab).
    """

    ids: tuple[int, ...]
    leads: tuple[float, ...]
    rows: tuple[int, ...]
    logits: npt.NDArray[np.float32]


_EMPTY = GreedyReply((), (), (), np.empty((0, 0), np.float32))


@dataclass
class _Draft:
    """A reply in progress; only the requested rows of logits and the latest one are kept."""

    ids: list[int] = field(default_factory=list)
    leads: list[float] = field(default_factory=list)
    kept: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    latest: npt.NDArray[np.float32] | None = None

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
