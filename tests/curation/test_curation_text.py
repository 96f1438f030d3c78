"""Numbers masked and questions reduced to their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.curation import mask_numbers
from fdd_edge.curation._text import read_wording


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("Kim paid $1,200.50 for 3 bikes.", "Kim paid $<n> for <n> bikes."),
        ("Add .5 to 3/4 and 2 1/2.", "Add <n> to <n> and <n>."),
        ("½ cup, 2½ cups, 15% off", "<n> cup, <n> cups, <n>% off"),
        ("Three hens, twenty-one eggs, ninety nine days", "<n> hens, <n> eggs, <n> days"),
        ("two hundred and five and six", "<n> and <n>"),
        ("two  hundred\tand  five", "<n>"),
        ("a hundred, 5 thousand, 2.5 million", "<n>, <n>, <n>"),
        ("An 8-hour day, a 5-hour day, an hour", "A <n>-hour day, a <n>-hour day, an hour"),
        ("on the 3rd of May at 7:30", "on the <n> of May at <n>:<n>"),
        ("٣ figs and ４ figs", "<n> figs and <n> figs"),
        ("someone wrote often; the first half, twice a dozen", "someone wrote often; the first half, twice a dozen"),
    ],
)
def test_masked_numbers(question: str, masked: str) -> None:
    assert mask_numbers(question) == masked


@given(st.text())
def test_masking_leaves_no_digit_and_nothing_to_mask(question: str) -> None:
    masked = mask_numbers(question)
    assert not any(character.isdecimal() for character in masked)
    assert mask_numbers(masked) == masked


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_other_numbers_mask_alike(one: int, other: int) -> None:
    assert mask_numbers(f"Lee has {one:,} pins.") == mask_numbers(f"Lee has {other} pins.")


def test_wording_drops_case_space_and_punctuation_but_no_digits() -> None:
    wording = read_wording("  Lee’s 1,200 pins –  AND 2.5 more?! ")
    assert wording.words == ["lees", "1200", "pins", "and", "2.5", "more"]
    assert wording.exact == "lees 1200 pins and 2.5 more"
    assert wording.masked == "lees <n> pins and <n> more"
    assert list(wording.grams(5)) == ["lees 1200 pins and 2.5", "1200 pins and 2.5 more"]
    assert list(wording.grams(7)) == []
