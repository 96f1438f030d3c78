"""Further steps with money: a price to pay, and money in hand."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result
from fdd_edge.teachers.symbolic.steps._draws import END, between, make_step, nothing_if_even, part

__all__ = ["STEPS"]


def _note(rng: Random, value: Number) -> Mapping[str, Number] | None:
    notes = [note for note in (20, 50, 100, 200, 500, 1000) if note > value]
    return {"m": notes[0]} if notes and value > 0 else None


def _friends_to_split(rng: Random, value: Number) -> Mapping[str, Number] | None:
    counts = [n for n in range(2, 8) if value % (n + 1) == 0]
    return {"n": rng.choice(counts)} if counts and value > 0 else None


def _weekly(rng: Random, value: Number) -> Mapping[str, Number] | None:
    return {"w": rng.randint(3, 20), "k": rng.randint(2, 8)} if value > 0 else None


STEPS = (
    make_step(
        "pay_with_note",
        "cost bill",
        ("{who} paid with {m:$}.", "{who} handed over {m:$} to pay for this."),
        ("How much change did {who} get back?", "How many dollars of change did {who} get?"),
        ("change = {m} - {prev}",),
        _note,
        Result("money", "the change", "{who}"),
    ),
    make_step(
        "split_the_cost",
        "cost bill",
        (
            "{who} and {n} friends split {phrase} equally.",
            "{n} friends joined {who}, and all of them paid equal parts of {phrase}.",
        ),
        ("How much did each of them pay?", "How many dollars did each person pay?"),
        ("people = 1 + {n}", "each_paid = {prev} / people"),
        _friends_to_split,
        END,
    ),
    make_step(
        "delivery",
        "cost bill",
        ("Delivery cost another {f:$}.", "{who} also paid {f:$} for delivery."),
        ("How much did {who} pay in all?", "How many dollars did {who} pay with delivery?"),
        ("with_delivery = {prev} + {f}",),
        between("f", 3, 15),
        Result("bill", "the full amount", "{who}"),
    ),
    make_step(
        "friends_buy_too",
        "cost",
        (
            "{who} told {k} friends about it, and each of them bought the same for the same price.",
            "{k} friends liked this and bought just the same, each at the same price as {who}.",
        ),
        ("How much did these {k} friends pay together?", "How many dollars did the {k} friends spend in all?"),
        ("friends_paid = {prev} * {k}",),
        between("k", 2, 8),
        END,
    ),
    make_step(
        "spend_some",
        "money",
        (
            "{who} then spent {s:$} of {phrase} on school supplies.",
            "Of {phrase}, {who} used {s:$} to pay back a loan.",
        ),
        ("How much money did {who} have after that?", "How many dollars remained?"),
        ("money_after = {prev} - {s}",),
        part("s"),
        Result("money", "the money {who_he} still had", "{who}"),
    ),
    make_step(
        "save_weekly",
        "money",
        (
            "{who} saved {phrase} and added {w:$} to it every week for {k} weeks.",
            "{who} put {phrase} into a savings box, and then {w:$} more each week for {k} weeks.",
        ),
        ("How much money did {who} save?", "How many dollars did {who} save in all?"),
        ("savings = {prev} + {w} * {k}",),
        _weekly,
        Result("money", "the savings", "{who}"),
    ),
    make_step(
        "half_on_gift",
        "money",
        ("Half of {phrase} went into a gift for {pal}.", "{who} spent half of {phrase} on a gift for {pal}."),
        ("How much did the gift cost?", "How many dollars did the gift cost?"),
        ("gift = {prev} / 2",),
        nothing_if_even,
        END,
    ),
)
