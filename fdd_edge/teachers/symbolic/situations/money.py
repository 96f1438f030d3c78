"""Unit cost, change and discount: situations about prices."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Situation
from fdd_edge.teachers.symbolic._words import BUYABLES

__all__ = ["SITUATIONS"]


def _two_prices(rng: Random) -> Mapping[str, Number]:
    return {"a": rng.randint(2, 9), "p": rng.randint(2, 12), "b": rng.randint(2, 9), "q": rng.randint(2, 12)}


def _note(rng: Random) -> Mapping[str, Number]:
    # Quarters of a dollar are exact in binary, so that no program shows 0.30000000000000004.
    count, price = rng.randint(2, 8), rng.randint(6, 36) / 4
    paid = next(note for note in (20, 50, 100) if note > count * price)
    return {"a": count, "p": price if price % 1 else int(price), "m": paid}


def _discount(rng: Random) -> Mapping[str, Number]:
    return {"p": 20 * rng.randint(2, 15), "d": 5 * rng.randint(1, 12)}


def _wages(rng: Random) -> Mapping[str, Number]:
    return {"p": rng.randint(8, 25), "h": rng.randint(2, 9), "t": rng.randint(3, 40)}


SITUATIONS = (
    Situation(
        name="two_prices",
        kind="unit cost",
        bodies=(
            "{name} bought {a} {goods} for {p:$} each and {b} {wares} for {q:$} each.",
            "A shop sold {goods} at {p:$} each and {wares} at {q:$} each. {name} took {a} {goods} and {b} {wares}.",
            "On {name}'s shopping list there were {a} {goods} and {b} {wares}. "
            "One {good} cost {p:$} and one {ware} cost {q:$}.",
        ),
        asks=(
            "How much did {name} have to pay?",
            "What was the total cost in dollars?",
            "How many dollars did everything cost?",
        ),
        program=(
            "{goods_id}_cost = {a} * {p}",
            "{wares_id}_cost = {b} * {q}",
            "total_cost = {goods_id}_cost + {wares_id}_cost",
        ),
        numbers=_two_prices,
        result=Result("cost", "the total cost"),
        words={"goods": BUYABLES[:7], "wares": BUYABLES[7:]},
    ),
    Situation(
        name="change_from_note",
        kind="money",
        bodies=(
            "{name} bought {a} {goods} at {p:$} each and paid with {m:$}.",
            "Each {good} cost {p:$}. {name} took {a} {goods} and gave the cashier {m:$}.",
            "With {m:$} in {his} pocket, {name} went shopping and bought {a} {goods} for {p:$} each.",
        ),
        asks=(
            "How much money did {name} have left from the {m:$}?",
            "How many of the {m} dollars were left?",
            "How many dollars did {name} still have of the {m:$}?",
        ),
        program=("cost = {a} * {p}", "money_left = {m} - cost"),
        numbers=_note,
        result=Result("money", "the money {he} had left"),
        words={"goods": BUYABLES},
    ),
    Situation(
        name="discount",
        kind="percent",
        bodies=(
            "{a_good} usually cost {p:$}, but {name} bought it at a discount of {d}%.",
            "In a sale, the price of {a_good} was cut by {d}%. It had been {p:$} before, and {name} bought it.",
            "{name} bought {a_good} with a coupon for {d}% off. Without the coupon it cost {p:$}.",
        ),
        asks=(
            "How much did {name} pay?",
            "How many dollars did {name} pay for it?",
            "What was the price for {name}, in dollars?",
        ),
        program=("price = {p}", "discount = price * {d} / 100", "paid = price - discount"),
        numbers=_discount,
        result=Result("cost", "the price {he} paid"),
        words={"goods": ("bikes", "cameras", "coats", "desks", "lamps", "guitars", "suitcases", "tents", "watches")},
    ),
    Situation(
        name="wages_and_tips",
        kind="money",
        bodies=(
            "{name} worked in a {shop} for {h} hours at {p:$} an hour. {he} also got {t:$} in tips.",
            "A {shop} paid {name} {p:$} for each hour of work. {he} worked {h} hours and got tips of {t:$} on top.",
            "Besides {t:$} in tips, {name} earned {p:$} an hour for {h} hours of work in a {shop}.",
        ),
        asks=(
            "How much money did {name} make?",
            "How many dollars did {name} make in all?",
            "What did {name} make altogether, in dollars?",
        ),
        program=("wage = {h} * {p}", "tips = {t}", "earned = wage + tips"),
        numbers=_wages,
        result=Result("money", "the money {he} had made"),
        words={"shop": ("bakery", "bookshop", "café", "car wash", "flower shop", "pizzeria")},
    ),
)
