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
    """A template, split at its question. No other brace in it has a meaning."""

    prefix: str
    suffix: str

    @classmethod
    def parse(cls, template: str) -> Prompt:
        """Split a template at its last ``{question}``; worked examples may contain it earlier.

        Raises:
            RunnerError: The template does not contain ``{question}``.
        """
        prefix, found, suffix = template.rpartition(PLACEHOLDER)
        if not found:
            raise RunnerError("bad_request", f"The prompt template does not contain {PLACEHOLDER}: {template[:60]!r}.")
        return cls(prefix, suffix)

    def render(self, question: str) -> str:
        """Return the text that the model reads."""
        return self.prefix + question + self.suffix

    @property
    def template(self) -> str:
        """The whole template."""
        return self.render(PLACEHOLDER)


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
        requested: A template, ``chat``, or None for the template stored in the model file.
        shots: Worked examples: earlier turns of a chat, otherwise texts above the question, separated by blank lines.
        model: The loaded model.

    Raises:
        RunnerError: There is no template, or it cannot be used.
    """
    template = requested if requested is not None else model.metadata(TEMPLATE_KEY)
    if template is None:
        raise RunnerError(
            "bad_request", "This model stores no prompt. Use the prompt chat (its own chat template) or plain."
        )
    if template == CHAT:
        return Prompt.parse(_render_chat(shots, model))
    plain = Prompt.parse(template)
    examples = [plain.render(shot.question) + shot.reply.rstrip("\n") + BLANK_LINE for shot in shots]
    return Prompt("".join(examples) + plain.prefix, plain.suffix)


def _render_chat(shots: Sequence[Shot], model: ModelTexts) -> str:
    """Render the model's chat template once, with the placeholder as the last user message."""
    template = model.metadata("tokenizer.chat_template")
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
