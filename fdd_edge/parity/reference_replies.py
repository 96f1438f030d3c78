"""The float model reads and answers the prompts of a certificate, once for all files that are compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import SpecialIds
from fdd_edge.ondevice.replies import judge
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply, Vocabulary
from fdd_edge.progress import announce, progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from fdd_edge.students.float_model import GreedyReply, Reference

__all__ = ["FEW_PROMPTS", "MAX_NEW_TOKENS", "ParityPrompt", "answer_waiting", "compute_reference_outputs"]

MAX_NEW_TOKENS = 96
"""Maximum length of a reply: the program of a word problem has 20 to 80 tokens."""

FEW_PROMPTS = 16
"""Number of prompts that are answered while the others wait: a fault of graph or runtime shows in every reply."""

_SHORTEST = 32
"""Tokens that a reply may have however short the programs are."""

_KEPT_POSITIONS = (0, 8, 24)
"""Positions of a reply whose logits are kept, in addition to its last."""

_FEW_POSITIONS = (0, 4, 8, 12, 16, 24, 32)
"""The same of a few replies, so that percentiles do not come from a handful of rows."""

_MAX_LOGITS = 2**25
"""Maximum number of logits that are kept (128 MiB): a large vocabulary gets fewer positions, then fewer replies."""

_MAX_ANSWERED = 256
"""Maximum number of prompts that are answered: more would hardly narrow any interval, and cost minutes per hundred."""


class ParityPrompt(NamedTuple):
    """A prompt of a certificate.

    If it is not ``answered``, only its bytes and ids are compared, unless another prompt does not fit into the context.
    """

    id: str
    question: str
    gold: int | float | None
    answered: bool = True
    program: str | None = None


def compute_reference_outputs(
    folder: Path,
    prompts: Sequence[ParityPrompt],
    *,
    name: str,
    sha256: str,
    template: str,
    eos_ids: Sequence[int],
    vocabulary: Vocabulary,
    few: bool = False,
    trained: bool = True,
    threads: int | None = None,
) -> ReferenceOutputs:
    """Let the float model read and answer prompts.

    Args:
        folder: Its Hugging Face folder.
        prompts: The prompts; the first 256 are answered, fewer if the vocabulary is very large.
        name: Name of the model.
        sha256: Hash of the folder.
        template: The prompt it was trained on, holding ``{question}``.
        eos_ids: Ids that end a reply in its vocabulary; those of its tokenizer and its generation config are added.
        vocabulary: Its tokens and chat template.
        few: Whether only ``FEW_PROMPTS`` of them are answered, evenly spread over all, in no more tokens than their
            programs have; the others wait for ``answer_waiting``.
        trained: Whether it was trained on such programs. It then gets as many tokens as the longest has, to end by
            itself; otherwise as many as the median, because it does not end anyway.
        threads: Number of torch threads; None for torch's default.

    Raises:
        FddError: No prompt leaves room for a reply.
    """
    from fdd_edge.students.tokenizer import begins_texts, encode_prompts, encode_texts

    model = _Model.open(folder, threads)
    # The model's own tokenizer is used, not the vocabulary file from which the artifact's was copied.
    tokenizer = model.tokenizer
    start = decoder_start(folder)
    adds_bos = start is None and begins_texts(tokenizer)
    ends = {*eos_ids, tokenizer.eos_token_id} | model.reference.eos_ids
    special = SpecialIds(tokenizer.bos_token_id, tokenizer.eos_token_id, tuple(sorted(ends)), adds_bos)
    texts = [Prompt.parse(template).render(prompt.question) for prompt in prompts]
    prompt_ids = encode_prompts(tokenizer, texts, adds_bos=adds_bos, decoder_start=start)
    fitting = [i for i, ids in enumerate(prompt_ids) if len(ids) <= model.reference.context - MAX_NEW_TOKENS]
    chosen = _choose(prompts, fitting, limit=min(_MAX_ANSWERED, _MAX_LOGITS // model.reference.n_vocab))
    if not chosen:
        raise FddError(f"No prompt leaves room for a reply of {MAX_NEW_TOKENS} tokens in the context of {name}.")
    replies = [
        Reply(prompt.id, prompt.question, prompt.gold, text, tuple(ids), waits=i in chosen)
        for i, (prompt, text, ids) in enumerate(zip(prompts, texts, prompt_ids, strict=True))
    ]
    empty = np.empty((0, model.reference.n_vocab), np.float32)
    outputs = ReferenceOutputs(name, sha256, special, vocabulary, MAX_NEW_TOKENS, tuple(replies), empty)
    if not few:
        return _answer(model, outputs, chosen)
    n_first = min(FEW_PROMPTS, len(chosen))
    first = [chosen[i * len(chosen) // n_first] for i in range(n_first)]
    programs = [program for i in first if (program := prompts[i].program) is not None]
    lengths = sorted(len(ids) + 1 for ids in encode_texts(tokenizer, programs, special=False)) or [MAX_NEW_TOKENS]
    length = lengths[-1] if trained else lengths[len(lengths) // 2]
    return _answer(model, replace(outputs, max_new_tokens=min(max(length, _SHORTEST), MAX_NEW_TOKENS)), first)


def answer_waiting(few: ReferenceOutputs, folder: Path, *, threads: int | None = None) -> ReferenceOutputs:
    """Let the float model answer all prompts of which it has answered a few, as if all had been asked for.

    Args:
        few: Its outputs for a few.
        folder: Its Hugging Face folder.
        threads: Number of torch threads; None for torch's default.
    """
    chosen = [i for i, reply in enumerate(few.replies) if reply.waits or reply.ids]
    return _answer(_Model.open(folder, threads), replace(few, max_new_tokens=MAX_NEW_TOKENS), chosen)


class _Model(NamedTuple):
    """The float model and its tokenizer."""

    reference: Reference
    tokenizer: PreTrainedTokenizerFast

    @classmethod
    def open(cls, folder: Path, threads: int | None) -> Self:
        from fdd_edge.students.float_model import Reference
        from fdd_edge.students.tokenizer import load_tokenizer

        tokenizer = load_tokenizer(folder)
        return cls(Reference(folder, threads=threads), tokenizer)


def _answer(model: _Model, outputs: ReferenceOutputs, chosen: Sequence[int]) -> ReferenceOutputs:
    """Return the outputs with the replies to some of the prompts, given by their positions."""
    from fdd_edge.students.tokenizer import decode_ids

    n_vocab, ends, replies = model.reference.n_vocab, set(outputs.special.eos_ids), list(outputs.replies)
    positions = _FEW_POSITIONS if len(chosen) <= FEW_PROMPTS else _KEPT_POSITIONS
    with progress("the reference's replies for the parity certificate", len(chosen), "replies") as advance:
        written = model.reference.generate(
            [replies[i].prompt_ids for i in chosen],
            max_new_tokens=outputs.max_new_tokens,
            eos_ids=ends,
            keep=positions[: _MAX_LOGITS // (n_vocab * len(chosen)) - 1],
            on_progress=advance,
        )
    if not all(np.isfinite(greedy.logits).all() and np.isfinite(greedy.leads).all() for greedy in written):
        raise FddError(
            f"The logits of {outputs.name} are not finite numbers in float32, so nothing can be compared with it."
        )
    texts = decode_ids(model.tokenizer, [ids[:-1] if ids[-1] in ends else ids for ids, *_ in written])
    for i, greedy, text in zip(chosen, written, texts, strict=True):
        replies[i] = _answered(replies[i], greedy, text, ended=greedy.ids[-1] in ends)
    logits = np.concatenate([greedy.logits for greedy in written])
    return replace(outputs, replies=tuple(replies), logits=logits)


def _choose(prompts: Sequence[ParityPrompt], fitting: Sequence[int], *, limit: int) -> list[int]:
    """Return the positions of the prompts that are answered.

    A prompt that leaves no room for a reply is only compared in its bytes and ids, and another is answered instead.
    """
    first_choice = [i for i in fitting if prompts[i].answered]
    spare = [i for i in fitting if not prompts[i].answered]
    missing = sum(prompt.answered for prompt in prompts) - len(first_choice)
    if len(first_choice) > limit:
        announce(f"{limit} of {len(first_choice)} prompts are answered; the others are only compared in bytes and ids")
    return sorted([*first_choice, *spare[:missing]][:limit])


def _answered(reply: Reply, written: GreedyReply, text: str, *, ended: bool) -> Reply:
    """Return a reply with the text that was written and the answer that it gives."""
    return replace(
        reply,
        ids=written.ids,
        leads=written.leads,
        rows=written.rows,
        ended=ended,
        text=text,
        answer=judge(text, unfinished=not ended, answer="program").answer,
        waits=False,
    )
