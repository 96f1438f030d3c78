"""The further steps that make a situation harder: each takes the result before as known and asks for its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Step

__all__ = ["STEPS"]

_Draw = Callable[[Random, Number], Mapping[str, Number] | None]


def _nothing_if_even(rng: Random, value: Number) -> Mapping[str, Number] | None:
    return {} if value >= 4 and value % 2 == 0 else None


def _between(slot: str, low: int, high: int) -> _Draw:
    """Draw a number that needs nothing of the value before, except that there is one."""
    return lambda rng, value: {slot: rng.randint(low, high)} if value > 0 else None


def _part(slot: str) -> _Draw:
    """Draw a whole number from 2 to less than the value."""
    return lambda rng, value: {slot: rng.randint(2, int(value) - 1)} if value > 4 else None


def _divisor(slot: str, low: int = 2, high: int = 12) -> _Draw:
    """Draw a number that divides the value and leaves 2 or more."""

    def draw(rng: Random, value: Number) -> Mapping[str, Number] | None:
        divisors = [d for d in range(low, high + 1) if value % d == 0 and value / d >= 2]
        return {slot: rng.choice(divisors)} if divisors else None

    return draw


def _beyond(slot: str, most: int) -> _Draw:
    """Draw a round number above the value."""
    return lambda rng, value: {slot: (int(value) // 5 + 1) * 5 + 5 * rng.randint(0, most // 5)} if value > 0 else None


def _bag_size(rng: Random, value: Number) -> Mapping[str, Number] | None:
    sizes = [size for size in range(3, 11) if value >= 2 * size and value % size]
    return {"k": rng.choice(sizes)} if sizes else None


def _note(rng: Random, value: Number) -> Mapping[str, Number] | None:
    notes = [note for note in (20, 50, 100, 200, 500, 1000) if note > value]
    return {"m": notes[0]} if notes and value > 0 else None


def _friends_to_split(rng: Random, value: Number) -> Mapping[str, Number] | None:
    counts = [n for n in range(2, 8) if value % (n + 1) == 0]
    return {"n": rng.choice(counts)} if counts and value > 0 else None


def _weekly(rng: Random, value: Number) -> Mapping[str, Number] | None:
    return {"w": rng.randint(3, 20), "k": rng.randint(2, 8)} if value > 0 else None


def _step(
    name: str,
    of: str,
    bodies: tuple[str, ...],
    asks: tuple[str, ...],
    program: tuple[str, ...],
    numbers: _Draw,
    result: Result,
) -> Step:
    friend = any("{pal" in text for text in bodies)
    return Step(name, frozenset(of.split()), bodies, asks, program, numbers, result, friend)


_END = Result("end", "")

_STOCK = (
    _step(
        "give_half",
        "stock",
        ("{who} then gave half of {phrase} to {pal}.", "After that, {who} gave {pal} half of {phrase}."),
        ("How many {items} did {who} keep?", "How many {items} did {who} still have?"),
        ("{items_id}_kept = {prev} / 2",),
        _nothing_if_even,
        Result("stock", "the {items} {who_he} kept", "{who}"),
    ),
    _step(
        "share_out",
        "stock",
        (
            "{who} then shared {phrase} equally among {k} neighbors.",
            "Then {k} neighbors came, and {who} shared {phrase} equally among them.",
        ),
        ("How many {items} did each neighbor get?", "How many {items} were in each neighbor's share?"),
        ("neighbors = {k}", "share = {prev} / neighbors"),
        _divisor("k"),
        Result("share", ""),
    ),
    _step(
        "sell_all",
        "stock",
        ("{who} then sold {phrase} for {c:$} each.", "In the end, {who} sold {phrase} at {c:$} apiece."),
        ("How much money did {who} get for them?", "How many dollars did {who} get for them?"),
        ("money = {prev} * {c}",),
        _between("c", 2, 9),
        Result("money", "the money {who_he} got", "{who}"),
    ),
    _step(
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
        _between("n", 2, 5),
        Result("stock", "all their {items}", "{who} and {pal}"),
    ),
    _step(
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
    _step(
        "find_more",
        "stock",
        ("Later {who} found {m} more {items}.", "The next day {who} got {m} more {items} as a gift."),
        ("How many {items} did {who} have then?", "How many {items} did {who} have by then?"),
        ("{items_id}_now = {prev} + {m}",),
        _between("m", 3, 40),
        Result("stock", "the {items} {who_he} had by then", "{who}"),
    ),
)

_SHARE = (
    _step(
        "had_before",
        "share",
        (
            "One of them was {pal}, who already had {m} {items} before.",
            "{pal} was one of them and had {m} {items} from the day before.",
        ),
        ("How many {items} did {pal} have then?", "How many {items} did that make for {pal}?"),
        ("{pal_id} = {prev} + {m}",),
        _between("m", 2, 20),
        Result("stock", "the {items} {pal_he} had then", "{pal}"),
    ),
    _step(
        "gave_some_on",
        "share",
        (
            "{pal} was one of them and passed {m} of {pal_his} {items} on to a friend.",
            "One of them, {pal}, lost {m} of {pal_his} {items} on the way home.",
        ),
        ("How many {items} did {pal} have left?", "How many {items} did {pal} have at home?"),
        ("{pal_id} = {prev} - {m}",),
        _part("m"),
        Result("stock", "the {items} {pal_he} still had", "{pal}"),
    ),
    _step(
        "two_shares",
        "share",
        ("Two of them put their shares into one jar.", "Later, two of them laid their shares together in a jar."),
        ("How many {items} were in the jar?", "How many {items} did the jar hold?"),
        ("jar = 2 * {prev}",),
        lambda rng, value: {} if value > 0 else None,
        Result("stock", "the {items} in the jar", "they"),
    ),
)

_GAP = (
    _step(
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
        _divisor("d"),
        _END,
    ),
    _step(
        "buy_the_gap",
        "gap",
        (
            "{friend} then bought just enough {items} at {c:$} each to have as many as {name}.",
            "To have as many as {name}, {friend} bought the missing {items} for {c:$} each.",
        ),
        ("How much did {friend} pay?", "How many dollars did {friend} spend?"),
        ("spent = {prev} * {c}",),
        _between("c", 2, 6),
        Result("bill", "the price {friend_he} paid", "{friend}"),
    ),
    _step(
        "even_out",
        "gap",
        (
            "Then {name} gave {friend} just so many {items} that both had the same number.",
            "{name} passed some of the {items} to {friend} until both had equally many.",
        ),
        ("How many {items} did {name} give to {friend}?", "How many {items} changed hands?"),
        ("given = {prev} / 2",),
        _nothing_if_even,
        _END,
    ),
)

_COST = (
    _step(
        "pay_with_note",
        "cost bill",
        ("{who} paid with {m:$}.", "{who} handed over {m:$} to pay for this."),
        ("How much change did {who} get back?", "How many dollars of change did {who} get?"),
        ("change = {m} - {prev}",),
        _note,
        Result("money", "the change", "{who}"),
    ),
    _step(
        "split_the_cost",
        "cost bill",
        (
            "{who} and {n} friends split {phrase} equally.",
            "{n} friends joined {who}, and all of them paid equal parts of {phrase}.",
        ),
        ("How much did each of them pay?", "How many dollars did each person pay?"),
        ("people = 1 + {n}", "each_paid = {prev} / people"),
        _friends_to_split,
        _END,
    ),
    _step(
        "delivery",
        "cost bill",
        ("Delivery cost another {f:$}.", "{who} had it delivered, which cost {f:$} on top."),
        ("How much did {who} pay in all?", "How many dollars did {who} pay with delivery?"),
        ("with_delivery = {prev} + {f}",),
        _between("f", 3, 15),
        Result("bill", "the full amount", "{who}"),
    ),
    _step(
        "friends_buy_too",
        "cost",
        (
            "{who} told {k} friends about it, and each of them bought the same for the same price.",
            "{k} friends liked this and bought just the same, each at the same price as {who}.",
        ),
        ("How much did these {k} friends pay together?", "How many dollars did the {k} friends spend in all?"),
        ("friends_paid = {prev} * {k}",),
        _between("k", 2, 8),
        _END,
    ),
)

_MONEY = (
    _step(
        "spend_some",
        "money",
        (
            "{who} then spent {s:$} of {phrase} on a bus ticket and a snack.",
            "Of {phrase}, {who} used {s:$} to pay back a loan.",
        ),
        ("How much money did {who} have after that?", "How many dollars remained?"),
        ("money_after = {prev} - {s}",),
        _part("s"),
        Result("money", "the money {who_he} still had", "{who}"),
    ),
    _step(
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
    _step(
        "half_on_gift",
        "money",
        ("Half of {phrase} went into a gift for {pal}.", "{who} spent half of {phrase} on a gift for {pal}."),
        ("How much did the gift cost?", "How many dollars did the gift cost?"),
        ("gift = {prev} / 2",),
        _nothing_if_even,
        _END,
    ),
)

_OTHER = (
    _step(
        "same_trip_again",
        "distance",
        ("{name} made the same trip on {k} days.", "On each of {k} days, {name} did exactly this."),
        ("How many kilometers was that in all?", "How many kilometers did {name} cover on these {k} days?"),
        ("all_trips = {prev} * {k}",),
        _between("k", 2, 6),
        Result("distance", "the length of all these trips"),
    ),
    _step(
        "still_to_go",
        "distance",
        ("{name} wanted to cover {g} kilometers in all.", "The goal that {name} had set was {g} kilometers."),
        ("How many kilometers were still to go?", "How many kilometers were missing from the goal?"),
        ("to_go = {g} - {prev}",),
        _beyond("g", 80),
        Result("distance", "the distance that was still to go"),
    ),
    _step(
        "times_as_far",
        "distance",
        ("{pal} had to travel {n} times {phrase}.", "For {pal}, it was {n} times {phrase}."),
        ("How many kilometers was that for {pal}?", "What distance did {pal} have to cover, in kilometers?"),
        ("{pal_id} = {prev} * {n}",),
        _between("n", 2, 4),
        _END,
    ),
    _step(
        "finish_in_days",
        "pages",
        (
            "{name} read the rest in {k} days, the same number of pages each day.",
            "Then {name} finished the book in {k} days and read equally much on each of them.",
        ),
        ("How many pages a day was that?", "How many pages did {name} read on each of those {k} days?"),
        ("pages_per_day = {prev} / {k}",),
        _divisor("k", 2, 6),
        _END,
    ),
    _step(
        "minutes_per_page",
        "pages",
        (
            "{name} needed {m} minutes for each page that was left.",
            "Each of the remaining pages took {name} {m} minutes.",
        ),
        ("How many minutes did {name} need for them?", "How many minutes did the rest of the book take?"),
        ("minutes = {prev} * {m}",),
        _between("m", 2, 4),
        Result("time", "the reading"),
    ),
    _step(
        "read_more",
        "pages",
        ("On the weekend {name} read another {r} pages.", "Then {name} read {r} more pages in one evening."),
        ("How many pages were left after that?", "How many pages did {name} have to read after that?"),
        ("still_left = {prev} - {r}",),
        _part("r"),
        Result("pages", "the rest of the book"),
    ),
    _step(
        "already_at_home",
        "needed",
        ("There were {h} {items} in {name}'s kitchen already.", "{name} had {h} {items} at home."),
        ("How many {items} did {name} have to buy?", "How many more {items} did {name} have to get?"),
        ("to_buy = {prev} - {h}",),
        _part("h"),
        Result("needed", "the {items} {he} had to buy"),
    ),
    _step(
        "buy_needed",
        "needed",
        ("{name} bought {phrase} at {c:$} each.", "One {item} cost {c:$}, and {name} bought {phrase}."),
        ("How much did {name} pay for the {items}?", "How many dollars did {name} spend on the {items}?"),
        ("spent = {prev} * {c}",),
        _between("c", 2, 4),
        Result("bill", "the price of the {items}"),
    ),
    _step(
        "above_average",
        "rate",
        (
            "On Thursday {name} sold {m} more {items} than {phrase}.",
            "On Thursday, sales were {m} {items} higher than {phrase}.",
        ),
        ("How many {items} did {name} sell on Thursday?", "How many {items} were sold on Thursday?"),
        ("thursday = {prev} + {m}",),
        _between("m", 2, 20),
        Result("sold", "the {items} sold on Thursday"),
    ),
    _step(
        "same_on_days",
        "rate",
        (
            "On each of the next {k} days, {name} sold as many {items} as {phrase}.",
            "For {k} more days, {name} sold just {phrase} every day.",
        ),
        ("How many {items} did {name} sell on those {k} days?", "How many {items} were sold on those {k} days?"),
        ("next_days = {prev} * {k}",),
        _between("k", 2, 6),
        Result("sold", "the {items} sold on those days"),
    ),
    _step(
        "price_of_sold",
        "sold",
        ("Each {item} was sold for {c:$}.", "The price was {c:$} for each of {phrase}."),
        ("How much money did {name} get for {phrase}?", "How many dollars did {phrase} bring in?"),
        ("money = {prev} * {c}",),
        _between("c", 2, 6),
        Result("money", "the money {he} got"),
    ),
    _step(
        "same_for_weeks",
        "time",
        (
            "{name} did the same again in each of {k} more weeks.",
            "This went on for {k} more weeks, with the same time each week.",
        ),
        ("How many minutes was that in all the weeks together?", "How many minutes did {name} spend on it in all?"),
        ("weeks = 1 + {k}", "all_minutes = {prev} * weeks"),
        _between("k", 2, 5),
        Result("time", "all that time"),
    ),
    _step(
        "short_of_plan",
        "time",
        ("{name} had planned to spend {g} minutes on it.", "The plan had been to spend {g} minutes on it."),
        ("By how many minutes did {name} miss the plan?", "How many minutes were missing from the plan?"),
        ("missing = {g} - {prev}",),
        _beyond("g", 60),
        Result("time", "the missing time"),
    ),
)

STEPS: dict[str, Step] = {step.name: step for step in (*_STOCK, *_SHARE, *_GAP, *_COST, *_MONEY, *_OTHER)}
