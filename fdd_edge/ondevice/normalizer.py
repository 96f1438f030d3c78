"""What a tokenizer does to a text before it splits it, for llama.cpp, which does nothing."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from .protocol import RunnerError

__all__ = ["NFC", "NORMALIZER_KEY", "WHOLE_TOKENS_KEY", "WholeToken", "dump_tokens", "normalize_text", "parse_tokens"]

NORMALIZER_KEY = "tokenizer.fdd_edge.normalizer"
"""The GGUF metadata key under which a vocabulary stores the normalizer of the tokenizer it was made from."""

WHOLE_TOKENS_KEY = "tokenizer.fdd_edge.whole_tokens"
"""The key of the tokens that are found before anything else is done, as ``dump_tokens`` writes them."""

NFC: Final = "NFC"
"""The only one that is stored: Qwen's. It is applied to what stands between the special tokens of a prompt."""

_MOST_TOKENS = 10_000
_SPACES = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"
r"""What ``\s*`` is for ``tokenizers``; Python's also matches four control characters."""


class WholeToken(NamedTuple):
    """An added token that is found in a text before the text is normalized.

    Attributes:
        text: The token.
        lstrip: Whether the spaces before it are dropped.
        rstrip: Whether the spaces after it are dropped.
    """

    text: str
    lstrip: bool = False
    rstrip: bool = False


def dump_tokens(tokens: Sequence[WholeToken]) -> str:
    """Return tokens in the form that ``parse_tokens`` reads."""
    return json.dumps(tokens, ensure_ascii=False)


def parse_tokens(stored: str | None) -> tuple[WholeToken, ...]:
    """Read the tokens that a file stores, none if it stores none.

    Raises:
        RunnerError: They are not in the form of ``dump_tokens``.
    """
    if stored is None:
        return ()
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) > _MOST_TOKENS or not all(map(_is_token, found)):
        raise RunnerError(
            "bad_artifact", f"The file's list of special tokens ({WHOLE_TOKENS_KEY}) is damaged; export it again."
        )
    return tuple(WholeToken(*token) for token in found)


def _is_token(found: object) -> bool:
    return isinstance(found, list) and list(map(type, found)) == [str, bool, bool] and bool(found[0])


def normalize_text(text: str, normalizer: str | None, tokens: tuple[WholeToken, ...] = ()) -> str:
    """Return a text as the tokenizer leaves it before it splits it: normalized between tokens, without lost spaces.

    Raises:
        RunnerError: There is no such normalizer; a later version wrote the file.
    """
    if normalizer not in (None, NFC):
        raise RunnerError("bad_artifact", f"The file's normalizer {normalizer!r} is not supported; update fdd-edge.")
    if not tokens:
        return _normalized(text, normalizer)
    pattern, by_text = _finder(tokens)
    parts, at, drop_spaces = [], 0, False
    for match in pattern.finditer(text):
        token = by_text[match[0]]
        before = text[at : match.start()]
        parts += [_normalized(_stripped(before, left=drop_spaces, right=token.lstrip), normalizer), token.text]
        at, drop_spaces = match.end(), token.rstrip
    return "".join([*parts, _normalized(_stripped(text[at:], left=drop_spaces), normalizer)])


@functools.lru_cache(maxsize=4)
def _finder(tokens: tuple[WholeToken, ...]) -> tuple[re.Pattern[str], dict[str, WholeToken]]:
    """Return what finds tokens, the longest of those that begin at a place, and the tokens by text."""
    by_text = {token.text: token for token in tokens}
    return re.compile("|".join(map(re.escape, sorted(by_text, key=len, reverse=True)))), by_text


def _normalized(text: str, normalizer: str | None) -> str:
    return text if normalizer is None else unicodedata.normalize(NFC, text)


def _stripped(text: str, *, left: bool = False, right: bool = False) -> str:
    if left:
        text = text[re.match(_SPACES, text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    if right:
        backwards = text[::-1]
        text = text[: len(text) - re.match(_SPACES, backwards).end()]  # type: ignore[union-attr]
    return text
