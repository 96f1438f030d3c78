"""What a student is asked: the prompt that a config names, and worked examples for models not trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import CHAT, PLACEHOLDER, without_bom
from fdd_edge.ondevice.protocol import Shot
from fdd_edge.records import read_jsonl
from fdd_edge.resolve.prompt_places import check_places

__all__ = [
    "PinnedPrompt",
    "chat_prompt",
    "file_prompt",
    "pin_prompt",
    "requested_prompt",
    "student_prompt",
    "worked_examples",
]


class PinnedPrompt(NamedTuple):
    """The prompt that a run or a training began with, stored with it.

    Attributes:
        asked: What the config says: ``plain``, ``chat``, or a file.
        student: sha256 of the student it was made for.
        template: Text that contains ``{question}``.
    """

    asked: str
    student: str
    template: str


def pin_prompt(prompt: str, folder: Path, sha256: str, earlier: Mapping[str, Any] | None) -> PinnedPrompt:
    """Return the prompt of new or resumed work.

    A chat template may print the date, so resumed work keeps the prompt of the day it began. A file is read again: its
    text changes only if somebody edits it, and an edit must be noticed.

    Args:
        prompt: As for ``student_prompt``.
        folder: The student's Hugging Face folder.
        sha256: Hash of the student.
        earlier: The fields of the ``PinnedPrompt`` stored with the work; None for new work.

    Raises:
        FddError: As ``student_prompt``.
    """
    if earlier is not None and prompt == CHAT and (earlier["asked"], earlier["student"]) == (prompt, sha256):
        return PinnedPrompt(**earlier)
    return PinnedPrompt(prompt, sha256, student_prompt(prompt, folder))


def student_prompt(prompt: str, folder: Path) -> str:
    """Return the template that a student is trained on: text that contains ``{question}``.

    Args:
        prompt: ``plain``, ``chat`` (the student's chat template around one user message), or a file.
        folder: The student's Hugging Face folder.

    Raises:
        FddError: The student has no chat template, or the file does not contain ``{question}``.
    """
    return chat_prompt(folder) if prompt == CHAT else file_prompt(prompt)


def requested_prompt(prompt: str | None) -> str | None:
    """Return what a runner needs: a template, ``chat`` for the file's chat template, or None for its stored prompt."""
    return prompt if prompt in (None, CHAT) else file_prompt(prompt)


def chat_prompt(folder: Path) -> str:
    """Return the chat template of a student, rendered around one user message.

    The token that begins every text is left out, because runtimes add it; a plain completion would see it twice.

    Raises:
        FddError: The student has none, or it cannot be rendered.
    """
    from fdd_edge.ondevice.chat import ChatError, bounded_texts
    from fdd_edge.students.tokenizer import begins_texts, load_tokenizer

    tokenizer = load_tokenizer(folder)
    if not tokenizer.chat_template:
        raise FddError(f"{folder} has no chat template; use the prompt plain or a file.")

    def render(messages: list[dict[str, str]]) -> str:
        return without_bom(str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)))

    (text,) = bounded_texts(render, [[{"role": "user", "content": PLACEHOLDER}]])
    if isinstance(text, ChatError):
        raise FddError(f"The chat template of {folder} cannot be rendered: {text}; use the prompt plain or a file.")
    if PLACEHOLDER not in text:
        raise FddError(
            f"The chat template of {folder} does not show the user's message; use the prompt plain or a file."
        )
    return text.removeprefix(tokenizer.bos_token) if begins_texts(tokenizer) else text


def file_prompt(prompt: str) -> str:
    """Return the packaged prompt ``plain``, or the text of a file."""
    path = catalog.shelf_path("configs/prompts") / "plain.txt" if prompt == "plain" else Path(prompt).expanduser()
    if not path.is_file():
        raise FddError(f"The prompt {prompt!r} is not plain, chat, or an existing file.")
    try:
        text = without_bom(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise FddError(f"{path} is not a prompt: it is not UTF-8 text; save it as UTF-8.") from None
    check_places(text, path)
    return text


def worked_examples(n: int, answer: str = "program") -> tuple[Shot, ...]:
    """Return the first ``n`` packaged examples, answered by a program or by a sentence with a number.

    Raises:
        FddError: There are fewer.
    """
    path = catalog.shelf_path("configs/prompts") / "shots.jsonl"
    key = "program" if answer == "program" else "text"
    examples = [Shot(row["question"], row[key]) for _, row in read_jsonl(path)]
    if n > len(examples):
        raise FddError(f"There are {len(examples)} worked examples, not {n}.")
    return tuple(examples[:n])
