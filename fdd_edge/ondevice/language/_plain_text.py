r"""Write a text in the digits, signs and separators of English, and LaTeX's numbers as people type them."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_separators", "plain_text"]

# Thousands only before three digits, and never after a lone zero: 0{,}500 is half of one.
_LATEX_THOUSANDS = re.compile(
    r"(?<=[0-9])(?<![^0-9,}]0)(?<!\A0)(?:\{,\}|\\[,;: ]|\\thinspace[ ]?|~)(?=[0-9]{3}(?![0-9]))"
)
_SPACE_THOUSANDS = re.compile("(?<=[0-9])[\u00a0\u2007\u2008\u2009\u200a\u202f](?=[0-9]{3}(?![0-9]))")
_SIGNS = str.maketrans({
    **dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011", "-"),
    **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"),
    **dict.fromkeys("\u00a0\u202f\u2007\u2008\u2009\u200a\u3000", " "), **dict.fromkeys("\u066c\uff0c\u060c", ","),
    "\u066b": ".", "\uff0e": ".", "\u2044": "/", "\u2215": "/", "\uff0f": "/", "\uff05": "%", "\u066a": "%",
    "\uff04": "$", "\uff08": "(", "\uff09": ")", "\uff1a": ":", "\uff1d": "=", "\uff0b": "+", "\u3002": ". ",
    "\u0964": ". ", "\u06d4": ". ",
})  # fmt: skip
# An en dash with a space behind it separates, unless it follows an equals sign or a bracket.
_EN_MINUS = re.compile("[\u2012\u2013](?=\\S)|(?<=[=({\\[])[\u2012\u2013]|(?<=[=({\\[] )[\u2012\u2013]")

_SPACES = re.compile(r"\\(?:[,;: ]|quad\b|qquad\b|thinspace\b)|~")
_BARE = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|limits|big[lr]?|Big[lr]?|bf|rm|it|tt|large|Large|huge|Huge)(?![A-Za-z])"
    r"|\\[()\[\]]"
)
_STYLED = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|textsf|textnormal|emph|mathrm|mathbf|mathit|mathsf|mathtt|mbox|hbox|bm"
    r"|boldsymbol|operatorname|underline)\s*\{([^{}]*)\}"
)
_SYMBOLS = {
    "times": "×", "cdot": "×", "ast": "*", "div": "÷", "pm": "±", "mp": "±", "pi": "π", "approx": "≈", "sim": "~",
    "simeq": "≈", "ldots": "…", "dots": "…", "cdots": "…", "Rightarrow": "⇒", "implies": "⇒", "rightarrow": "→",
    "to": "→",
    "therefore": "therefore", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠", "ne": "≠", "degree": "°",
    "percent": "%", "pounds": "£", "euro": "€",
}  # fmt: skip
_SYMBOL = re.compile(rf"\\({'|'.join(_SYMBOLS)})(?![A-Za-z])|\\([$%#&])")
_DEGREES = re.compile(r"\^\s*(?:\{\s*)?(?:\\circ|°|o(?![A-Za-z]))(?:\s*\})?")
_ROOT = re.compile(r"\\sqrt\s*(?:\[[^\]]*\])?\s*(?:\{([^{}]*)\}|([0-9]))")
_FRAC = re.compile(
    r"(?P<before>[0-9]\s*)?\\[dtc]?frac\s*(?:\{(?P<a>[^{}]*)\}|(?P<b>[0-9]))\s*(?:\{(?P<c>[^{}]*)\}|(?P<d>[0-9]))"
)
_REPEATS = re.compile(r"\\(?:overline|bar)\s*\{?([0-9]+)\}?")
_NUMERIC = re.compile(r"\s*-?\s*[0-9][0-9.,]*\s*")
_NESTED = 3
"""How deep fractions, roots and texts are taken apart."""


def plain_separators(text: str) -> str:
    r"""Return a text in which the separators of thousands of LaTeX (``1{,}000``) and typography are commas."""
    text = _LATEX_THOUSANDS.sub(",", text.replace("\\!", ""))
    return text if text.isascii() else _SPACE_THOUSANDS.sub(",", text)


_ZEROS = re.compile(r"(?<![0-9.,])0{50,}(?=[0-9])")
"""So many zeros before a number say nothing, and Python converts 4,300 digits at most."""


def plain_text(text: str) -> str:
    r"""Return a text with English digits, signs and separators, and with ``3/4`` for LaTeX's fractions."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = text.translate({ord(c): str(unicodedata.decimal(c)) for c in set(text) if c.isdecimal()})
    text = plain_separators(_ZEROS.sub("", text))
    if "\\" in text or "{,}" in text:
        text = _without_latex(text)
    return text if text.isascii() else _EN_MINUS.sub("-", text.translate(_SIGNS))


def _without_latex(text: str) -> str:
    text = _DEGREES.sub("°", text.replace("{,}", "."))
    text = _BARE.sub("", _SPACES.sub(" ", text))
    text = _SYMBOL.sub(lambda found: found[2] or _SYMBOLS[found[1]], text)
    text = _REPEATS.sub("\\1\u0305", text)
    for _ in range(_NESTED):
        text = _STYLED.sub(r" \1 ", text)
        text = _FRAC.sub(_fraction, _ROOT.sub(lambda root: f"√({root[1] or root[2]})", text))
    return re.sub(" {2,}", " ", text)


def _fraction(match: re.Match[str]) -> str:
    above, below = (match[i] if match[i] is not None else match[j] for i, j in (("a", "b"), ("c", "d")))
    before = f"{match['before'].strip()} " if match["before"] else ""
    if _NUMERIC.fullmatch(above) and _NUMERIC.fullmatch(below):
        return f"{before}{above.replace(' ', '')}/{below.strip()}"
    return f"{before}({above})/({below})"
