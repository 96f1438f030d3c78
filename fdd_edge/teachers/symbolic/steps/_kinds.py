"""Classifies an amount by its noun and its phrase, to choose the steps that can follow it."""

from __future__ import annotations

import re

__all__ = ["LENGTHS", "MEASURES", "PEOPLE", "TIMES", "amount_forms", "kinds_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TIMES = _words("seconds minutes hours days weeks months years")
LENGTHS = _words("miles kilometers meters centimeters millimeters feet yards inches km")
_WEIGHTS = _words("pounds ounces grams kilograms milligrams tons kg kilos")
_VOLUMES = _words("gallons liters milliliters quarts pints cups tablespoons teaspoons")
MEASURES = LENGTHS | _WEIGHTS | _VOLUMES
PEOPLE = _words(
    "people children students kids boys girls men women adults friends guests passengers workers employees players "
    "visitors customers members classmates neighbors teachers singers dancers runners soldiers sailors fans ladies "
    "campers voters attendees males females persons individuals siblings cousins relatives graders schoolers"
)
_PACKED = _words(
    "apples oranges bananas pears peaches plums lemons limes berries strawberries cherries grapes mangoes kiwis "
    "melons pineapples coconuts tomatoes potatoes carrots onions peppers cucumbers pumpkins mushrooms vegetables "
    "fruits nuts walnuts almonds peanuts acorns seeds beans eggs cookies cupcakes cakes pies muffins brownies "
    "donuts doughnuts biscuits pastries pancakes waffles rolls loaves sandwiches pizzas burgers hotdogs tacos "
    "candies sweets chocolates lollipops jellybeans cheesecakes snacks treats crackers chips marbles stickers "
    "stamps cards coins pens pencils crayons markers erasers rulers notebooks books magazines newspapers comics "
    "envelopes letters postcards flyers pamphlets photos pictures papers toys dolls balls blocks cars trucks "
    "puzzles balloons ribbons bows beads buttons gems gemstones jewels rings necklaces bracelets earrings shells "
    "seashells rocks stones pebbles feathers flowers roses tulips lilies daisies candles mugs cups plates bowls "
    "forks spoons bottles cans jars boxes bags packs packets baskets shirts t-shirts socks hats caps scarves "
    "gloves mittens shoes dresses skirts towels blankets pillows diaries albums cds dvds games tickets badges "
    "bones bulbs bars slices pieces sheets bricks tiles screws nails batteries staplers thumbtacks magnets "
    "rhinestones crystals jellies gingerbreads items kites brushes calendars cushions folders rugs pads baubles "
    "ornaments trays tins pots cones figs pretzels caps clips wares goods holders"
)
_TASKS = _words(
    "pages questions problems exercises puzzles games songs movies episodes chapters emails messages letters essays "
    "reports trips laps lessons loads tests quizzes pull-ups push-ups sit-ups tasks chores calls meals drawings "
    "paintings"
)
# These are not collections of things that something could be taken from.
_BARE = _words(
    "points degrees legs wheels sides calories levels votes cents goals percent steps rotations turns runs inches "
    "eyes arms fingers ears wins losses times feet tires wings dollars spots stripes servings contacts"
)
_PAID = re.compile(r"\b(?:pa(?:y|ys|id|yments?)|spen[dt]s?|costs?|prices?|bill|fees?|owe[sd]?|charge[sd]?|rent)\b")
_GAINED = re.compile(
    r"\b(?:earn(?:s|ed)?|makes?|made|profit|income|salary|save[sd]?|savings|receive[sd]?|gets?|got|gain(?:s|ed)?|"
    r"raise[sd]?|collect(?:s|ed)?|takes? in|took in|left|has|have|had|bring(?:s|ing)? in|brought in|remains?|"
    r"revenue|earnings|allowance|change|share|money)\b"
)
# Things that were eaten or lost cannot be packed.
_GONE = re.compile(
    r"\b(?:eats?|ate|eaten|drinks?|drank|drunk|uses?|used|los[et]s?|destroy\w*|br[eo]ken?|die[sd]?|dead|thr[eo]w\w*|burn\w*|"
    r"consume[sd]?|donate[sd]?|give|gives|gave|given|flew|away|absent|uneaten|wasted|removed?|over)\b"
)
_NOT_YET = re.compile(
    r"\b(?:miss\w*|needs?|needed|short|can|could|will|would|should|required|extra|wants?|wanted|hopes?|hoped|plans?|"
    r"planned|expects?|expected|ha(?:s|ve|d) to|for [A-Z]\w+ to)\b"
)
_WITHOUT_TOOLS = re.compile(
    r"\b(?:book|novel|read|watch|learn|stud(?:y|i)|homework|walk|run|hike|swim|drive|travel|fly|sav(?:e|ing))"
)
_PERIOD = re.compile(r"\b(?:day|week|month|year|hour)s?\b")
_SOLD = re.compile(r"\b(?:sold|sells?)\b")
_COUNTED = re.compile(r"the (?:total |whole |combined )?number of (?P<things>.+)")
_TRAILING = re.compile(r" (?:then|now|in the end|in total|in all|altogether|total|currently)$")
_ONE = {"feet": "foot", "inches": "inch", "people": "person", "children": "child", "men": "man", "women": "woman"}


def kinds_of(kind: str, phrase: str, noun: str) -> tuple[str, ...]:
    """Return the kinds of step that can follow a result, the best fit first and ``number`` last.

    Args:
        kind: The kind of the result; only a ``number`` is classified further.
        phrase: The noun phrase for it, which may contain slots.
        noun: What it counts.
    """
    if kind != "number":
        return (kind,)
    return (*_kinds_of_noun(phrase, noun), kind)


def _kinds_of_noun(phrase: str, noun: str) -> tuple[str, ...]:
    head, counted = head_of(noun), _COUNTED.match(phrase) is not None
    if phrase.startswith("this "):
        return ()
    if noun == "dollars":
        return _kinds_of_money(phrase)
    gone, not_yet = _GONE.search(phrase) is not None, _NOT_YET.search(phrase) is not None
    if head in TIMES:
        return (f"some {head}", "a time", *_kinds_of_time(phrase, head))
    if head in MEASURES:
        size = "length" if head in LENGTHS else "weight" if head in _WEIGHTS else "volume"
        stored = () if gone or not_yet or _SOLD.search(phrase) else ("a stored measure", f"a stored {size}")
        return (f"some {head}", *stored, *(("a distance",) if phrase.startswith("the distance") else ()))
    if head in _BARE or "average" in phrase or not counted:
        return ()
    if head in PEOPLE:
        return ("some people",)
    if _SOLD.search(phrase):
        return ("sold things",)
    if head in _TASKS:
        return () if gone or _PERIOD.search(phrase) else ("some tasks",)
    if gone or not_yet:
        return ()
    return (
        ("packed things", "counted things", "shown things") if head in _PACKED else ("counted things", "shown things")
    )


def _kinds_of_time(phrase: str, head: str) -> tuple[str, ...]:
    if not re.search(r"\b(?:takes?|took|needs?|needed|finish|complete|job)\b", phrase):
        return ()
    is_rented = head in ("hours", "days", "weeks") and not _WITHOUT_TOOLS.search(phrase)
    return ("a working time", "a rented time") if is_rented else ("a working time",)


def _kinds_of_money(phrase: str) -> tuple[str, ...]:
    if re.search(r"\b(?:lost|loses?|stolen|stole)\b", phrase):
        return ()
    paid, gained = _PAID.search(phrase), _GAINED.search(phrase)
    if re.search(r"\b(?:each|per|every|one)\b|\ba (?:kilogram|liter|pound|piece)\b", phrase):
        return ("a unit price",) if paid and not phrase.startswith("what each") else ()
    return ("a payment",) if paid else ("an income",) if gained else ()


def head_of(noun: str) -> str:
    """Return the head of a noun phrase: "pieces" of "pieces of chalk", "hens" of "brown hens"."""
    return noun.partition(" of ")[0].rpartition(" ")[2].strip("{}").lower()


def amount_forms(phrase: str, noun: str) -> dict[str, str]:
    """Return a step's slots for the previous amount: "the eggs" for "the number of eggs", "egg" for "eggs"."""
    counted = _COUNTED.fullmatch(phrase)
    those = phrase
    if counted:
        things = _TRAILING.sub("", counted["things"])
        all_these = re.match(r"all (these|those|the|his|her|their) ", things)
        those = things.removeprefix("all ") if all_these else things
        those = those if re.match(r"(?:these|those|the|his|her|their) ", those) else f"the {those.removeprefix('all ')}"
    elif phrase.startswith("the amount of money "):
        those = "the money " + phrase.removeprefix("the amount of money ")
    unit, of, stuff = noun.partition(" of ")
    before, space, last = unit.rpartition(" ")
    one = before + space + _ONE.get(last, last.removesuffix("s")) + of + stuff
    return {
        "phrase": phrase,
        "noun": noun,
        "those": those,
        "one": one,
        "some": f"of {those}" if counted else f"{noun} of {phrase}",
        "of_noun": "" if counted else f" {noun}",
    }
