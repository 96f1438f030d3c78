"""Situations kept for evaluation: `generate("heldout", ...)` alone writes from them, never a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Situation

__all__ = ["SITUATIONS"]


def _ages(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(8, 12), "k": rng.randint(3, 5), "y": rng.randint(2, 12)}


def _fence(rng: Random) -> Mapping[str, Number]:
    width = rng.randint(4, 25)
    return {"w": width, "l": width + rng.randint(2, 20), "p": rng.randint(3, 15)}


def _buses(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(60, 240), "b": rng.randint(4, 20), "s": rng.randint(16, 52)}


def _fraction(rng: Random) -> Mapping[str, Number]:
    part, price = rng.randint(3, 6), rng.randint(3, 20)
    return {"a": part * rng.randint(price // 2 + 4, 40), "f": part, "b": price}


def _tank(rng: Random) -> Mapping[str, Number]:
    out, minutes = rng.randint(2, 7), rng.randint(6, 30)
    flow = out + rng.randint(2, 9)
    return {"i": flow, "o": out, "c": (flow - out) * minutes}


SITUATIONS = (
    Situation(
        name="ages",
        kind="time",
        bodies=(
            "{name} is {a} years old. {his} {relative} is {k} times as old.",
            "{name}'s {relative} is {k} times as old as {name}, who is {a}.",
            "Today {name} turned {a}, and {his} {relative} is {k} times that age.",
        ),
        asks=(
            "How old will the {relative} be in {y} years?",
            "What will be the age of {name}'s {relative} {y} years from now?",
            "In {y} years, how old will {name}'s {relative} be?",
        ),
        program=("{name_id} = {a}", "{relative} = {name_id} * {k}", "{relative}_later = {relative} + {y}"),
        numbers=_ages,
        result=Result("age", "the age of {his} {relative} then"),
        words={"relative": ("aunt", "father", "mother", "uncle", "teacher")},
        held_out=True,
    ),
    Situation(
        name="fence",
        kind="unit cost",
        bodies=(
            "{name} put a fence around a {place} that was {l} meters long and {w} meters wide. "
            "Each meter of fence cost {p:$}.",
            "A fence cost {p:$} per meter. {name} needed one all around a {place} of {l} by {w} meters.",
            "The {place} of {name}'s school was a rectangle with sides of {l} and {w} meters. "
            "A fence for all four sides cost {p:$} a meter.",
        ),
        asks=(
            "How much did the fence cost?",
            "How many dollars did the whole fence cost?",
            "What was the cost of the fence in dollars?",
        ),
        program=("perimeter = 2 * ({l} + {w})", "fence_cost = perimeter * {p}"),
        numbers=_fence,
        result=Result("cost", "the cost of the fence"),
        words={"place": ("garden", "playground", "yard")},
        held_out=True,
    ),
    Situation(
        name="buses",
        kind="groups",
        bodies=(
            "{a} students and {b} teachers went on a trip by bus. Each bus had {s} seats for them.",
            "A school with {a} students and {b} teachers hired buses. "
            "Every one of them needed a seat, and a bus had {s} seats.",
            "Buses with {s} seats each took {a} students and {b} teachers to the {place}.",
        ),
        asks=(
            "How many buses were needed at least?",
            "What was the smallest number of buses that could take them all?",
            "How many buses did they need?",
        ),
        program=("people = {a} + {b}", "buses = ceil(people / {s})"),
        numbers=_buses,
        result=Result("vehicles", "these buses", "they"),
        words={"place": ("zoo", "museum", "lake", "castle")},
        held_out=True,
    ),
    Situation(
        name="fraction_spent",
        kind="ratio",
        bodies=(
            "{name} had {a:$}. {he} spent 1/{f} of it on a {gift} and {b:$} on food.",
            "On a trip, {name} spent 1/{f} of {his} {a:$} on a {gift}. {he} also bought food for {b:$}.",
            "{name} bought food for {b:$} and a {gift} for 1/{f} of the {a:$} {he} had at first.",
        ),
        asks=(
            "How much money did {name} have left?",
            "How many dollars were left?",
            "How many dollars did {name} still have?",
        ),
        program=("money = {a}", "{gift} = money / {f}", "money_left = money - {gift} - {b}"),
        numbers=_fraction,
        result=Result("money", "the money {he} had left"),
        words={"gift": ("book", "game", "poster", "ticket", "shirt")},
        held_out=True,
    ),
    Situation(
        name="filling_tank",
        kind="rate",
        bodies=(
            "Water ran into {name}'s empty {tank} at {i} liters a minute, and {o} liters a minute leaked out. "
            "The {tank} held {c} liters.",
            "{name} filled an empty {tank} of {c} liters. "
            "Each minute {i} liters ran in, but {o} liters ran out through a leak.",
            "An empty {tank} of {c} liters lost {o} liters a minute through a leak while {name} filled in {i} "
            "liters a minute.",
        ),
        asks=(
            "After how many minutes was the {tank} full?",
            "How many minutes did it take to fill the {tank}?",
            "In how many minutes did the {tank} fill up?",
        ),
        program=("gain = {i} - {o}", "minutes = {c} / gain"),
        numbers=_tank,
        result=Result("time", "the filling"),
        words={"tank": ("tank", "pool", "pond", "barrel")},
        held_out=True,
    ),
)
