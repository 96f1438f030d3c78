"""Rates and time: situations where something is done so much an hour or a day."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Situation

__all__ = ["SITUATIONS"]


def _ride(rng: Random) -> Mapping[str, Number]:
    return {"v": rng.randint(9, 24), "h": rng.randint(2, 6), "m": rng.randint(3, 20)}


def _book(rng: Random) -> Mapping[str, Number]:
    daily, days = rng.randint(8, 35), rng.randint(3, 9)
    return {"p": daily * days + rng.randint(2, 12) * 12, "a": daily, "d": days}


def _practice(rng: Random) -> Mapping[str, Number]:
    return {"m": 5 * rng.randint(3, 12), "d": rng.randint(2, 5), "x": 5 * rng.randint(2, 12)}


SITUATIONS = (
    Situation(
        name="ride_and_walk",
        kind="rate",
        bodies=(
            "{name} rode a bike at {v} kilometers per hour for {h} hours and then walked another {m} kilometers.",
            "After riding {his} bike for {h} hours at {v} kilometers per hour, {name} walked {m} kilometers.",
            "{name} walked the last {m} kilometers of a trip. "
            "Before that, {he} rode a bike for {h} hours, {v} kilometers each hour.",
        ),
        asks=(
            "How many kilometers did {name} travel in all?",
            "How long was the whole trip, in kilometers?",
            "What distance did {name} cover altogether, in kilometers?",
        ),
        program=("ridden = {v} * {h}", "walked = {m}", "distance = ridden + walked"),
        numbers=_ride,
        result=Result("distance", "the length of this trip"),
    ),
    Situation(
        name="pages_to_go",
        kind="rate",
        bodies=(
            "A book had {p} pages. {name} read {a} pages a day for {d} days.",
            "{name} read {a} pages of a book every day. {he} did so for {d} days. The book had {p} pages.",
            "For {d} days, {name} read {a} pages a day of a book with {p} pages.",
        ),
        asks=(
            "How many pages did {name} still have to read?",
            "How many pages of the book were left?",
            "How many pages had {name} not read yet?",
        ),
        program=("pages = {p}", "read = {a} * {d}", "pages_left = pages - read"),
        numbers=_book,
        result=Result("pages", "the rest of the book"),
    ),
    Situation(
        name="practice_time",
        kind="time",
        bodies=(
            "{name} practiced the {instrument} for {m} minutes a day on {d} days, and for {x} minutes on Sunday.",
            "On Sunday {name} practiced the {instrument} for {x} minutes. "
            "On each of {d} other days {he} practiced for {m} minutes.",
            "{name} practiced the {instrument} on {d} school days, {m} minutes each day. "
            "On Sunday {he} added {x} minutes.",
        ),
        asks=(
            "For how many minutes did {name} practice in all?",
            "How many minutes of practice was that altogether?",
            "What was {name}'s total practice time in minutes?",
        ),
        program=("school_days = {m} * {d}", "sunday = {x}", "minutes = school_days + sunday"),
        numbers=_practice,
        result=Result("time", "the practice"),
        words={"instrument": ("cello", "drums", "flute", "guitar", "piano", "trumpet", "violin")},
    ),
)
