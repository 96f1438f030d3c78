"""Names the variables of a program after the words around each step of its solution."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

__all__ = ["name_result"]

_MAX_LENGTH = 20
_RESERVED = frozenset((
    "abs", "answer", "ceil", "float", "floor", "gcd", "int", "lcm", "len", "math", "max", "min", "pow", "print",
    "range", "return", "round", "solution", "sqrt", "sum",
))  # fmt: skip
# Words that end the noun phrase after a number: prepositions, verbs of state, pronouns, conjunctions.
_STOP = frozenset((
    "a", "about", "after", "all", "altogether", "am", "an", "and", "another", "any", "are", "as", "at", "away",
    "be", "because", "been", "before", "both", "but", "by", "can", "could", "did", "do", "does", "during",
    "each", "either", "end", "every", "for", "from", "gave", "get", "gets", "go", "goes", "got", "had", "has",
    "have", "he", "her", "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "left", "long", "me", "more", "most", "much", "must", "my", "need", "needs", "no", "not", "now", "of",
    "off", "on", "one", "only", "or", "other", "our", "out", "over", "per", "plus", "same", "she", "should",
    "since", "so", "some", "still", "such", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "three", "through", "times", "to", "together", "total", "towards", "two", "up",
    "us", "was", "we", "were", "what", "when", "where", "which", "while", "who", "will", "with", "within",
    "without", "would", "you", "your",
))  # fmt: skip
# Words that describe the solution ("First find ...", "then multiply the amount by ..."), not the result.
_NOT_TOPICS = frozenset((
    "add", "adding", "also", "altogether", "amount", "answer", "because", "calculate", "combine", "compute",
    "convert", "determine", "divide", "dividing", "equal", "figure", "final", "finally", "find", "first", "how",
    "know", "let", "means", "multiply", "multiplying", "next", "number", "second", "subtract", "subtracting",
    "take", "therefore", "third", "thus", "using", "whole",
))  # fmt: skip
_FILLERS = frozenset((
    "additional", "all", "different", "extra", "fewer", "full", "less", "more", "new", "of", "other",
    "remaining", "such", "the", "total", "whole",
))  # fmt: skip
_MONEY_WORDS = {
    "bill": "bill", "budget": "budget", "change": "change", "charge": "charge", "cost": "cost", "costs": "cost",
    "cheaper": "saved", "discount": "discount", "donated": "donated", "earn": "earned", "earned": "earned",
    "earnings": "earned", "earns": "earned", "expenses": "expenses", "fee": "fee", "fees": "fees",
    "income": "income", "left": "left", "loss": "loss", "lost": "lost", "made": "earned", "make": "earned",
    "makes": "earned", "owe": "owed", "owes": "owed", "paid": "paid", "pay": "paid", "pays": "paid",
    "price": "price", "profit": "profit", "raised": "raised", "refund": "refund", "rent": "rent",
    "revenue": "revenue", "salary": "salary", "sales": "sales", "save": "saved", "saved": "saved",
    "saves": "saved", "savings": "saved", "spend": "spent", "spends": "spent", "spent": "spent", "tax": "tax",
    "taxes": "taxes", "tip": "tip", "tips": "tips", "wage": "wage", "worth": "worth",
}  # fmt: skip


def name_result(before: str, after: str, taken: Collection[str], number: int) -> str:
    """Return an unused identifier for the result of a step.

    Args:
        before: The text of the sentence before the equation.
        after: The text of the sentence after it, starting with the result.
        taken: Names in use.
        number: Position of the step, for ``v1``, ``v2`` ... if the text has no suitable word.
    """
    candidates = _candidates(before, after)
    numbered = [f"{name}{suffix}" for name in candidates for suffix in range(2, 10)]
    free = (name for name in candidates + numbered if _is_free(name, taken))
    return next(free, None) or _numbered(number, taken)


def _candidates(before: str, after: str) -> list[str]:
    topic = _topic(before)
    noun, detail = _nouns_after(after)
    if before.rstrip().endswith("$") or after.lstrip().startswith("$") or not noun:
        word = _money_word(before)
        rest = [part for part in topic.split("_") if part and word is not None and part not in word.split("_")]
        names = [word or "", f"{word}_{rest[0]}" if word and rest else "", topic]
    else:
        names = [noun, f"{noun}_{detail}" if detail else "", f"{noun}_{topic.partition('_')[0]}" if topic else ""]
    return [name for name in names if _is_free(name, ())]


def _numbered(number: int, taken: Collection[str]) -> str:
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"


def _is_free(name: str, taken: Collection[str]) -> bool:
    usable = 3 <= len(name) <= _MAX_LENGTH and re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) is not None
    return usable and not keyword.iskeyword(name) and name not in _RESERVED and name not in taken


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:['’-][a-z]+)*", text.lower())


def _is_noun_like(word: str) -> bool:
    return word.isascii() and word.isalpha() and len(word) > 2 and word not in _STOP


def _nouns_after(after: str) -> tuple[str, str]:
    """Return the noun phrase after the result, and the first noun that qualifies it."""
    phrase = re.sub(r"^\W*[\d.,]*\s*", "", after)
    phrase = re.split(r"[.,;:!?(/=+*]|\s-\s|\d", phrase)[0]
    words = _words(phrase)
    while words and words[0] in _FILLERS:
        words = words[1:]
    nouns: list[str] = []
    for word in words:
        if not _is_noun_like(word) or len(nouns) == 2:
            break
        nouns.append(word)
    detail = next((word for word in words[len(nouns) :] if _is_noun_like(word)), "")
    name = "_".join(nouns)
    return (name if len(name) <= _MAX_LENGTH else nouns[0]), detail


def _money_word(before: str) -> str | None:
    found = [_MONEY_WORDS[word] for word in _words(before) if word in _MONEY_WORDS]
    if not found:
        return None
    return f"total_{found[-1]}" if "total" in _words(before) and found[-1] == "cost" else found[-1]


def _topic(before: str) -> str:
    """Return the first nouns of the clause before the equation: what "the price of the red pens is ..." is about."""
    clause = re.split(r"\b(?:is|are|was|were|be|equals?|would|will)\b|[:=\d]", re.split(r"[,;]\s", before)[-1])[0]
    nouns = [word for word in _words(clause) if (_is_noun_like(word) and word not in _NOT_TOPICS) or word == "total"]
    name = "_".join(nouns[:2])
    return name if len(name) <= _MAX_LENGTH else nouns[0]
