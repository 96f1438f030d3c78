"""The items of a certificate: each compares one layer of a file with the same layer of its reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fdd_edge.parity.certificate import Figures, Item
from fdd_edge.parity.device_outputs import DeviceOutputs
from fdd_edge.parity.logit_items import Pairs, answers_item, greedy_tokens_item, logits_item, stops_item
from fdd_edge.parity.prompt_items import (
    bos_item,
    chat_template_item,
    ids_item,
    prompt_bytes_item,
    prompt_ids_item,
    vocabulary_item,
)
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Vocabulary
from fdd_edge.parity_bounds import Bounds

__all__ = ["compare_outputs"]


def compare_outputs(
    reference: ReferenceOutputs,
    outputs: DeviceOutputs,
    vocabulary: Vocabulary,
    bounds: Bounds,
    *,
    configs: Sequence[Figures] | None,
    weights: Sequence[Item],
) -> tuple[Item, ...]:
    """Return every item, in the order in which a text passes through the layers: ids, prompt, weights, logits, answers.

    Args:
        reference: The reference's side.
        outputs: The file's side.
        vocabulary: The file's tokens and chat template.
        bounds: The recipe's.
        configs: Keys of the configs next to a graph that do not describe it: ``key``, ``reference``, ``file``; None
            for a file without configs.
        weights: The items about the weights, which need both models' files.
    """
    pairs = list(zip(reference.replies, outputs.scores, strict=True))
    answered = [(reply, scores) for reply, scores in pairs if reply.ids]
    special = outputs.info.special
    unreadable = _unreadable(answered)
    return (
        bos_item(reference.special, special, pairs),
        ids_item("eos_id", reference.special.eos, special.eos),
        ids_item("stop_ids", list(reference.special.eos_ids), list(special.eos_ids)),
        _configs_item(configs),
        vocabulary_item(reference, vocabulary.pieces),
        chat_template_item(reference.vocabulary.chats, vocabulary.chats[0]),
        prompt_bytes_item(pairs),
        prompt_ids_item(pairs),
        *weights,
        unreadable("logits") or logits_item(reference.logits, outputs.logits, answered, bounds),
        unreadable("greedy_tokens") or greedy_tokens_item(answered, bounds),
        unreadable("stops") or stops_item(reference.special, answered, bounds),
        answers_item([reply for reply, _ in answered], outputs.completions, bounds),
    )


def _unreadable(answered: Pairs) -> Callable[[str], Item | None]:
    """Return a function that makes the item of a file which cannot read the reference's ids, or None if it can."""
    found = [(reply, scores.unreadable) for reply, scores in answered if scores.unreadable]
    if not found:
        return lambda name: None
    reply, reason = found[0]
    summary = f"the file cannot read {len(found)} of the reference's {len(answered)} replies: {reason}"
    return lambda name: Item(name, False, summary, {"n": len(answered)}, {"prompt": reply.id})


def _configs_item(wrong: Sequence[Figures] | None) -> Item:
    """Check that the configs next to a graph describe it to the programs that read them."""
    if wrong is None:
        return Item("configs", True, "not needed: the file itself says how it is run", {"n": 0})
    if not wrong:
        return Item("configs", True, "all keys describe this model", {"n": 0})
    summary = f"{len(wrong)} {'key does' if len(wrong) == 1 else 'keys do'} not describe this model"
    return Item("configs", False, summary, {"n": len(wrong)}, wrong[0])
