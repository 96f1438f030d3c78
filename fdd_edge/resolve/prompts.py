"""What a student is asked: the prompt of a config, and worked examples for models that were not trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import CHAT, PLACEHOLDER
from fdd_edge.ondevice.protocol import Shot
from fdd_edge.records import read_jsonl

__all__ = [
    "BegunPrompt",
    "begin_prompt",
    "chat_prompt",
    "file_prompt",
    "requested_prompt",
    "shot_stops",
    "student_prompt",
    "worked_examples",
]


class BegunPrompt(NamedTuple):
    """The prompt that some work began with, as it is noted beside it.

    Attributes:
        asked: What the config says: ``plain``, ``chat``, or a file.
        student: sha256 of the student it was made for.
        template: Text that holds ``{question}``.
    """

    asked: str
    student: str
    template: str


def begin_prompt(prompt: str, folder: Path, sha256: str, noted: Mapping[str, Any] | None) -> BegunPrompt:
    """Return the prompt of work that begins, or goes on.

    A chat template may print the date; work that goes on keeps what it was on the day it began. A file is read anew:
    its text changes only where somebody wrote another, and that must be noticed.

    Args:
        prompt: As for ``student_prompt``.
        folder: The student's Hugging Face folder.
        sha256: Hash of the student.
        noted: The fields of an earlier ``BegunPrompt``, or None where the work begins.

    Raises:
        FddError: As ``student_prompt``.
    """
    if noted is not None and prompt == CHAT and (noted["asked"], noted["student"]) == (prompt, sha256):
        return BegunPrompt(**noted)
    return BegunPrompt(prompt, sha256, student_prompt(prompt, folder))


def student_prompt(prompt: str, folder: Path) -> str:
    """Return the template, text that holds ``{question}``, that a student is trained on.

    Args:
        prompt: ``plain``, ``chat`` (the student's chat template around one user message), or a file.
        folder: The student's Hugging Face folder.

    Raises:
        FddError: The student has no chat template, or the file does not hold ``{question}``.
    """
    return chat_prompt(folder) if prompt == CHAT else file_prompt(prompt)


def requested_prompt(prompt: str | None) -> str | None:
    """Return what a runner is asked for: a template, ``chat`` for the file's chat template, None for its prompt."""
    return prompt if prompt in (None, CHAT) else file_prompt(prompt)


def chat_prompt(folder: Path) -> str:
    """Return the chat template of a student, rendered around one user message.

    A token that begins every text is left to the runtimes, which add it: plain completion would see it twice.

    Raises:
        FddError: There is none, or it cannot be rendered.
    """
    from fdd_edge.ondevice.chat import template_failures
    from fdd_edge.students.tokenizer import begins_texts, load_tokenizer

    tokenizer = load_tokenizer(folder)
    if not tokenizer.chat_template:
        raise FddError(f"{folder} has no chat template; use the prompt plain or a file.")
    messages = [{"role": "user", "content": PLACEHOLDER}]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except template_failures() as error:
        why = str(error).rstrip(".") or type(error).__name__
        raise FddError(
            f"The chat template of {folder} cannot be rendered: {why}; use the prompt plain or a file."
        ) from None
    if PLACEHOLDER not in text:
        raise FddError(
            f"The chat template of {folder} does not show the user's message; use the prompt plain or a file."
        )
    return text.removeprefix(tokenizer.bos_token) if begins_texts(tokenizer) else text


def file_prompt(prompt: str) -> str:
    """Return the packaged prompt ``plain``, or that of a file."""
    path = catalog.shelf_path("configs/prompts") / "plain.txt" if prompt == "plain" else Path(prompt).expanduser()
    if not path.is_file():
        raise FddError(f"The prompt {prompt!r} is neither plain, chat, nor a file.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FddError(f"{path} is no prompt: it is not UTF-8 text.") from None
    if PLACEHOLDER not in text:
        raise FddError(f"{path} is no prompt: it does not hold {PLACEHOLDER}.")
    return text


def worked_examples(n: int, answer: str = "program") -> tuple[Shot, ...]:
    """Return the first ``n`` packaged examples, answered by a program or by a sentence with a number.

    Raises:
        FddError: There are not so many.
    """
    path = catalog.shelf_path("configs/prompts") / "shots.jsonl"
    key = "program" if answer == "program" else "text"
    examples = [Shot(row["question"], row[key]) for _, row in read_jsonl(path)]
    if n > len(examples):
        raise FddError(f"There are {len(examples)} worked examples, not {n}.")
    return tuple(examples[:n])


def shot_stops(n: int, prompt: str | None) -> tuple[str, ...]:
    """Return what ends a reply after ``n`` worked examples.

    Examples stand a blank line apart, and an untuned model would go on to write the next one. In a chat they are
    earlier turns, and the end token ends a reply.
    """
    return ("\n\n",) if n and prompt != CHAT else ()
