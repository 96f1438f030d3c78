"""What the float model outputs for the prompts of a certificate, and the file in which a run keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.protocol import SpecialIds

__all__ = ["ReferenceOutputs", "Reply", "Vocabulary", "load_reference", "save_reference"]

_METADATA_KEY = "record"
_LOGITS = "logits"
_BYTES_AS_TEXT = "latin-1"
"""How bytes are stored in JSON: one character per byte."""


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
        waits: Whether it is to be answered if the answers to a few others do not suffice.
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
    waits: bool = False


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
