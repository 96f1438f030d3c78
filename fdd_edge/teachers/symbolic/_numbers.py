"""Draws the numbers of a situation from ranges and conditions, until every result of the program is sane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from fdd_edge.ondevice.language import ProgramError, run_program
from fdd_edge.teachers.symbolic._situation import Number

__all__ = ["draw_numbers", "tidy"]

_ATTEMPTS = 400
_RANGE = re.compile(r"(?P<low>.+?)\.\.(?P<high>.+?)(?: by (?P<step>\S+))?$")


def draw_numbers(
    rules: Mapping[str, str],
    program: Sequence[str],
    rng: Random,
    *,
    where: str = "",
    decimals: int = 0,
    known: Mapping[str, Number] | None = None,
) -> dict[str, Number] | None:
    """Draw numbers for which every line of a program has a sane result; None if none were found.

    A rule is ``3..90`` or ``3..a-2`` (inclusive), ``20..200 by 20``, ``20 | 50 | 100`` or an expression such as
    ``b * k``; it may refer to numbers drawn before it. Expressions are in the program language.

    Args:
        rules: A rule per number, in order.
        program: Assignments that refer to the numbers by name.
        rng: Source of randomness.
        where: A condition that must hold, or an empty string.
        decimals: Results must be positive and have at most this many decimals.
        known: Given numbers. ``prev`` is the result of an earlier step; it also defines ``unit``, the largest of 1, 2,
            5, 10, 20 ... that is at most a fortieth of it, and ``most``, a plausible upper bound for a number added to
            it.
    """
    given = dict(known or {})
    if "prev" in given:
        given["unit"] = unit = _unit(given["prev"])
        given["most"] = max(6, min(25 * unit, round(1.5 * given["prev"])))
    check = _checks(rules, program, where, decimals)
    for _ in range(_ATTEMPTS):
        numbers = dict(given)
        try:
            for slot, rule in rules.items():
                numbers[slot] = _draw(rule, numbers, rng)
            if _evaluate(check, numbers):
                return {slot: numbers[slot] for slot in rules}
        except (ProgramError, ValueError):
            # An empty range or a division by zero; other numbers may work.
            continue
    return None


def _checks(rules: Mapping[str, str], program: Sequence[str], where: str, decimals: int) -> str:
    """Return a program whose answer is 1 if the drawn numbers make sense, otherwise 0."""
    results = [line.partition("=")[0].strip() for line in program]
    unit = 10**decimals
    # The comparison is exact, so that no program contains 55.00000000000001.
    sane = [f"{name} > 0 and {name} * {unit} == round({name} * {unit})" for name in results]
    # Only ranges that start at 0 or 1 allow numbers below 2, such as remainders; texts do not count things with them.
    sane += [f"{slot} >= 2" for slot, rule in rules.items() if not rule.startswith(("0..", "1.."))]
    conditions = " and ".join([*sane, f"({where})"] if where else sane)
    return "\n".join([*program, f"answer = 1 if {conditions} else 0"])


def _draw(rule: str, numbers: Mapping[str, Number], rng: Random) -> Number:
    if " | " in rule:
        return tidy(_evaluate(f"answer = {rng.choice(rule.split(' | '))}", numbers))
    bounds = _RANGE.fullmatch(rule)
    if bounds is None:
        return tidy(_evaluate(f"answer = {rule}", numbers))
    low, high, step = (_evaluate(f"answer = {bounds[name] or 1}", numbers) for name in ("low", "high", "step"))
    count = int((high - low) / step + 1e-9)
    return tidy(low + step * rng.randint(0, count))


def _evaluate(program: str, numbers: Mapping[str, Number]) -> Number:
    if program.removeprefix("answer = ").replace(".", "", 1).isdigit():
        return float(program.removeprefix("answer = "))
    return run_program(program, numbers)


def _unit(value: Number) -> int:
    units = [int(f"{digit}{'0' * zeros}") for zeros in range(12) for digit in (1, 2, 5)]
    return max((unit for unit in units if unit <= value / 40), default=1)


def tidy(value: Number) -> Number:
    """Return a number as problems and programs show it: 21 for 21.0, and with at most six decimals."""
    rounded = round(value, 6)
    return int(rounded) if float(rounded).is_integer() else rounded
