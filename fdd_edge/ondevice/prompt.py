"""Build the exact text that a model reads for a question.

A template is a text that contains ``{question}``. It is applied byte for byte in the same way on every device, so that
a student is asked exactly what it was trained on.
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
"""The prompt argument that selects the chat template of the model file."""

TEMPLATE_KEY = "fdd_edge.prompt_template"
"""The GGUF metadata key under which an exported student stores its template."""

CHAT_TEMPLATE_KEY = "tokenizer.chat_template"

BLANK_LINE = "\n\n"


class ModelTexts(Protocol):
    """What a prompt needs to know about a model."""

    @property
    def bos_text(self) -> str:
        """The text of the beginning-of-sequence token; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the end-of-sequence token; empty if there is none."""

    def metadata(self, key: str) -> str | None:
        """Return the file's metadata under a key, or None."""


@dataclass(frozen=True)
class Prompt:
    """A template, split at its questions. No other brace in it has a meaning.

    Attributes:
        parts: The texts around the questions, at least two.
        next_example: How a model goes on when it invents another example after its reply; None without examples.
    """

    parts: tuple[str, ...]
    next_example: NextExample | None = None

    @classmethod
    def parse(cls, template: str) -> Prompt:
        """Split a template at every ``{question}``.

        Raises:
            RunnerError: The template does not contain ``{question}``.
        """
        parts = template.split(PLACEHOLDER)
        if len(parts) == 1:
            raise RunnerError("bad_request", f"The prompt template does not contain {PLACEHOLDER}: {template[:60]!r}.")
        return cls(tuple(parts))

    def render(self, question: str) -> str:
        """Return the text that the model reads."""
        return question.join(self.parts)

    @property
    def template(self) -> str:
        """The whole template."""
        return self.render(PLACEHOLDER)


@dataclass(frozen=True)
class NextExample:
    """Where the next worked example begins, which a model that was not trained on the prompt often invents.

    A blank line alone does not tell: programs and solutions contain blank lines.

    Attributes:
        opening: What an example begins with, before its question; empty if the template begins with the question.
        closing: What follows the question, for a template without an opening.
    """

    opening: str
    closing: str

    @classmethod
    def of(cls, prompt: Prompt) -> NextExample:
        """Return how an example of a prompt begins."""
        opening, closing = (part.strip().split("\n")[0].rstrip() for part in (prompt.parts[0], prompt.parts[-1]))
        return cls(opening, closing)

    def find(self, reply: bytes | bytearray, start: int) -> int | None:
        """Return where the next example begins in a reply, searched from a position on; None if it does not."""
        blank_line = BLANK_LINE.encode()
        if self.opening:
            at = reply.find(blank_line + self.opening.encode("utf-8", errors="replace"), start)
            return None if at < 0 else at
        closing = self.closing.encode("utf-8", errors="replace")
        at = reply.find(b"\n" + closing, start) if closing else reply.find(blank_line, start)
        # The invented question is between the last blank line and the closing.
        return None if at < 0 else max(reply.rfind(blank_line, 0, at), 0) if closing else at

    @property
    def longest(self) -> int:
        """The most bytes that may have been added before it is found."""
        return len((BLANK_LINE + (self.opening or self.closing)).encode("utf-8", errors="replace"))


def begins_with_bos(text: str, *, adds_bos: bool, bos_text: str | None) -> bool:
    """Return whether BOS must be prepended to a prompt: not if its text already starts with it.

    Args:
        text: The prompt.
        adds_bos: Whether the vocabulary asks for a beginning-of-sequence token.
        bos_text: The token's text; empty or None if there is none.
    """
    return adds_bos and not (bos_text and text.startswith(bos_text))


def make_prompt(requested: str | None, shots: Sequence[Shot], model: ModelTexts) -> Prompt:
    """Return the prompt for a model, with worked examples in front.

    Args:
        requested: A template, ``chat``, or None for what the model file stores: a template, else its chat template.
        shots: Worked examples: earlier turns of a chat, otherwise texts above the question, separated by blank lines.
        model: The loaded model.

    Raises:
        RunnerError: There is no template, or it cannot be used.
    """
    template = requested if requested is not None else model.metadata(TEMPLATE_KEY)
    if template is None and model.metadata(CHAT_TEMPLATE_KEY) is not None:
        template = CHAT
    if template is None:
        raise RunnerError(
            "bad_request", "This model stores neither a prompt nor a chat template. Use the prompt plain."
        )
    if template == CHAT:
        return Prompt.parse(_render_chat(shots, model))
    plain = Prompt.parse(template)
    if not shots:
        return plain
    examples = [plain.render(shot.question) + shot.reply.rstrip("\n") + BLANK_LINE for shot in shots]
    first, *rest = plain.parts
    return Prompt(("".join(examples) + first, *rest), NextExample.of(plain))


def _render_chat(shots: Sequence[Shot], model: ModelTexts) -> str:
    """Render the model's chat template once, with the placeholder as the last user message."""
    template = model.metadata(CHAT_TEMPLATE_KEY)
    if template is None:
        raise RunnerError("bad_request", "This model has no chat template. Use another prompt, such as plain.")
    messages: list[dict[str, str]] = []
    for shot in shots:
        messages.append({"role": "user", "content": shot.question})
        messages.append({"role": "assistant", "content": shot.reply})
    messages.append({"role": "user", "content": PLACEHOLDER})
    try:
        from .chat import render_chat, template_errors
    except ModuleNotFoundError as error:
        raise RunnerError(
            "runtime_missing", f"Rendering a chat template needs {error.name}, which is not installed."
        ) from None
    try:
        return render_chat(template, messages, bos=model.bos_text, eos=model.eos_text)
    except template_errors() as error:
        # Templates reject messages they do not support by raising an error with their own text.
        why = str(error).rstrip(".") or type(error).__name__
        raise RunnerError("bad_request", f"The model's chat template cannot be rendered: {why}.") from None
