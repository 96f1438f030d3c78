"""Words that multiply the number before them, in the languages that replies and data sets are written in."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["COUNTED_SCALES", "MONEY_SCALES", "PARTS", "SCALES"]

SCALES = {
    "k": 10**3, "K": 10**3, "thousand": 10**3, "mn": 10**6, "M": 10**6, "million": 10**6, "millions": 10**6,
    "bn": 10**9, "billion": 10**9, "billions": 10**9, "tn": 10**12, "trillion": 10**12, "trillions": 10**12,
    "hundred": 100, "lakh": 10**5, "lakhs": 10**5, "lac": 10**5, "lacs": 10**5, "crore": 10**7, "crores": 10**7,
    "Millionen": 10**6, "Mio": 10**6, "Mrd": 10**9, "Milliarden": 10**9, "tausend": 10**3, "millones": 10**6,
    "milliards": 10**9, "тысяч": 10**3, "тыс": 10**3, "млн": 10**6, "млрд": 10**9, "लाख": 10**5, "करोड़": 10**7,
    "百": 100, "千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
}  # fmt: skip
"""Factors of words that follow a number; a letter alone counts in this case only."""
MONEY_SCALES = {"m": 10**6, "b": 10**9, "B": 10**9}
"""Factors after an amount of money; otherwise "5 m" are metres."""
PARTS = {
    "thirds": Fraction(1, 3), "fourths": Fraction(1, 4), "fifths": Fraction(1, 5), "sixths": Fraction(1, 6),
    "sevenths": Fraction(1, 7), "eighths": Fraction(1, 8), "ninths": Fraction(1, 9), "tenths": Fraction(1, 10),
    "hundredths": Fraction(1, 100), "thousandths": Fraction(1, 1000),
}  # fmt: skip
"""Parts of a whole; a quarter is not among them, because it is also a coin."""
COUNTED_SCALES = ("dozen", "dozens", "hundreds", "thousands", "grand", "mil", "mille", "third", "fourth", "fifth",
                  "sixth", "seventh", "eighth", "ninth", "tenth", "quarter", "quarters", "halves", "half", "cr",
                  "and", "or", "to", "t")  # fmt: skip
"""Words after which the number alone may or may not be the whole answer."""
