"""Verbs of school problems, and their forms without an auxiliary: "does need" is "needs", "did buy" is "bought"."""

from __future__ import annotations

__all__ = ["can_be_done", "is_participle", "is_verb", "past", "third_person"]

_IRREGULAR = {
    "be": "was", "bring": "brought", "build": "built", "buy": "bought", "catch": "caught", "come": "came",
    "cost": "cost", "cut": "cut", "do": "did", "draw": "drew", "drink": "drank", "drive": "drove", "eat": "ate",
    "feed": "fed", "find": "found", "fly": "flew", "get": "got", "give": "gave", "go": "went", "grow": "grew",
    "have": "had", "hold": "held", "keep": "kept", "leave": "left", "lend": "lent", "lose": "lost", "make": "made",
    "owe": "owed", "pay": "paid", "put": "put", "read": "read", "ride": "rode", "run": "ran", "see": "saw",
    "sell": "sold", "send": "sent", "sing": "sang", "sleep": "slept", "spend": "spent", "swim": "swam",
    "take": "took", "throw": "threw", "win": "won", "write": "wrote",
}  # fmt: skip
_DOUBLED = frozenset(("chop", "drop", "jog", "plan", "pot", "shop", "ship", "skip", "stop", "tip", "wrap"))
_REGULAR = frozenset((
    "add", "answer", "attend", "bake", "borrow", "burn", "carry", "charge", "clean", "climb", "collect", "complete",
    "contain", "contribute", "cook", "count", "cover", "cycle", "deliver", "donate", "download", "earn", "end",
    "exercise", "fill", "finish", "fold", "gain", "harvest", "hike", "invite", "lift", "live", "measure", "mow",
    "need", "open", "order", "owe", "pack", "paint", "pick", "place", "plant", "play", "practice", "prepare", "print",
    "produce", "purchase", "raise", "receive", "remain", "remove", "rent", "require", "save", "score", "serve",
    "share", "solve", "start", "stay", "study", "travel", "type", "use", "visit", "wait", "walk", "want", "wash",
    "watch", "weigh", "work",
))  # fmt: skip

_PARTICIPLES = frozenset((
    "been", "bought", "brought", "built", "caught", "done", "drawn", "driven", "eaten", "found", "given", "gotten",
    "had", "lost", "made", "paid", "read", "run", "seen", "sold", "spent", "taken", "won", "written",
))  # fmt: skip
# Verbs that a second person cannot simply share, or that need a particle.
_NOT_DONE = frozenset((
    "be", "come", "contain", "cost", "do", "end", "finish", "go", "live", "measure", "remain", "require", "start",
    "stay", "take", "weigh", "work",
))  # fmt: skip
_GIVES = frozenset(("donate", "give", "lend", "pay", "sell", "send"))
_PARTICLES = frozenset((
    "about", "around", "away", "back", "down", "for", "from", "in", "into", "off", "on", "out", "over", "through", "to",
    "up", "with",
))  # fmt: skip


def is_participle(word: str) -> bool:
    """Return whether a word may follow "has": "sold", "baked"."""
    return word in _PARTICIPLES or (word.endswith("ed") and (is_verb(word[:-1]) or is_verb(word[:-2])))


def can_be_done(verb: str, after: str) -> bool:
    """Return whether the verb alone says what somebody else does too; not for "ends up with" or "works for"."""
    particle = after.partition(" ")[0]
    if not verb or verb in _NOT_DONE:
        return False
    return particle not in _PARTICLES or particle in ("in", "for", "on") or (particle == "to" and verb in _GIVES)


def is_verb(word: str) -> bool:
    """Return whether a word is the plain form of a verb whose other forms are known."""
    return word in _IRREGULAR or word in _DOUBLED or word in _REGULAR


def third_person(verb: str) -> str:
    """Return the form after "he": "needs", "washes", "carries", "has"."""
    if verb == "have":
        return "has"
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if _ends_in_y(verb) else f"{verb}s"


def past(verb: str) -> str:
    """Return the past form: "needed", "baked", "carried", "bought"."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ed"
    if _ends_in_y(verb):
        return f"{verb[:-1]}ied"
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


def _ends_in_y(verb: str) -> bool:
    return verb.endswith("y") and verb[-2] not in "aeiou"
