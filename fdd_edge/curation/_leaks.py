"""What of one set of problems is in another: training problems in a reported set, and the same problem in two sets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from fdd_edge.curation._plain import plain_text
from fdd_edge.curation._seen import FEWEST_LETTERS, Protected
from fdd_edge.curation._text import Wording, read_numbers, read_wording
from fdd_edge.records import Problem

__all__ = ["find_copies", "find_leaks"]


def find_leaks(problems: Sequence[Problem], protected: Mapping[str, Sequence[Problem]]) -> dict[str, str]:
    """Return which problems may not be trained on, because they tell the story of one in a test set.

    Args:
        problems: Problems of any source.
        protected: The test sets by name.

    Returns:
        ``set:id`` of the test problem, by the id of the problem.
    """
    tests, found = Protected(protected), {}
    for problem in problems:
        wording = read_wording(problem.question)
        if against := tests.find_any(wording):
            found[problem.id] = against
    return found


def find_copies(problems: Sequence[Problem], others: Mapping[str, Sequence[Problem]]) -> dict[str, str]:
    """Return which problems are in other sets too: the same story with the same numbers and the same answer.

    Problems of one kind, with other numbers, are not copies: two sets of one source are full of them.

    Args:
        problems: Problems of any source.
        others: The other sets by name.

    Returns:
        ``set:id`` of the other problem, by the id of the problem.
    """
    groups: dict[float, dict[_Numbers, dict[str, list[Problem]]]] = defaultdict(dict)
    spelled: dict[tuple[float, str, str], str] = {}
    for name, members in others.items():
        for other in members:
            if (key := _spelling(other, read_wording(other.question))) is not None:
                spelled.setdefault(key, f"{name}:{other.id}")
            same = groups[float(other.answer)].setdefault(_numbers(other), defaultdict(list))
            same[name].append(other)
    sets: dict[tuple[float, _Numbers], Protected] = {}
    found = {}
    for problem in problems:
        answer, wording = float(problem.answer), read_wording(problem.question)
        if (key := _spelling(problem, wording)) in spelled:
            found[problem.id] = spelled[key]
            continue
        held = Counter(_numbers(problem))
        # Boilerplate around a copy may add numbers.
        for numbers in (numbers for numbers in groups.get(answer, ()) if Counter(numbers) <= held):
            same_figures = sets.setdefault((answer, numbers), Protected(groups[answer][numbers]))
            if against := same_figures.find_any(wording):
                found[problem.id] = against
                break
    return found


def _spelling(problem: Problem, wording: Wording) -> tuple[float, str, str] | None:
    """Return the answer, the letters and the digits of a problem, which spaces between them do not change.

    None if the letters are so few that those of another problem may be the same by chance.
    """
    if len(wording.letters) < FEWEST_LETTERS:
        return None
    digits = "".join(character for character in plain_text(problem.question) if character.isdigit())
    return float(problem.answer), wording.letters, digits


_Numbers = tuple[float, ...]


def _numbers(problem: Problem) -> _Numbers:
    """Return the numbers of a question, sorted, because its sentences may be in another order."""
    return tuple(sorted(quantity.value for quantity in read_numbers(plain_text(problem.question))))
