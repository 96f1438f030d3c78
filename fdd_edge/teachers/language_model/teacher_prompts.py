"""What a language model is asked: the texts of ``configs/prompts/teacher``, or of a folder that replaces some."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.records import Problem
from fdd_edge.teachers.language_model._calls import Purpose

__all__ = ["PROMPT_FILES", "PromptFile", "TeacherPrompts", "read_prompts"]


class PromptFile(NamedTuple):
    """A text that language models are asked with.

    Attributes:
        description: One line for ``fdd-edge ls``.
        places: What it must contain, in braces.
    """

    description: str
    places: frozenset[str] = frozenset()


PROMPT_FILES = {
    "system": PromptFile("the system message; empty for none"),
    "program": PromptFile("the rules for programs, which stand in the others as {program_rules}"),
    "rationale": PromptFile("asks for the program of a problem", frozenset({"question"})),
    "complexify": PromptFile("asks for a more complex problem", frozenset({"question"})),
    "changes": PromptFile("by what problems become more complex, a change a line: {change}"),
    "similar": PromptFile("asks for a similar problem", frozenset({"question"})),
    "failure": PromptFile(
        "shows what the student wrote, where that is wanted: {failure}", frozenset({"failed_program"})
    ),
}
"""The files, without ``.txt``."""

_PLACE = re.compile(r"\{(\w+)\}")
_PLACES = {"question", "program", "operations", "change", "failure", "failed_program", "program_rules"}

Message = Mapping[str, str]


@dataclass(frozen=True)
class TeacherPrompts:
    """The texts, by the name of their file, and the names of those that are from a user's folder."""

    texts: Mapping[str, str]
    own: frozenset[str] = frozenset()

    def pinned(self) -> dict[str, dict[str, str]]:
        """Return what a run stores when it begins, and ``read_prompts`` is given when it is resumed."""
        own = {name: text for name, text in self.texts.items() if name in self.own}
        return {"own": own, "packaged": {name: text for name, text in self.texts.items() if name not in self.own}}

    def fingerprint(self) -> str:
        """Return the sha256 of the texts, in hex."""
        return hashlib.sha256("\0".join(f"{name}\0{self.texts[name]}" for name in PROMPT_FILES).encode()).hexdigest()

    def messages(
        self, purpose: Purpose, problem: Problem, *, operations: int = 0, change: str = "", failed: str | None = None
    ) -> list[Message]:
        """Return what is asked about a problem.

        Args:
            purpose: What is wanted; a rationale is asked for by the question alone.
            problem: The problem.
            operations: How many its program has.
            change: By what it is to become more complex, see ``change``.
            failed: A student's wrong program.
        """
        failure = "" if failed is None else _filled(self.texts["failure"], {"failed_program": failed})
        values = {
            "question": problem.question,
            "program": problem.program or "",
            "operations": str(operations),
            "change": change,
            "failure": failure,
            "program_rules": self.texts["program"],
        }
        system = self.texts["system"].strip()
        asked = {"role": "user", "content": _filled(self.texts[purpose], values).strip()}
        return [{"role": "system", "content": system}, asked] if system else [asked]

    def change(self, problem_id: str, n: int) -> str:
        """Return the n-th change for a problem; each occurs once before one occurs again."""
        lines = [line.strip() for line in self.texts["changes"].splitlines() if line.strip()]
        turn, place = divmod(n, len(lines))
        return random.Random(f"change:{problem_id}:{turn}").sample(lines, len(lines))[place]


def read_prompts(folder: str | None = None, pinned: Mapping[str, Mapping[str, str]] | None = None) -> TeacherPrompts:
    """Read the packaged texts, and in place of some those of a folder with files of the same names.

    With another text, a finished run would ask, and pay, for everything again. So a resumed run keeps the packaged
    texts that it began with, which a later version may have changed, and is refused if somebody edited the folder.

    Args:
        folder: A folder of a user; None for the packaged texts.
        pinned: What the run stored when it began, see ``TeacherPrompts.pinned``; None for a new one.

    Raises:
        FddError: The folder does not exist or has none of them, a text lacks a place or has an unknown one, or the
            folder says something else than when the run began.
    """
    before = {} if pinned is None else {**pinned["packaged"], **pinned["own"]}
    packaged = catalog.shelf_path("configs/prompts") / "teacher"
    own = Path(folder).expanduser() if folder else None
    if own is not None and not any((own / f"{name}.txt").is_file() for name in PROMPT_FILES):
        files = ", ".join(f"{name}.txt" for name in PROMPT_FILES)
        raise FddError(f"{own} is not a folder of prompts for a teacher; it holds none of {files}.")
    texts: dict[str, str] = {}
    from_folder: set[str] = set()
    for name, file in PROMPT_FILES.items():
        path = packaged / f"{name}.txt"
        if own is not None and ((own / path.name).is_file() or (pinned is not None and name in pinned["own"])):
            path = own / path.name
            from_folder.add(name)
            texts[name] = _checked(_read(path, before.get(name)), path, file.places)
        else:
            text = pinned["packaged"][name] if pinned is not None and name in pinned["packaged"] else _read(path)
            texts[name] = _checked(text, path, file.places)
    return TeacherPrompts(texts, frozenset(from_folder))


def _read(path: Path, before: str | None = None) -> str:
    """Read a text, which must be as it was before, if it was."""
    try:
        text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise FddError(f"{path} is not a prompt: it is not UTF-8 text; save it as UTF-8.") from None
    except FileNotFoundError:
        if before is None:
            raise
        text = None
    if text is None or before not in (None, text):
        raise FddError(
            f"{path} is not as it was when the run began, and another prompt would ask, and pay, for everything again; "
            "restore the file, or choose another run folder."
        )
    return text


def _checked(text: str, path: Path, needed: frozenset[str]) -> str:
    places = set(_PLACE.findall(text))
    if lacking := sorted(needed - places):
        raise FddError(f"{path} does not contain {{{lacking[0]}}}.")
    if unknown := sorted(places - _PLACES):
        known = ", ".join(f"{{{place}}}" for place in sorted(_PLACES))
        raise FddError(f"{path} contains {{{unknown[0]}}}; the places of a teacher's prompts are {known}.")
    if path.stem == "changes" and not text.strip():
        raise FddError(f"{path} is empty; write one change a line.")
    return text


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Fill the places in one pass, so that a place inside a question is text."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)
