"""From a question to the exact text a model reads.

A template is text with ``{question}``. It is applied byte for byte, on every device alike, so that what a student
was trained on is what it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .protocol import RunnerError, Shot

__all__ = [
    "CHAT",
    "PLACEHOLDER",
    "TEMPLATE_KEY",
    "ModelTexts",
    "Prompt",
    "begins_with_bos",
    "make_prompt",
]

PLACEHOLDER = "{question}"

CHAT = "chat"
"""Given as a prompt, it stands for the chat template in the model file."""

TEMPLATE_KEY = "fdd_edge.prompt_template"
"""The GGUF metadata key under which an exported student carries its template."""

BLANK_LINE = "\n\n"


class ModelTexts(Protocol):
    """What a prompt needs to know of a model."""

    @property
    def bos_text(self) -> str:
        """The text of the token that begins a text; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the token that ends a text; empty if there is none."""

    def metadata(self, key: str) -> str | None:
        """Return the file's metadata under that key."""


@dataclass(frozen=True)
class Prompt:
    """A template cut at its question; no other brace in it means anything."""

    prefix: str
    suffix: str

    @classmethod
    def parse(cls, template: str) -> Prompt:
        """Cut a template at its last ``{question}``; worked examples may hold the word earlier.

        Raises:
            RunnerError: There is no ``{question}``.
        """
        prefix, found, suffix = template.rpartition(PLACEHOLDER)
        if not found:
            raise RunnerError("bad_request", f"The prompt template has no {PLACEHOLDER}: {template[:60]!r}.")
        return cls(prefix, suffix)

    def render(self, question: str) -> str:
        """Return the text the model reads."""
        return self.prefix + question + self.suffix

    @property
    def template(self) -> str:
        """The template as text again."""
        return self.render(PLACEHOLDER)


def begins_with_bos(text: str, *, adds_bos: bool, bos_text: str | None) -> bool:
    """Say whether the token that begins a text is put before this one: not if the text begins with it already.

    Args:
        text: A prompt.
        adds_bos: Whether the vocabulary asks for the token.
        bos_text: The token's text; empty or None if there is none.
    """
    return adds_bos and not (bos_text and text.startswith(bos_text))


def make_prompt(requested: str | None, shots: Sequence[Shot], model: ModelTexts) -> Prompt:
    """Find the template and put the worked examples in front.

    Args:
        requested: A template, ``chat``, or None for what the file itself says.
        shots: Worked examples; in a chat they are earlier turns, else they stand above, a blank line apart.
        model: The loaded model.

    Raises:
        RunnerError: There is no template, or it cannot be used.
    """
    wanted = requested if requested is not None else model.metadata(TEMPLATE_KEY)
    if wanted is None:
        raise RunnerError("bad_request", "This file says no prompt; name one: --prompt plain, chat or a file.")
    if wanted == CHAT:
        return Prompt.parse(_render_chat(shots, model))
    plain = Prompt.parse(wanted)
    examples = [plain.render(shot.question) + shot.reply.rstrip("\n") + BLANK_LINE for shot in shots]
    return Prompt("".join(examples) + plain.prefix, plain.suffix)


def _render_chat(shots: Sequence[Shot], model: ModelTexts) -> str:
    """Render the file's chat template once, with the placeholder as the last user message."""
    template = model.metadata("tokenizer.chat_template")
    if template is None:
        raise RunnerError("bad_request", "This file has no chat template; name another prompt with --prompt.")
    messages: list[dict[str, str]] = []
    for shot in shots:
        messages.append({"role": "user", "content": shot.question})
        messages.append({"role": "assistant", "content": shot.reply})
    messages.append({"role": "user", "content": PLACEHOLDER})
    try:
        from .chat import render_chat, template_failures
    except ModuleNotFoundError as error:
        raise RunnerError("runtime_missing", f"A chat template needs {error.name}, which is not installed.") from None
    try:
        return render_chat(template, messages, bos=model.bos_text, eos=model.eos_text)
    except template_failures() as error:
        # Templates refuse what they do not know by raising, with a text of their own.
        why = str(error).rstrip(".") or type(error).__name__
        raise RunnerError("bad_request", f"The file's chat template cannot be rendered: {why}.") from None
