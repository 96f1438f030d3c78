"""How numbers are read from free-form replies: the right value, or none, but never another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.data import parse_gold
from fdd_edge.ondevice.language import last_number, marked_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("答案是3千克。", 3),
        ("走了5千米", 5),
        ("12千瓦", 12),
        ("5千", 5000),
        ("3千人", 3000),
        ("3万5千円", 35_000),
        ("3万5", None),
        ("1億2000万", 120_000_000),
        ("3点半", None),
        ("3割", None),
        ("5 हज़ार", 5000),
        ("৫ হাজার", 5000),
        ("৫ শতাংশ", 5),
        ("5 లక్షల రూపాయలు", 500_000),
        ("5 ล้านบาท", 5_000_000),
        ("5 พันธุ์", 5),
        ("5만", 50_000),
        ("5 억", 500_000_000),
        ("5 тысячи", 5000),
        ("5 миллионов рублей", 5_000_000),
        ("5 mila euro", 5000),
        ("5 milioni", 5_000_000),
        ("5 elfu", 5000),
        ("elfu 5", None),
        ("5 mil", None),
        ("2,5 Millionen", None),
        ("साढ़े 3", None),
    ],
)
def test_scales_of_other_languages(text: str, number: int | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 dozen", 60),
        ("5 thousands", 5000),
        ("$5 grand", 5000),
        ("5 score", None),
        ("5 gross", None),
        ("5 million 200 thousand", 5_200_000),
        ("5 crore 20 lakh", 52_000_000),
        ("5 thousand and 20", 5020),
        ("2 hundred fifty", 250),
        ("2 hundred fifty-three", 253),
        ("5 hundred ten-dollar bills", 500),
        ("5 million 3 years ago", 3),
        ("5M", 5_000_000),
        ("5B", 5_000_000_000),
        ("$5T", 5_000_000_000_000),
        ("5 k€", 5000),
        ("5 kEUR", None),
        ("5 E", None),
        ("3 cr", None),
        ("Rs 3 cr", 30_000_000),
        ("300 K", None),
        ("a temperature of 300K", None),
        ("The rope is 5 M long", None),
        ("5M of rope", None),
        ("5 T-shirts", 5),
        ("5 K-pop albums", 5),
        ("3 halves", 1.5),
        ("1 third of it", 1 / 3),
        ("1 third grader", None),
        ("5 and three quarters", 5.75),
        ("3 hours and a half", 3.5),
        ("5 \u00bd cups", 5.5),
        ("3/4 million", 750_000),
        ("0." + "9" * 6000 + " k", 1000.0),
    ],
)
def test_scales_letters_and_parts(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The area is 9 cm^2.", 9),
        ("27 cm^3", 27),
        ("9 m/s^2", 9),
        ("9 square meters (m2)", 9),
        ("9 liters of H2O", 9),
        ("H2O", None),
        ("I have 9 apples [1]", 9),
        ("I have 9 apples [1][2]", 9),
        ("two hundred and 5", None),
        ("The answer is [12]", 12),
        ("1/3 of it", 1 / 3),
        ("1 1/2 hours", 1.5),
        ("1-1/2 cups", None),
        ("10^3", 1000),
        ("5\u00b2", 25),
        ("2^x", None),
        ("101_2", None),
        ("1_000", 1000),
        ("3 \u221a2", None),
        ("2\u03c0", None),
        ("2x", None),
        ("12:30", None),
        ("a ratio of 3:2", None),
        ("on 2024-05-07", None),
        ("version 1.2.3", None),
        ("0x10", None),
        ("0.(3)", None),
        ("5 feet 3 inches", None),
        ("5 hours and 30 minutes", None),
        ("5'3\"", None),
        ("twice 5", None),
        ("5 squared", None),
        ("the 5th", 5),
    ],
)
def test_exponents_formulas_times_and_names(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The change is \u20135.", -5),
        ("x = \u20135", -5),
        ("pages 3\u20135", 5),
        ("Total \u2013 5", 5),
        ("It is \u2013 7", 7),
        ("x = \u2013 5", -5),
        ("She has 12 345 pens", 12_345),
        ("12 345,50 \u20ac", 12_345.5),
        ("2 500 ml bottles", 500),
        ("12~345", 12_345),
        ("0,500", None),
        ("007,500", None),
        ("0,5", None),
        ("12,50 Euro", 12.5),
        ("1.234 Euro", None),
        ("\u0661\u060c\u0662\u0663\u0664", 1234),
    ],
)
def test_dashes_and_separators(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Answer: Ana has 3 red and 4 blue pens, so she has 7 pens in all.", 7),
        ("Answer: Ana has 3 red pens. She has 4 blue pens. In all she has 7 pens.", 7),
        ("Answer:\nAna has 3 red pens.\nShe has 4 blue pens.\nSo she has 7 pens.", 7),
        ("Answer: 1. Add 3 and 4.\n2. So 3 + 4 = 7.", 7),
        ("Answer: In 3 days she earns $12.", 12),
        ("The answer is that she makes $60 in 5 days.", 60),
        ("The answer is: Ana had 3 pens, got 2, so she has 5.", 5),
        ("The answer is not 5 but 6.", 6),
        ("The answer is 3 times 4, which is 12.", 12),
        ("The answer is 20% of 50, which is 10.", 10),
        ("The answer is 12 (= 3 x 4).", 12),
        ("The answer is 12, since 24 / 2 = 12 and 1 + 1 = 2.", 12),
        ("Answer: 12 = 3 x 4", 12),
        ("The answer is 2 + 3 = 5, not 6.", 5),
        ("The answer is 12 apples in 3 boxes.", 12),
        ("The answer is approx. 5 of 9", 5),
        ("The answer to question 3 is 12. I used 4 steps", 12),
        ("### Answer\n12\n\nin 3 steps", 12),
        ("The answer is twelve. He has 3 bags", 12),
        ("The answer is 5! It took 3 steps", 5),
        ("#### 12 (3 x 4)\n5", 12),
        ("#### 12 = 3 x 4", 12),
        ("#### 42 apples in 3 days", 42),
        ("#### 12 345", 12_345),
        ("#### 1_000", 1000),
        ("#### \u20135", -5),
        ("#### x = 12", 12),
        ("#### 2 Steps to go\nThere are 9", 9),
        ("Die Antwort ist 12, denn 3 * 4 = 12 und 1 + 1 = 2.", 12),
        ("La respuesta es 8. Son 3 + 5", 8),
        ("La r\u00e9ponse est 8. Il y en a 3", 8),
        ("\u041e\u0442\u0432\u0435\u0442 \u2014 8. 3 + 5", 8),
        ("Jibu ni 8. 3 + 5", 8),
        ("答案是 8。因为 3+5=8，2+2=4", 8),
        ("答えは8です。3個と5個", 8),
        ("কারণ ৩। উত্তর হল ৮।", 8),
    ],
)
def test_the_answer_of_a_phrase_behind_a_mark(text: str, number: float) -> None:
    assert marked_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *(
            "The answer is 10 - 4.",
            "The answer is 10 \u2013 4.",
            "The answer is 5 or 6.",
            "The answer is 5:30 pm.",
            "The answer is 5 hours 30 minutes.",
        ),
        *(
            "The answer is twice 5.",
            "The answer is 20% of 50.",
            "The answer is x = 5, y = 3.",
            "The answer is two thirds of 9",
        ),
        *("The answer is not 5.", "#### 12 or 13\n7", "#### 3:2\n7", "#### two thirds\n7", "Die Antwort ist 1.234."),
        *(
            r"\boxed{2\sqrt{3}} 7",
            r"\boxed{2\pi} 7",
            r"\boxed{3i} 7",
            r"\boxed{3\ i} 7",
            r"\boxed{5x} 7",
            r"\boxed{x > 5} 7",
        ),
        *(
            r"\boxed{3, 4} 7",
            r"\boxed{12 \text{ and } 13} 7",
            r"\boxed{101_2} 7",
            r"\boxed{5!} 7",
            r"\boxed{\binom{5}{2}} 7",
        ),
        *(
            r"\boxed{0.\overline{3}} 7",
            r"\boxed{\frac{\pi}{2}} 7",
            r"\frac{\boxed{3}}{4}",
            r"\boxed{5}\pi",
            r"1,\boxed{200}",
        ),
        *(r"\boxed{8\text{ hours }30\text{ minutes}} 7", r"\boxed{5\pm 2} 7", r"\boxed{\frac{10+2}{4}} 7"),
    ],
)
def test_a_marked_answer_that_cannot_be_told_is_none(text: str) -> None:
    assert marked_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (r"\boxed{\frac34} 7", 0.75),
        (r"\boxed{\frac12} 7", 0.5),
        (r"\boxed{\cfrac{3}{4}} 7", 0.75),
        (r"\boxed{\frac{-3}{4}} 7", -0.75),
        (r"\boxed{3\frac{1}{2}} 7", 3.5),
        (r"\boxed{0{,}5} 7", 0.5),
        (r"\boxed{0{,}500} 7", 0.5),
        (r"\boxed{10^3} 7", 1000),
        (r"\boxed{2^{10}} 7", 1024),
        (r"\boxed{1.5 \times 10^{3}} 7", 1500),
        (r"\boxed{5\text{ million}} 7", 5_000_000),
        (r"\boxed{5 \text{ thousand}} 7", 5000),
        (r"\boxed{5\text{k}} 7", 5000),
        (r"\boxed{12\text{ m}^{2}} 7", 12),
        (r"\boxed{\textbf{(B) }12} 7", 12),
        (r"\boxed{- 12} 7", -12),
        (r"\boxed{–5} 7", -5),
        (r"\boxed{12 345} 7", 12_345),
        (r"\boxed{12~345} 7", 12_345),
        (r"\fbox{9} 2", 9),
        (r"\boxed 9 and 2", 9),
        (r"\$\boxed{5} million dollars", 5_000_000),
        (r"\boxed{5}k", 5000),
        (r"\boxed{5}\text{ thousand}", 5000),
        (r"\boxed{5}\cdot 10^3", 5000),
        (r"$-\boxed{5}$", -5),
        (r"\boxed{3}/4", 0.75),
        (r"\boxed{12} 345 pens", 12),
        (r"10 - \boxed{4} = 6", 4),
    ],
)
def test_boxes_in_latex(text: str, number: float) -> None:
    assert marked_number(text) == pytest.approx(number)


# A reply's number and the gold answer of the same text are equal, or one of them is left out.
_NUMBERS = st.sampled_from(["5", "1,200", "0.5", "0,500", "12", "1"])
_UNITS = st.sampled_from(
    [
        *("k", "K", "M", "B", "T", "E", "m", "t", "mil", "million", "lakh", "cr", "dozen", "score", "gross", "grand"),
        *("thousands", "halves", "third", "quarters", "k€", "kg", "cm", "m/s", "L", "apples", "x", "pi", "i"),
        *("千克", "千", "ล้าน", "만", "тысячи", "миллионов", "milioni", "mila", "elfu", "হাজার", "हज़ार"),
        *("T-shirts", "third graders", "hours", "% of it"),
    ]
)


@given(_NUMBERS, _UNITS)
def test_gold_answers_and_replies_agree(number: str, unit: str) -> None:
    gold, reply = parse_gold(f"{number} {unit}"), marked_number(f"The answer is {number} {unit}")
    assert gold is None or reply is None or gold == reply


@pytest.mark.parametrize(
    "piece", ["1 ", "\n", "1/", "answer: 1 ", r"\boxed{1} ", r"\frac{", "#### 1\n", "a b c =", "½", "5半"]
)
def test_a_hostile_reply_is_read_to_its_end(piece: str) -> None:
    text = (piece * 16_000)[:16_000]
    for prefix in ("", "The answer is ", "Answer:\n", "#### "):
        marked_number(prefix + text)
        last_number(prefix + text)
