"""What the float model does on the prompts of a certificate, written down once for all files held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.ondevice.protocol import SpecialIds
from fdd_edge.ondevice.replies import judge
from fdd_edge.progress import announce, progress

if TYPE_CHECKING:
    from fdd_edge.students.float_model import GreedyReply

__all__ = [
    "MAX_NEW_TOKENS",
    "ParityPrompt",
    "ReferenceOutputs",
    "Reply",
    "Vocabulary",
    "compute_reference",
    "load_reference",
    "save_reference",
]

MAX_NEW_TOKENS = 96
"""Tokens of a reply: a program of a word problem has 20 to 80."""

_KEPT = (0, 8, 24)
"""Positions of a reply whose logits are kept whole, beside its last."""

_MOST_LOGITS = 2**25
"""Logits that are kept, at most (128 MiB): a large vocabulary gets fewer positions, then fewer replies."""

_MOST_ANSWERED = 256
"""Prompts that are replied to, at most: more would narrow no interval that matters, and cost minutes each hundred."""

_KEY = "record"
_LOGITS = "logits"
_BYTES = "latin-1"
"""How bytes stand in JSON: a character each."""


class ParityPrompt(NamedTuple):
    """A prompt of a certificate; one that is not ``answered`` is compared in bytes and ids only, where others fit."""

    id: str
    question: str
    gold: int | float | None
    answered: bool = True


class Vocabulary(NamedTuple):
    """What one side writes for its ids, and makes of a user's message.

    Attributes:
        pieces: The bytes of each token, by id.
        chats: What the chat template makes of a number of questions; of the reference one for each way that it may.
    """

    pieces: tuple[bytes, ...]
    chats: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Reply:
    """What the reference makes of one prompt.

    Attributes:
        id: The problem's.
        question: What is asked.
        gold: Its answer, where known.
        prompt: The text the reference reads.
        prompt_ids: Its ids.
        ids: What it writes greedily, the id that ends it included; empty where it was not asked to.
        ended: Whether it came to an end by itself.
        text: What it wrote.
        answer: The number that its program gives; None where it gives none.
        leads: By how many logits each of ``ids``, the likeliest at its place, beats the next one.
        rows: Positions whose logits are kept.
    """

    id: str
    question: str
    gold: int | float | None
    prompt: str
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...] = ()
    ended: bool = False
    text: str = ""
    answer: int | float | None = None
    leads: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReferenceOutputs:
    """The reference's side of a certificate.

    Attributes:
        name: The reference's.
        sha256: Hash of its folder.
        special: The ids that begin and end a text.
        vocabulary: Its tokens and chat template.
        max_new_tokens: Of a reply.
        replies: One a prompt.
        logits: The rows that the replies name, in their order: shape (rows, n_vocab).
    """

    name: str
    sha256: str
    special: SpecialIds
    vocabulary: Vocabulary
    max_new_tokens: int
    replies: tuple[Reply, ...]
    logits: npt.NDArray[np.float32]

    @property
    def answered(self) -> list[Reply]:
        """The prompts it has replied to."""
        return [reply for reply in self.replies if reply.ids]


def compute_reference(
    folder: Path,
    asked: Sequence[ParityPrompt],
    *,
    name: str,
    sha256: str,
    template: str,
    stops: Sequence[int],
    vocabulary: Vocabulary,
    threads: int | None = None,
) -> ReferenceOutputs:
    """Have the float model read and answer prompts.

    Args:
        folder: Its Hugging Face folder.
        asked: The prompts; the first 256 are replied to, fewer where the vocabulary is huge.
        name: Of the model.
        sha256: Of the folder.
        template: The prompt it was trained on, holding ``{question}``.
        stops: Ids that end a reply, by its vocabulary; those of its tokenizer and its generation config are added.
        vocabulary: Its tokens and chat template.
        threads: Of torch; None leaves it its own number.

    Raises:
        FddError: No prompt leaves room for a reply.
    """
    from fdd_edge.students.float_model import Reference
    from fdd_edge.students.tokenizer import begins_texts, encode_prompts, load_tokenizer

    tokenizer = load_tokenizer(folder)
    reference = Reference(folder, threads=threads)
    # Its own tokenizer is asked, not the vocabulary file that the artifact's was copied from.
    start = decoder_start(folder)
    adds_bos = start is None and begins_texts(tokenizer)
    ends = {*stops, tokenizer.eos_token_id} | reference.stop_ids
    special = SpecialIds(tokenizer.bos_token_id, tokenizer.eos_token_id, tuple(sorted(ends)), adds_bos)
    prompts = [Prompt.parse(template).render(one.question) for one in asked]
    prompt_ids = encode_prompts(tokenizer, prompts, adds_bos=adds_bos, decoder_start=start)
    room = reference.context - MAX_NEW_TOKENS
    # A prompt that leaves no room for a reply is compared in bytes and ids only, and another is answered instead.
    fitting = [i for i, ids in enumerate(prompt_ids) if len(ids) <= room]
    first_choice = [i for i in fitting if asked[i].answered]
    spare = [i for i in fitting if not asked[i].answered]
    most = min(_MOST_ANSWERED, _MOST_LOGITS // reference.n_vocab)
    answered = sorted([*first_choice, *spare[: sum(one.answered for one in asked) - len(first_choice)]][:most])
    if not answered:
        raise FddError(f"No prompt leaves room for a reply of {MAX_NEW_TOKENS} tokens in the context of {name}.")
    if len(first_choice) > most:
        announce(f"{most} of {len(first_choice)} prompts are replied to; the others are compared in bytes and ids")
    keep = _KEPT[: _MOST_LOGITS // (reference.n_vocab * len(answered)) - 1]
    with progress("the reference's replies for the parity certificate", len(answered)) as advance:
        written = reference.write(
            [prompt_ids[i] for i in answered], max_new_tokens=MAX_NEW_TOKENS, stops=ends, keep=keep, on_progress=advance
        )
    replies = [
        Reply(one.id, one.question, one.gold, prompt, tuple(ids))
        for one, prompt, ids in zip(asked, prompts, prompt_ids, strict=True)
    ]
    for i, own in zip(answered, written, strict=True):
        replies[i] = _answered(replies[i], own, tokenizer, ends)
    logits = np.concatenate([own.logits for own in written])
    return ReferenceOutputs(name, sha256, special, vocabulary, MAX_NEW_TOKENS, tuple(replies), logits)


def _answered(reply: Reply, written: GreedyReply, tokenizer: Any, ends: set[int]) -> Reply:
    """Return a reply with what was written, and the answer that it gives."""
    ended = written.ids[-1] in ends
    text = tokenizer.decode(written.ids[:-1] if ended else written.ids, clean_up_tokenization_spaces=False)
    return replace(
        reply,
        ids=written.ids,
        leads=written.leads,
        rows=written.rows,
        ended=ended,
        text=text,
        answer=judge(text, unfinished=not ended, answer="program").answer,
    )


def save_reference(record: ReferenceOutputs, path: Path) -> None:
    """Write a record as one safetensors file: the logits as its tensor, the rest as JSON in its header."""
    from safetensors.numpy import save_file

    content = {
        "name": record.name,
        "sha256": record.sha256,
        "special": asdict(record.special),
        "pieces": [piece.decode(_BYTES) for piece in record.vocabulary.pieces],
        "chats": record.vocabulary.chats,
        "max_new_tokens": record.max_new_tokens,
        "replies": [asdict(reply) for reply in record.replies],
    }
    save_file({_LOGITS: record.logits}, path, metadata={_KEY: json.dumps(content, allow_nan=False)})


def load_reference(path: Path) -> ReferenceOutputs:
    """Read a record back.

    Raises:
        FddError: The file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        file: Any
        with safe_open(path, framework="numpy") as file:
            content = json.loads(file.metadata()[_KEY])
            logits = file.get_tensor(_LOGITS)
        special = SpecialIds(**_tuples(content["special"]))
        pieces = tuple(piece.encode(_BYTES) for piece in content["pieces"])
        vocabulary = Vocabulary(pieces, tuple(tuple(chat) for chat in content["chats"]))
        replies = tuple(Reply(**_tuples(row)) for row in content["replies"])
        longest = content["max_new_tokens"]
        return ReferenceOutputs(content["name"], content["sha256"], special, vocabulary, longest, replies, logits)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FddError(f"{path} is damaged ({error}); remove it, and it is made again.") from None


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
