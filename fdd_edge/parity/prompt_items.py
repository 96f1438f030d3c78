"""The items of a certificate about texts and ids: special ids, vocabulary, chat template and prompts. All are exact."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_edge.ondevice.protocol import Scores, SpecialIds
from fdd_edge.parity.certificate import Figures, Item
from fdd_edge.parity.item_figures import excerpt, first_different, side_by_side
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply
from fdd_edge.runs.fingerprint import Json

__all__ = [
    "bos_item",
    "chat_template_item",
    "ids_item",
    "prompt_bytes_item",
    "prompt_ids_item",
    "vocabulary_item",
]

_Pairs = Sequence[tuple[Reply, Scores]]

_IDS_SHOWN = 4
"""Number of ids that a first difference shows."""


def bos_item(reference: SpecialIds, file: SpecialIds, pairs: _Pairs) -> Item:
    """Compare the BOS id, whether it is added to a prompt, and how many of them a prompt begins with."""
    figures = {"reference": reference.bos, "file": file.bos, "adds_bos": file.adds_bos}
    if reference.adds_bos != file.adds_bos:
        sides = {"adds_bos of the reference": reference.adds_bos, "file": file.adds_bos}
        return Item("bos", False, "only one side adds it to a prompt", figures, sides)
    if reference.bos is None:
        return Item("bos", True, "no BOS token on either side", figures)
    if reference.bos != file.bos:
        return Item("bos", False, f"{file.bos} instead of {reference.bos}", figures, dict(figures))
    for reply, scores in pairs:
        counts = [_leading(ids, reference.bos) for ids in (reply.prompt_ids, scores.prompt_ids)]
        if counts[0] != counts[1]:
            difference: Figures = {"prompt": reply.id, "reference begins with": counts[0], "file with": counts[1]}
            return Item("bos", False, f"prompts begin with different numbers of {file.bos}", figures, difference)
    return Item("bos", True, f"{file.bos}, added to prompts as in the reference", figures)


def _leading(ids: Sequence[int], token: int) -> int:
    """Return how many times a token is repeated at the beginning."""
    return next((n for n, other in enumerate(ids) if other != token), len(ids))


def ids_item(name: str, reference: Json, file: Json) -> Item:
    """Compare an id, or a list of ids."""
    figures = {"reference": reference, "file": file}
    same = reference == file
    return Item(name, same, f"{file}" if same else f"{file} instead of {reference}", figures, None if same else figures)


def vocabulary_item(reference: ReferenceOutputs, pieces: Sequence[bytes]) -> Item:
    """Compare what the file writes for every id, and for the replies, as the reference's own tokenizer writes them.

    Replies with a control token, or with bytes that are not text, are left out: each side writes those its own way.
    """
    wanted = reference.vocabulary.pieces
    figures = {"n": len(wanted)}
    if len(pieces) != len(wanted):
        sizes = {"reference": len(wanted), "file": len(pieces)}
        return Item("vocabulary", False, f"{len(pieces)} tokens instead of {len(wanted)}", figures, sizes)
    different = [token for token, (a, b) in enumerate(zip(wanted, pieces, strict=True)) if a != b]
    if different:
        token, n = different[0], len(different)
        sides = {"reference": _text(wanted[token]), "file": _text(pieces[token])}
        summary = f"{n} of {len(pieces)} tokens {'is' if n == 1 else 'are'} written differently"
        return Item("vocabulary", False, summary, figures | {"different": n}, {"token": token, **sides})
    compared = 0
    for reply in reference.answered:
        # A model that is padded past its tokenizer may write an id that has no token.
        ids = reply.ids[:-1] if reply.ended else reply.ids
        written = [pieces[token] if token < len(pieces) else b"" for token in ids]
        if "\ufffd" in reply.text or b"" in written:
            continue
        compared += 1
        if (text := _text(b"".join(written))).strip() != reply.text.strip():
            difference = {"prompt": reply.id} | side_by_side(reply.text, text)
            return Item("vocabulary", False, "a reply is written differently", figures, difference)
    figures |= {"different": 0, "replies": compared}
    return Item("vocabulary", True, f"{len(pieces)} tokens and {compared} replies are written the same", figures)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def chat_template_item(reference: Sequence[Sequence[str | None]], file: Sequence[str | None]) -> Item:
    """Compare the prompts that the file's chat template makes of user messages with those of the reference."""
    figures = {"n": len(file)}
    if any(tuple(file) == tuple(chat) for chat in reference):
        summary = "no template on either side" if file[0] is None else "a user's message becomes the reference's prompt"
        return Item("chat_template", True, summary, figures)
    wanted, found = next(pair for pair in zip(reference[0], file, strict=True) if pair[0] != pair[1])
    if wanted is None or found is None:
        sides: Figures = {"reference": wanted, "file": found}
    else:
        at = first_different(wanted, found)
        sides = {"byte": len(wanted[:at].encode()), "reference": excerpt(wanted, at), "file": excerpt(found, at)}
    return Item("chat_template", False, "a user's message becomes a different prompt", figures, sides)


def prompt_bytes_item(pairs: _Pairs) -> Item:
    """Compare the file's prompt for each question with the reference's, byte for byte."""
    different = [(reply, scores) for reply, scores in pairs if reply.prompt != scores.prompt]
    first: Figures | None = None
    if different:
        reply, scores = different[0]
        at = first_different(reply.prompt, scores.prompt)
        sides = {"reference": excerpt(reply.prompt, at), "file": excerpt(scores.prompt, at)}
        first = {"prompt": reply.id, "byte": len(reply.prompt[:at].encode()), **sides}
    return _exact("prompt_bytes", len(pairs), len(different), first)


def prompt_ids_item(pairs: _Pairs) -> Item:
    """Compare the ids that both tokenizers give for the reference's prompts."""
    different = [(reply, scores) for reply, scores in pairs if reply.prompt_ids != scores.text_ids]
    first: Figures | None = None
    if different:
        reply, scores = different[0]
        at = first_different(reply.prompt_ids, scores.text_ids)
        shown = slice(at, at + _IDS_SHOWN)
        sides = {"reference": list(reply.prompt_ids[shown]), "file": list(scores.text_ids[shown])}
        first = {"prompt": reply.id, "token": at, **sides, "question": reply.question}
    return _exact("prompt_ids", len(pairs), len(different), first)


def _exact(name: str, n: int, wrong: int, first: Figures | None) -> Item:
    return Item(name, not wrong, f"{n - wrong} of {n} prompts are equal", {"n": n, "different": wrong}, first)
