"""Gold answers: what is a number, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.data import parse_gold


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("9.0", 9),
        ("-3", -3),
        ("+3", 3),
        ("2.75", 2.75),
        (".5", 0.5),
        ("7.", 7),
        (" 8 ", 8),
        ("1,200", 1200),
        ("1,234,567.25", 1234567.25),
        ("$1,200.50", 1200.5),
        ("-$4", -4),
        ("$-4", -4),
        ("15%", 15),
        ("15 %", 15),
        ("9 (apples)", 9),
        ("9(apples)", 9),
        ("9 (sq. ft)", 9),
        ("12 apples", 12),
        ("12 km/hour", 12),
        ("5 m²", 5),
        ("5 m/s", 5),
        ("12 千克", 12),
        ("5 L", 5),
        ("5 T-shirts", 5),
        ("5 x-rays", 5),
        ("5 (quarters)", 5),
        ("1{,}000", 1000),
        (r"1\,000 pens", 1000),
        ("1\u202f000", 1000),
        ("1e3", 1000),
        ("123456789012345678901", 123456789012345678901),
    ],
)
def test_numbers_with_units_and_signs(text: str, number: float) -> None:
    parsed = parse_gold(text)
    assert parsed == number
    assert type(parsed) is type(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yes", "nan", "inf", "-Infinity", "1e999", "9" * 5000, "9" * 350),
        *("3:4", "3 : 4", "1/2", "5 / 2", "-(1/3)", "7:15 p.m.", "6th", "2nd", "May 3"),
        *("8; 40", "5 (years); 7 (years)", "3, 4", "3 4", "1,2", "1,20", "4 or 5", "3 and a half"),
        *("5 k", "5k", "2 lakh", "3 crores", "3 bn", "5 m", "$5 m", "2 thirds", "5 millions", "5 \u4e07", "3 dozens"),
        *("5 हज़ार", "5 ล้าน", "5 พัน", "5 만", "5 억", "5 миллионов", "5 тысячи", "5 milioni", "5 mila", "5 elfu"),
        *(
            "5 হাজার",
            "5 score",
            "5 gross",
            "5 E",
            "5 k€",
            "5 mil",
            "5 K",
            "5 halves",
            "5 (million dollars)",
            "5 euros y medio",
        ),
        *("2 pi", "42 x", "2 sin x", "5 squared", "0,500", "007,500", "0{,}500", "5!"),
        *("1'000", "1 000", "1.000.000", "1,00,000"),
        *("5 million", "2 Dozen", "1_000", "٣", "--3", "12 apples (3 red)", "9 ((apples))"),
    ],
)
def test_anything_else_is_not_numeric(text: str) -> None:
    assert parse_gold(text) is None


@pytest.mark.parametrize("value", [True, None, [3], {"n": 3}, float("nan"), float("inf"), 10**400])
def test_values_that_are_not_finite_numbers(value: object) -> None:
    assert parse_gold(value) is None


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{:,}", "${:,}", "{} (cups)", "{:,} cups", "{}.00", "{}%"])
)
def test_a_whole_number_in_any_form_is_that_int(number: int, dress: str) -> None:
    parsed = parse_gold(dress.format(number))
    assert parsed == number
    assert isinstance(parsed, int)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_as_the_float(number: float) -> None:
    assert parse_gold(repr(number)) == parse_gold(number) == number


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    parse_gold(text)
