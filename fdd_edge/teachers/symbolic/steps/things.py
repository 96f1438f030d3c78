"""Further steps with things: those someone holds, the share each one got, the difference of two people."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result
from fdd_edge.teachers.symbolic.steps._draws import END, between, divisor, make_step, nothing_if_even, part

__all__ = ["STEPS"]


def _bag_size(rng: Random, value: Number) -> Mapping[str, Number] | None:
    sizes = [size for size in range(3, 11) if value >= 2 * size and value % size]
    return {"k": rng.choice(sizes)} if sizes else None


STEPS = (
    make_step(
        "give_half",
        "stock",
        ("{who} then gave half of {phrase} to {pal}.", "After that, {who} gave {pal} half of {phrase}."),
        ("How many {items} did {who} keep?", "How many {items} did {who} still have?"),
        ("{items_id}_kept = {prev} / 2",),
        nothing_if_even,
        Result("stock", "the {items} {who_he} kept", "{who}"),
    ),
    make_step(
        "share_out",
        "stock",
        (
            "{who} then shared {phrase} equally among {k} neighbors.",
            "Later {who} shared {phrase} equally among {k} neighbors who came by.",
        ),
        ("How many {items} did each neighbor get?", "How many {items} were in each neighbor's share?"),
        ("neighbors = {k}", "share = {prev} / neighbors"),
        divisor("k"),
        Result("share", ""),
    ),
    make_step(
        "sell_all",
        "stock",
        ("{who} then sold {phrase} for {c:$} each.", "In the end, {who} sold {phrase} at {c:$} apiece."),
        ("How much money did {who} get for them?", "How many dollars did {who} get for them?"),
        ("money = {prev} * {c}",),
        between("c", 2, 9),
        Result("money", "the money {who_he} got", "{who}"),
    ),
    make_step(
        "times_as_many",
        "stock",
        (
            "At that point, {pal} had {n} times as many {items} as {who} had.",
            "{pal} then had {n} times as many {items} as {who} did.",
        ),
        (
            "How many {items} did {who} and {pal} have together?",
            "How many {items} was that for {who} and {pal} together?",
        ),
        ("{pal_id} = {prev} * {n}", "together = {prev} + {pal_id}"),
        between("n", 2, 5),
        Result("stock", "all their {items}", "{who} and {pal}"),
    ),
    make_step(
        "pack_in_bags",
        "stock",
        (
            "{who} then packed {phrase} into bags of {k}, as many full bags as possible.",
            "Then {who} put {phrase} into bags, {k} in each bag, until no more bags could be filled.",
        ),
        ("How many {items} were not in a bag?", "How many {items} did not go into a bag?"),
        ("unpacked = {prev} % {k}",),
        _bag_size,
        Result("stock", "the {items} that were not in a bag", "{who}"),
    ),
    make_step(
        "find_more",
        "stock",
        ("Later {who} found {m} more {items}.", "Then {who} also got {m} more {items} as a gift."),
        ("How many {items} did {who} have then?", "How many {items} did {who} have by then?"),
        ("{items_id}_now = {prev} + {m}",),
        between("m", 3, 40),
        Result("stock", "all {who_his} {items}", "{who}"),
    ),
    make_step(
        "had_before",
        "share",
        (
            "One of them was {pal}, who already had {m} {items} before.",
            "{pal} was one of them and had {m} {items} from the day before.",
        ),
        ("How many {items} did {pal} have then?", "How many {items} did that make for {pal}?"),
        ("{pal_id} = {prev} + {m}",),
        between("m", 2, 20),
        Result("stock", "all {pal_his} {items}", "{pal}"),
    ),
    make_step(
        "gave_some_on",
        "share",
        (
            "{pal} was one of them and passed {m} of {pal_his} {items} on to a friend.",
            "One of them, {pal}, lost {m} of {pal_his} {items} on the way home.",
        ),
        ("How many {items} did {pal} have left?", "How many {items} did {pal} still have?"),
        ("{pal_id} = {prev} - {m}",),
        part("m"),
        Result("stock", "the {items} {pal_he} still had", "{pal}"),
    ),
    make_step(
        "two_shares",
        "share",
        ("Two of them put their shares into one jar.", "Later, two of them laid their shares together in a jar."),
        ("How many {items} were in the jar?", "How many {items} did the jar hold?"),
        ("jar = 2 * {prev}",),
        lambda rng, value: {} if value > 0 else None,
        Result("stock", "the {items} in the jar", "they"),
    ),
    make_step(
        "catch_up",
        "gap",
        (
            "From then on, {friend} got {d} more {items} every day, while {name} got none.",
            "To catch up, {friend} collected {d} more {items} each day. {name} stopped collecting.",
        ),
        (
            "After how many days did {friend} have as many {items} as {name}?",
            "In how many days did {friend} catch up with {name}?",
        ),
        ("days = {prev} / {d}",),
        divisor("d"),
        END,
    ),
    make_step(
        "buy_the_gap",
        "gap",
        (
            "{friend} then bought just enough {items} at {c:$} each to have as many as {name}.",
            "To have as many as {name}, {friend} bought the missing {items} for {c:$} each.",
        ),
        ("How much did {friend} pay?", "How many dollars did {friend} spend?"),
        ("spent = {prev} * {c}",),
        between("c", 2, 6),
        Result("bill", "the price {friend_he} paid", "{friend}"),
    ),
    make_step(
        "even_out",
        "gap",
        (
            "Then {name} gave {friend} just so many {items} that both had the same number.",
            "{name} passed some of the {items} to {friend} until both had equally many.",
        ),
        ("How many {items} did {name} give to {friend}?", "How many {items} changed hands?"),
        ("given = {prev} / 2",),
        nothing_if_even,
        END,
    ),
)
