"""Whether a few prompts settle a certificate, or the others must be answered too.

A few only ever shorten a pass. They do if the weights are proved bit for bit, which leaves the graph, the runtime and
the vocabulary to be shown, and if every figure is so far from its bound that more prompts could hardly change the
result. Whatever fails, or is close, is judged by all prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fdd_edge.intervals import wilson
from fdd_edge.parity.certificate import Item
from fdd_edge.parity_bounds import Bounds

__all__ = ["few_suffice"]

_ENOUGH = 8
"""Trials after which a share in which nothing differs counts as clear of its bound."""

_HARDLY_STOPS = 4
"""Stops among a few replies below which four times as many replies would hardly have enough to judge."""


def few_suffice(items: Sequence[Item], bounds: Bounds, *, stops_rarely: bool) -> bool:
    """Return whether the items of a few prompts settle a certificate that passes.

    Args:
        items: All items.
        bounds: The recipe's.
        stops_rarely: Whether the reference hardly ever ends a reply, as an untuned student. Of any other, replies that
            are cut earlier than those of all prompts would hide how it ends them.
    """
    figures: dict[str, Any] = {item.name: item.figures for item in items}
    if not all(item.passed for item in items) or not figures["tensors"].get("exact"):
        return False
    logits, greedy, stops, answers = (figures[name] for name in ("logits", "greedy_tokens", "stops", "answers"))
    return (
        logits["relative_error"]["max"] <= bounds.logits_p99
        and logits["kl"]["upper"] <= bounds.kl_mean
        and _is_clear(greedy["agree"], greedy["n"], bounds.greedy)
        and (stops_rarely if stops["n"] < _HARDLY_STOPS else _is_clear(stops["stopped"], stops["n"], bounds.stops))
        and (
            bounds.answers is None
            or answers["same_text"] == answers["n"] + answers["neither"]
            or _is_clear(answers["agree"], answers["n"], bounds.answers)
        )
    )


def _is_clear(successes: int, n: int, bound: float) -> bool:
    """Return whether nothing differs, or the whole 95 % interval of a share is above its bound."""
    if successes == n and (n >= _ENOUGH or bound == 1):
        return True
    return n > 0 and wilson(successes, n).low >= bound
