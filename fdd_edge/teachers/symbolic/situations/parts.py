"""Ratio and average: situations where numbers stand in proportion."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Situation

__all__ = ["SITUATIONS"]


def _recipe(rng: Random) -> Mapping[str, Number]:
    cakes, each = rng.randint(2, 6), rng.randint(2, 6)
    return {"a": cakes, "b": cakes * each, "c": cakes + rng.randint(2, 14)}


def _average(rng: Random) -> Mapping[str, Number]:
    mean = rng.randint(12, 60)
    first, second = rng.randint(-9, 9), rng.randint(-9, 9)
    # The three deviations cancel, so the mean is whole; a third of 0 would repeat the second day's number.
    return {"a": mean + first, "b": mean + second, "c": 3 * mean - (mean + first) - (mean + second)}


SITUATIONS = (
    Situation(
        name="recipe",
        kind="ratio",
        bodies=(
            "A recipe for {a} {cakes} needed {b} {items}. {name} wanted to bake {c} such {cakes}.",
            "{name} planned to bake {c} {cakes}. For {a} {cakes} of this kind, {b} {items} were needed.",
            "For {a} {cakes}, a baker used {b} {items}. {name} wanted to bake {c} {cakes} in the same way.",
        ),
        asks=(
            "How many {items} did {name} need?",
            "How many {items} were needed for {name}'s {cakes}?",
            "What number of {items} did {name} need for the {cakes}?",
        ),
        program=(
            "{items_id}_per_{cake} = {b} / {a}",
            "{cakes} = {c}",
            "{items_id}_needed = {items_id}_per_{cake} * {cakes}",
        ),
        numbers=_recipe,
        result=Result("needed", "the {items} {he} needed"),
        words={"items": ("apples", "eggs", "lemons", "pears", "plums"), "cakes": ("cakes", "pies", "loaves", "tarts")},
    ),
    Situation(
        name="average_of_three",
        kind="average",
        bodies=(
            "{name} sold {a} {items} on Monday, {b} on Tuesday and {c} on Wednesday.",
            "On Monday {name} sold {a} {items}. On Tuesday {he} sold {b}, and on Wednesday {c}.",
            "From Monday to Wednesday, the numbers of {items} that {name} sold each day were {a}, {b} and {c}.",
        ),
        asks=(
            "How many {items} did {name} sell per day on average?",
            "What was the average number of {items} sold per day?",
            "On average, how many {items} a day did {name} sell?",
        ),
        program=("{items_id}_sold = {a} + {b} + {c}", "average = {items_id}_sold / 3"),
        numbers=_average,
        result=Result("rate", "{his} average of these three days"),
        words={"items": ("cookies", "muffins", "newspapers", "pretzels", "roses", "sandwiches", "tickets")},
    ),
)
