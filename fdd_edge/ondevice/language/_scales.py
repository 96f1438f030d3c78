"""Words that multiply the number before them, in the languages that replies and data sets are written in."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

__all__ = ["ANY_SCALE", "PART", "SCALE", "UNCLEAR", "factor_of", "part_of"]

_WORDS = {
    10: "tens dizaines decenas decine десяток десятка десятков สิบ 십 十",
    12: """dozen dozens dutzend dozijn douzaine douzaines docena docenas dozzina dozzine dúzia dúzias дюжина дюжины
        дюжин दर्जन ডজন డజన్లు డజను డజన్ โหล ダース""",
    100: """hundred hundreds hundert honderd hundra centaine centaines centenares centinaia сотня сотни сотен सौ শত
        వందలు వందల వంద ร้อย 百 백""",
    10**3: """k elfu thousand thousands tausend duizend tusen tusind mille mila millier milliers millares migliaia tys
        tysiąc tysiące tysięcy тысяча тысячи тысяч тысячу тыс тис тисяч тисячі хиляди हज़ार हजार হাজার వెయ్యి వేలు
        వేల พัน ألف آلاف الف ہزار ஆயிரம் ಸಾವಿರ ribu nghìn ngàn 千 천""",
    10**4: "หมื่น 万 萬 만",
    10**5: "lakh lakhs lac lacs laki लाख লাখ লক্ষ లక్షలు లక్షల లక్ష แสน لاکھ லட்சம்",
    10**6: """mn million millions mio millionen milione milioni millón millon millones milhão milhões miljoen miljon
        miljoner milion miliony milionów milyon juta triệu mln млн миллион миллиона миллионов мільйон мільйони
        мільйонів मिलियन মিলিয়ন మిలియన్ ล้าน مليون ملايين""",
    10**7: "crore crores करोड़ করোড় কোটি కోట్లు కోట్ల కోటి کروڑ கோடி",
    10**8: "亿 億 억",
    10**9: """bn billion billions mrd milliarde milliarden milliard milliards miliardo miliardi miljard miljarden
        miljarder miliard miliardy miliardów mld miliar milyar bilhão bilhões bilioni tỷ млрд миллиард миллиарда
        миллиардов мільярд мільярдів अरब बिलियन বিলিয়ন బిలియన్ مليار""",
    10**12: "tn trillion trillions billionen billones billón трлн триллион триллиона триллионов trilioni",
}
_FACTORS = {unicodedata.normalize("NFC", word): factor for factor, words in _WORDS.items() for word in words.split()}
# In scripts without spaces a scale may begin another word: 千克 is a kilogram, 백화점 a department store.
_NOT_BEFORE = {"千": "[克米瓦卡焦帕赫伏安升牛兆字位分斤]", "百": "[分帕合货度]", "พัน": "ธ", "শত": "া", "백": "화",
               "만": "[화두나약큼에]", "천": "막"}  # fmt: skip

ANY_SCALE = re.compile(
    rf"\b(?:{'|'.join(word for word in _FACTORS if len(word) > 3 and word != word.upper())})\b", re.I
)
"""A scale anywhere among words, not an abbreviation or a short word that may be anything."""

_PARTS = {
    "halves": 2, "thirds": 3, "fourths": 4, "fifths": 5, "sixths": 6, "sevenths": 7, "eighths": 8, "ninths": 9,
    "tenths": 10, "hundredths": 100, "thousandths": 1000,
}  # fmt: skip
_ONE_PART = {"half": 2} | {word.removesuffix("s"): number for word, number in _PARTS.items() if word != "halves"}


def _pattern(word: str) -> str:
    if word in _NOT_BEFORE:
        return f"{word}(?!{_NOT_BEFORE[word]})"
    if word.upper() == word.lower():  # a script without case; many of them have endings, or no spaces
        return word
    return rf"{word}(?!\w)" if len(word) == 1 else rf"(?i:{word})(?!\w)"


SCALE = "|".join(_pattern(word) for word in sorted(_FACTORS, key=len, reverse=True))
"""A pattern of the words and letters whose factor is known."""
PART = rf"(?:{'|'.join(_PARTS)})\b|(?:{'|'.join(_ONE_PART)})\b(?![ -](?!of\b)[^\W\d])"
"""A pattern of the parts of a whole; a quarter is not among them, because it is also a coin."""

_UNCLEAR = rf"""
    [ -]? (?i: (?: mil | mia | cr | score | gross | quarters? | {"|".join(_ONE_PART)} ) \b (?!')
            | [kKM](?:EUR|USD|GBP|CHF|INR)\b )
  | [ ]? (?: [兆조打割折] | 成(?!\w) )
  | (?: [ -]?[bBtTEGP] | [ ][KM] ) (?![\w²³'’-])
  | [^\s\d.,;:!?]{{0,12}} [ ]? [^\s\d.,;:!?]{{0,12}} [ ]?
    (?: y\ medi[oa] | et\ demie? | und\ eine?\ halbe? | с\ половиной | na\ nusu | 半(?!分) | ครึ่ง )
"""
UNCLEAR = re.compile(_UNCLEAR, re.VERBOSE)
"""What follows a number that it may multiply: "mil" is a thousand in Spanish, "K" kelvin, "M" metres, "T" tonnes."""


def factor_of(word: str) -> int:
    """Return the factor of a scale that ``SCALE`` matched."""
    return _FACTORS[word] if word in _FACTORS else _FACTORS[word.lower()]


def part_of(word: str) -> Fraction:
    """Return the part of a whole that ``PART`` matched."""
    return Fraction(1, {**_PARTS, **_ONE_PART, "quarter": 4, "quarters": 4}[word])
