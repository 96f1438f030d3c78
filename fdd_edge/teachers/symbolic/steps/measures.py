"""Further steps with distances, pages, needed amounts, averages and times."""

from __future__ import annotations

from fdd_edge.teachers.symbolic._situation import Result
from fdd_edge.teachers.symbolic.steps._draws import END, between, beyond, divisor, make_step, part

__all__ = ["STEPS"]


STEPS = (
    make_step(
        "same_trip_again",
        "distance",
        ("{name} made the same trip on {k} days.", "On each of {k} days, {name} did exactly this."),
        ("How many kilometers was that in all?", "How many kilometers did {name} cover on these {k} days?"),
        ("all_trips = {prev} * {k}",),
        between("k", 2, 6),
        Result("distance", "the length of all these trips"),
    ),
    make_step(
        "still_to_go",
        "distance",
        ("{name} wanted to cover {g} kilometers in all.", "The goal that {name} had set was {g} kilometers."),
        ("How many kilometers were still to go?", "How many kilometers were missing from the goal?"),
        ("to_go = {g} - {prev}",),
        beyond("g", 80),
        Result("distance", "the distance that was still to go"),
    ),
    make_step(
        "times_as_far",
        "distance",
        ("{pal} had to travel {n} times {phrase}.", "For {pal}, it was {n} times {phrase}."),
        ("How many kilometers was that for {pal}?", "What distance did {pal} have to cover, in kilometers?"),
        ("{pal_id} = {prev} * {n}",),
        between("n", 2, 4),
        END,
    ),
    make_step(
        "finish_in_days",
        "pages",
        (
            "{name} read the rest in {k} days, the same number of pages each day.",
            "Then {name} finished the book in {k} days and read equally much on each of them.",
        ),
        ("How many pages a day was that?", "How many pages did {name} read on each of those {k} days?"),
        ("pages_per_day = {prev} / {k}",),
        divisor("k", 2, 6),
        END,
    ),
    make_step(
        "minutes_per_page",
        "pages",
        (
            "{name} needed {m} minutes for each page that was left.",
            "Each of the remaining pages took {name} {m} minutes.",
        ),
        ("How many minutes did {name} need for them?", "How many minutes did the rest of the book take?"),
        ("minutes = {prev} * {m}",),
        between("m", 2, 4),
        Result("time", "the reading"),
    ),
    make_step(
        "read_more",
        "pages",
        ("On the weekend {name} read another {r} pages.", "Then {name} read {r} more pages in one evening."),
        ("How many pages were left after that?", "How many pages did {name} have to read after that?"),
        ("still_left = {prev} - {r}",),
        part("r"),
        Result("pages", "the rest of the book"),
    ),
    make_step(
        "already_at_home",
        "needed",
        ("There were {h} {items} in {name}'s kitchen already.", "{name} had {h} {items} at home."),
        ("How many {items} did {name} have to buy?", "How many more {items} did {name} have to get?"),
        ("to_buy = {prev} - {h}",),
        part("h"),
        Result("needed", "the missing {items}"),
    ),
    make_step(
        "buy_needed",
        "needed",
        ("{name} bought {phrase} at {c:$} each.", "One {item} cost {c:$}, and {name} bought {phrase}."),
        ("How much did {name} pay for the {items}?", "How many dollars did {name} spend on the {items}?"),
        ("spent = {prev} * {c}",),
        between("c", 2, 4),
        Result("bill", "the price of the {items}"),
    ),
    make_step(
        "above_average",
        "rate",
        (
            "On Thursday {name} sold {m} more {items} than {phrase}.",
            "On Thursday, sales were {m} {items} higher than {phrase}.",
        ),
        ("How many {items} did {name} sell on Thursday?", "How many {items} were sold on Thursday?"),
        ("thursday = {prev} + {m}",),
        between("m", 2, 20),
        Result("sold", "the {items} sold on Thursday"),
    ),
    make_step(
        "same_on_days",
        "rate",
        (
            "On each of the next {k} days, {name} sold as many {items} as {phrase}.",
            "Over the next {k} days, the sales of each day were equal to {phrase}.",
        ),
        ("How many {items} did {name} sell on those {k} days?", "How many {items} were sold on those {k} days?"),
        ("next_days = {prev} * {k}",),
        between("k", 2, 6),
        Result("sold", "the {items} sold on those days"),
    ),
    make_step(
        "price_of_sold",
        "sold",
        ("Each {item} was sold for {c:$}.", "The price was {c:$} for each of {phrase}."),
        ("How much money did {name} get for {phrase}?", "How many dollars did {phrase} bring in?"),
        ("money = {prev} * {c}",),
        between("c", 2, 6),
        Result("money", "the money {he} got"),
    ),
    make_step(
        "same_for_weeks",
        "time",
        (
            "{name} did the same again in each of {k} more weeks.",
            "This went on for {k} more weeks, with the same time each week.",
        ),
        ("How many minutes was that in all the weeks together?", "How many minutes did {name} spend on it in all?"),
        ("weeks = 1 + {k}", "all_minutes = {prev} * weeks"),
        between("k", 2, 5),
        Result("time", "all that time"),
    ),
    make_step(
        "short_of_plan",
        "time",
        ("{name} had planned to spend {g} minutes on it.", "The plan had been to spend {g} minutes on it."),
        ("By how many minutes did {name} miss the plan?", "How many minutes were missing from the plan?"),
        ("missing = {g} - {prev}",),
        beyond("g", 60),
        Result("time", "the missing time"),
    ),
)
