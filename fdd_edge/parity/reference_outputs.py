"""What the float model outputs for the prompts of a certificate, computed once for all files compared with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
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
    "compute_reference_outputs",
    "load_reference",
    "save_reference",
]

MAX_NEW_TOKENS = 96
"""Maximum length of a reply: the program of a word problem has 20 to 80 tokens."""

_KEPT_POSITIONS = (0, 8, 24)
"""Positions of a reply whose logits are kept, in addition to its last."""

_MAX_LOGITS = 2**25
"""Maximum number of logits that are kept (128 MiB): a large vocabulary gets fewer positions, then fewer replies."""

_MAX_ANSWERED = 256
"""Maximum number of prompts that are answered: more would hardly narrow any interval, and cost minutes per hundred."""

_METADATA_KEY = "record"
_LOGITS = "logits"
_BYTES_AS_TEXT = "latin-1"
"""How bytes are stored in JSON: one character per byte."""


class ParityPrompt(NamedTuple):
    """A prompt of a certificate.

    If it is not ``answered``, only its bytes and ids are compared, unless another prompt does not fit into the context.
    """

    id: str
    question: str
    gold: int | float | None
    answered: bool = True


class Vocabulary(NamedTuple):
    """What one side writes for its ids, and how its chat template renders a user's message.

    Attributes:
        pieces: The bytes of each token, by id.
        chats: The prompts that the chat template makes of a list of questions; for the reference, one tuple per
            acceptable way.
    """

    pieces: tuple[bytes, ...]
    chats: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Reply:
    """What the reference does with one prompt.

    Attributes:
        id: The id of the problem.
        question: The question.
        gold: Its answer, if known.
        prompt: The rendered prompt.
        prompt_ids: Its ids.
        ids: The greedy reply, including the id that ends it; empty if the prompt was not answered.
        ended: Whether the reply ended by itself.
        text: The text of the reply.
        answer: The number that its program gives, or None.
        leads: For each of ``ids``, the difference between its logit and the next highest.
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
        name: Name of the reference.
        sha256: Hash of its folder.
        special: The ids that begin and end a text.
        vocabulary: Its tokens and chat template.
        max_new_tokens: Maximum length of a reply.
        replies: One per prompt.
        logits: The rows that the replies keep, in their order: shape (rows, n_vocab).
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
        """The replies to the prompts that were answered."""
        return [reply for reply in self.replies if reply.ids]


def compute_reference_outputs(
    folder: Path,
    prompts: Sequence[ParityPrompt],
    *,
    name: str,
    sha256: str,
    template: str,
    eos_ids: Sequence[int],
    vocabulary: Vocabulary,
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
        threads: Number of torch threads; None for torch's default.

    Raises:
        FddError: No prompt leaves room for a reply.
    """
    from fdd_edge.students.float_model import Reference
    from fdd_edge.students.tokenizer import begins_texts, decode_ids, encode_prompts, load_tokenizer

    tokenizer = load_tokenizer(folder)
    model = Reference(folder, threads=threads)
    # The model's own tokenizer is used, not the vocabulary file from which the artifact's was copied.
    start = decoder_start(folder)
    adds_bos = start is None and begins_texts(tokenizer)
    ends = {*eos_ids, tokenizer.eos_token_id} | model.eos_ids
    special = SpecialIds(tokenizer.bos_token_id, tokenizer.eos_token_id, tuple(sorted(ends)), adds_bos)
    texts = [Prompt.parse(template).render(prompt.question) for prompt in prompts]
    prompt_ids = encode_prompts(tokenizer, texts, adds_bos=adds_bos, decoder_start=start)
    fitting = [i for i, ids in enumerate(prompt_ids) if len(ids) <= model.context - MAX_NEW_TOKENS]
    answered = _choose(prompts, fitting, limit=min(_MAX_ANSWERED, _MAX_LOGITS // model.n_vocab))
    if not answered:
        raise FddError(f"No prompt leaves room for a reply of {MAX_NEW_TOKENS} tokens in the context of {name}.")
    keep = _KEPT_POSITIONS[: _MAX_LOGITS // (model.n_vocab * len(answered)) - 1]
    with progress("the reference's replies for the parity certificate", len(answered)) as advance:
        written = model.generate(
            [prompt_ids[i] for i in answered],
            max_new_tokens=MAX_NEW_TOKENS,
            eos_ids=ends,
            keep=keep,
            on_progress=advance,
        )
    if not all(np.isfinite(greedy.logits).all() and np.isfinite(greedy.leads).all() for greedy in written):
        raise FddError(f"The logits of {name} are not finite numbers in float32, so nothing can be compared with it.")
    replies = [
        Reply(prompt.id, prompt.question, prompt.gold, text, tuple(ids))
        for prompt, text, ids in zip(prompts, texts, prompt_ids, strict=True)
    ]
    written_texts = decode_ids(tokenizer, [ids[:-1] if ids[-1] in ends else ids for ids, *_ in written])
    for i, greedy, text in zip(answered, written, written_texts, strict=True):
        replies[i] = _answered(replies[i], greedy, text, ended=greedy.ids[-1] in ends)
    logits = np.concatenate([greedy.logits for greedy in written])
    return ReferenceOutputs(name, sha256, special, vocabulary, MAX_NEW_TOKENS, tuple(replies), logits)


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
    )


def save_reference(reference: ReferenceOutputs, path: Path) -> None:
    """Write the outputs as one safetensors file: the logits as its tensor, the rest as JSON in its header."""
    from safetensors.numpy import save_file

    content = {
        "name": reference.name,
        "sha256": reference.sha256,
        "special": asdict(reference.special),
        "pieces": [piece.decode(_BYTES_AS_TEXT) for piece in reference.vocabulary.pieces],
        "chats": reference.vocabulary.chats,
        "max_new_tokens": reference.max_new_tokens,
        "replies": [asdict(reply) for reply in reference.replies],
    }
    save_file({_LOGITS: reference.logits}, path, metadata={_METADATA_KEY: json.dumps(content, allow_nan=False)})


def load_reference(path: Path) -> ReferenceOutputs:
    """Read the outputs back.

    Raises:
        FddError: The file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        file: Any  # safetensors' stub leaves the methods of safe_open untyped
        with safe_open(path, framework="numpy") as file:
            content = parse_json(file.metadata()[_METADATA_KEY])
            logits = file.get_tensor(_LOGITS)
        special = SpecialIds(**_with_tuples(content["special"]))
        pieces = tuple(piece.encode(_BYTES_AS_TEXT) for piece in content["pieces"])
        vocabulary = Vocabulary(pieces, tuple(tuple(chat) for chat in content["chats"]))
        replies = tuple(Reply(**_with_tuples(row)) for row in content["replies"])
        max_new_tokens = content["max_new_tokens"]
        return ReferenceOutputs(
            content["name"], content["sha256"], special, vocabulary, max_new_tokens, replies, logits
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FddError(f"{path} is damaged ({error}); delete it, and it is made again.") from None


def _with_tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
