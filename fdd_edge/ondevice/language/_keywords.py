"""Python's keywords as names: story problems have a class, a pass and a return trip."""

from __future__ import annotations

import keyword
import re

__all__ = ["rename_keywords"]

_NEVER_NAMES = {"True", "False", "None", "and", "or", "not", "if", "elif", "else", "for", "while"}
"""Keywords that appear inside expressions of the language, or open its blocks."""
_KEYWORDS = "|".join(sorted(set(keyword.kwlist) - _NEVER_NAMES))

# A string is one piece, so that a word in it is not taken for a name; what opens no string is passed over.
_PIECE = re.compile(
    rf"""
      (?P<skipped> \#[^\n]* | \"{{3}}[\s\S]*?\"{{3}} | '{{3}}[\s\S]*?'{{3}}
                 | "(?:[^"\\\n]|\\[\s\S])*+" | '(?:[^'\\\n]|\\[\s\S])*+' )
    | (?P<for> \bfor[ \t]+(?P<target>\w+)[ \t]+in\b )
    | (?P<syntax> (?<![^\n;:])[ \t]*(?: from[ \t]+math[ \t]+import\b | import[ \t]+math\b
                | (?:pass|break|continue)\b(?=[ \t]*(?:[\n;\#]|\Z))
                | (?:return|def)\b(?![ \t]*(?:[-+*/%]{{0,2}}=|:)) ) )
    | (?<![\w.]) (?P<name> {_KEYWORDS} ) (?!\w)
      (?P<assigned> [ \t]*(?: (?:[-+*/%]|//|\*\*)?=(?!=) | :[ \t]*\w+[ \t]*= ) )?
    """,
    re.VERBOSE,
)


def rename_keywords(source: str) -> str:
    """Return a source in which the keywords that it uses as names have an underscore behind them.

    A keyword is a name if something is assigned to it anywhere, or if a loop counts with it. Where it stands as Python
    wants it, as in ``for i in range(3)`` or a ``pass`` on its own line, it stays a keyword. Those that the language
    needs inside expressions, such as ``if`` and ``or``, are never names.
    """
    pieces = list(_PIECE.finditer(source))
    names = {piece["name"] for piece in pieces if piece["assigned"]}
    names |= {piece["target"] for piece in pieces if piece["target"] and re.fullmatch(_KEYWORDS, piece["target"])}
    if not names:
        return source
    underscores = "_"
    while any(re.search(rf"\b{name}{underscores}(?!\w)", source) for name in names):
        underscores += "_"

    def rename(piece: re.Match[str]) -> str:
        text = piece.group()
        if piece["target"] in names:
            return re.sub(r"\w+(?=[ \t]+in\Z)", lambda target: target.group() + underscores, text)
        if piece["name"] in names:
            return text[: len(piece["name"])] + underscores + text[len(piece["name"]) :]
        return text

    return _PIECE.sub(rename, source)
