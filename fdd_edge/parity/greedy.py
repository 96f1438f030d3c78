"""The quick check: does the file write what torch would write, wherever torch is sure?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.students.reference import Reference

__all__ = ["CLEAR_MARGIN", "GreedyParity", "compare_greedy"]

CLEAR_MARGIN = 0.05
"""Logits by which the best token must lead for a difference to count.

Float32 runtimes that add in another order differ by some 1e-4 logits; a wrong layer by several whole ones.
"""


class GreedyParity(NamedTuple):
    """How the tokens of a file compare with those of the float model.

    Attributes:
        passed: Same ids for every prompt, and no difference where the reference is sure.
        prompts: Prompts compared.
        positions: Tokens compared.
        agree: Those that are the reference's best.
        unclear: Differences where the reference's two best tokens are nearly level.
        first_difference: The first one that counts, or None.
    """

    passed: bool
    prompts: int
    positions: int
    agree: int
    unclear: int
    first_difference: dict[str, Any] | None


def compare_greedy(
    reference: Reference, prompt_ids: Sequence[Sequence[int]], completions: Sequence[Completion]
) -> GreedyParity:
    """Feed the reference what the file wrote, and compare token by token.

    Args:
        reference: The float model in torch.
        prompt_ids: Ids of each prompt as the student was trained on it.
        completions: Greedy completions of the same prompts in the same order, with their ids.
    """
    positions = agree = unclear = 0
    difference: dict[str, Any] | None = None
    for ids, completion in zip(prompt_ids, completions, strict=True):
        if completion.prompt_ids != tuple(ids):
            item = {"problem_id": completion.problem_id, "what": "prompt ids"}
            return GreedyParity(False, len(prompt_ids), positions, agree, unclear, item)
        written = completion.ids or ()
        for position, choice in enumerate(reference.choices(ids, written) if written else []):
            positions += 1
            if choice.token == written[position]:
                agree += 1
            elif choice.logits_gap < CLEAR_MARGIN:
                unclear += 1
            elif difference is None:
                difference = {
                    "problem_id": completion.problem_id,
                    "what": "token",
                    "position": position,
                    "file": written[position],
                    "reference": choice.token,
                    "logits": round(choice.logits_gap, 4),
                }
    return GreedyParity(difference is None and positions > 0, len(prompt_ids), positions, agree, unclear, difference)
