"""Totals, change, comparison, groups and sharing: situations that count things."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Situation
from fdd_edge.teachers.symbolic._words import THINGS

__all__ = ["SITUATIONS"]


def _total(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(6, 80), "b": rng.randint(6, 80)}


def _change(rng: Random) -> Mapping[str, Number]:
    start = rng.randint(15, 90)
    return {"a": start, "b": rng.randint(3, start - 6), "c": rng.randint(2, 40)}


def _left(rng: Random) -> Mapping[str, Number]:
    start = rng.randint(30, 150)
    first = rng.randint(5, start // 2)
    return {"a": start, "b": first, "c": rng.randint(3, start - first - 6)}


def _more(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(8, 60), "b": rng.randint(2, 30)}


def _gap(rng: Random) -> Mapping[str, Number]:
    less = rng.randint(5, 60)
    return {"a": less + rng.randint(6, 60), "b": less}


def _groups(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(3, 12), "b": rng.randint(4, 15), "c": rng.randint(2, 12)}


def _remainder(rng: Random) -> Mapping[str, Number]:
    friends = rng.randint(4, 12)
    return {"a": friends * rng.randint(3, 9) + rng.randint(2, friends - 1), "b": friends}


def _sharing(rng: Random) -> Mapping[str, Number]:
    friends, each = rng.randint(3, 9), rng.randint(4, 15)
    first = rng.randint(5, friends * each - 5)
    return {"a": first, "b": friends * each - first, "c": friends}


SITUATIONS = (
    Situation(
        name="total_of_two",
        kind="total",
        bodies=(
            "{name} had {a} {items} and {friend} had {b} {items}.",
            "{name} and {friend} put their {items} on one table. {name} brought {a} of them and {friend} brought {b}.",
            "There were {a} {items} in {name}'s bag and {b} {items} in {friend}'s bag.",
        ),
        asks=(
            "How many {items} did they have altogether?",
            "How many {items} did {name} and {friend} have in total?",
            "What was the total number of {items} that the two of them had?",
        ),
        program=("{name_id} = {a}", "{friend_id} = {b}", "{items_id}_total = {name_id} + {friend_id}"),
        numbers=_total,
        result=Result("stock", "all their {items}", "they"),
        words={"items": THINGS},
        people=2,
    ),
    Situation(
        name="give_then_get",
        kind="change",
        bodies=(
            "{name} had {a} {items}. {he} gave {b} of them to {friend} and later bought {c} more.",
            "After giving {b} of {his} {a} {items} to {friend}, {name} bought {c} new ones.",
            "{friend} got {b} {items} from {name}, who had started with {a}. "
            "The next day {name} bought another {c} {items}.",
        ),
        asks=(
            "How many {items} did {name} have then?",
            "How many {items} did {name} have in the end?",
            "What number of {items} did {name} end up with?",
        ),
        program=(
            "{items_id}_start = {a}",
            "given = {b}",
            "bought = {c}",
            "{items_id}_end = {items_id}_start - given + bought",
        ),
        numbers=_change,
        result=Result("stock", "all {his} {items}"),
        words={"items": THINGS},
        people=2,
    ),
    Situation(
        name="sold_twice",
        kind="change",
        bodies=(
            "{name} took {a} {items} to the school fair. "
            "{he} sold {b} of them in the morning and {c} in the afternoon.",
            "At the school fair, {name} sold {b} {items} before lunch and {c} after lunch. "
            "{he} had brought {a} {items}.",
            "{name}'s stall at the fair opened with {a} {items}. "
            "By noon {b} of them were sold, and after noon {c} more.",
        ),
        asks=(
            "How many {items} did {name} have left?",
            "How many {items} were not sold?",
            "How many {items} did {name} take back home?",
        ),
        program=(
            "{items_id}_brought = {a}",
            "morning = {b}",
            "afternoon = {c}",
            "{items_id}_left = {items_id}_brought - morning - afternoon",
        ),
        numbers=_left,
        result=Result("stock", "the {items} {he} had left"),
        words={"items": THINGS},
    ),
    Situation(
        name="some_more",
        kind="comparison",
        bodies=(
            "{name} collected {a} {items}. {friend} collected {b} more {items} than {name}.",
            "{friend} collected {b} more {items} than {name}, who collected {a}.",
            "On a trip, {name} collected {a} {items}, and {friend} beat that by {b} {items}.",
        ),
        asks=(
            "How many {items} did they collect together?",
            "How many {items} did {name} and {friend} collect in all?",
            "What was the total number of {items} they collected?",
        ),
        program=(
            "{name_id} = {a}",
            "{friend_id} = {name_id} + {b}",
            "{items_id}_total = {name_id} + {friend_id}",
        ),
        numbers=_more,
        result=Result("stock", "all the {items} they had collected", "they"),
        words={"items": ("acorns", "badges", "coins", "postcards", "shells", "stamps", "stickers")},
        people=2,
    ),
    Situation(
        name="how_many_more",
        kind="comparison",
        bodies=(
            "{name} had {a} {items} and {friend} had {b} {items}.",
            "{friend} counted {b} {items} in {friend_his} box. {name} counted {a} {items} in {his} own box.",
            "In {name}'s drawer there were {a} {items}. {friend} owned only {b} {items}.",
        ),
        asks=(
            "How many more {items} did {name} have than {friend}?",
            "How many fewer {items} did {friend} have than {name}?",
            "By how many {items} was {name} ahead of {friend}?",
        ),
        program=("{name_id} = {a}", "{friend_id} = {b}", "difference = {name_id} - {friend_id}"),
        numbers=_gap,
        result=Result("gap", "the difference", "{friend}"),
        words={"items": THINGS},
        people=2,
    ),
    Situation(
        name="equal_groups",
        kind="groups",
        bodies=(
            "{name} filled {a} {holders} with {b} {items} each. {c} {items} did not fit in.",
            "There were {a} {holders} on {name}'s shelf, with {b} {items} in each, and {c} loose {items} lay "
            "beside them.",
            "{name} found {c} loose {items} and {a} {holders}. Each {holder} held {b} {items}.",
        ),
        asks=(
            "How many {items} were there altogether?",
            "How many {items} did {name} have in all?",
            "What was the total number of {items}?",
        ),
        program=(
            "{holders} = {a}",
            "{items_id}_per_{holder} = {b}",
            "{items_id}_total = {holders} * {items_id}_per_{holder} + {c}",
        ),
        numbers=_groups,
        result=Result("stock", "all these {items}"),
        words={"items": THINGS, "holders": ("boxes", "bags", "baskets", "jars", "tins", "trays")},
    ),
    Situation(
        name="left_over",
        kind="sharing",
        bodies=(
            "{name} shared {a} {items} equally among {b} children, giving each child as many as possible.",
            "{b} children came to {name}, who had {a} {items}. "
            "{he} gave every child the same number, as many as {he} could.",
            "From {a} {items}, {name} made {b} equal piles for {b} children, and the piles were as big as possible.",
        ),
        asks=(
            "How many {items} were left over?",
            "How many {items} remained for {name}?",
            "What number of {items} could not be shared out?",
        ),
        program=("{items_id} = {a}", "children = {b}", "{items_id}_left = {items_id} % children"),
        numbers=_remainder,
        result=Result("stock", "the {items} that were left over"),
        words={"items": THINGS},
    ),
    Situation(
        name="shared_equally",
        kind="sharing",
        bodies=(
            "{name} had {a} {items} and {friend} had {b}. "
            "They put them together and shared them equally among {c} children.",
            "To the {a} {items} of {name}, {friend} added {b} of {friend_his} own. "
            "Then {c} children got equal shares of them.",
            "{c} children shared some {items} equally: {a} {items} from {name} and {b} from {friend}.",
        ),
        asks=(
            "How many {items} did each child get?",
            "How many {items} were in each child's share?",
            "What number of {items} did every child receive?",
        ),
        program=("{items_id} = {a} + {b}", "children = {c}", "{items_id}_each = {items_id} / children"),
        numbers=_sharing,
        result=Result("share", "{his} share"),
        words={"items": THINGS},
        people=2,
    ),
)
