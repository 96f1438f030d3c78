"""Build the exact text that a model reads for a question.

A template is a text that contains ``{question}``. It is applied byte for byte in the same way on every device, so that
a student is asked exactly what it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from .next_example import BLANK_LINE, NextExample
from .protocol import RunnerError, Shot

__all__ = [
    "CHAT",
    "PLACEHOLDER",
    "TEMPLATE_KEY",
    "ModelTexts",
    "Prompt",
    "begins_with_bos",
    "make_prompt",
    "plain_prompt",
    "without_bom",
]

PLACEHOLDER = "{question}"

CHAT = "chat"
"""The prompt argument that selects the chat template of the model file."""

TEMPLATE_KEY = "fdd_edge.prompt_template"
"""The GGUF metadata key under which an exported student stores its template."""

CHAT_TEMPLATE_KEY = "tokenizer.chat_template"

_BOM = "\ufeff"


def without_bom(text: str) -> str:
    """Return a text without U+FEFF, which editors put into files unseen and no student was trained on.

    Every text that a model reads goes through a ``Prompt``, which drops it: templates, questions, rendered chats.
    """
    return text.replace(_BOM, "")


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
        parts = without_bom(template).split(PLACEHOLDER)
        if len(parts) == 1:
            raise RunnerError("bad_request", f"The prompt template does not contain {PLACEHOLDER}: {template[:60]!r}.")
        return cls(tuple(parts))

    def render(self, question: str) -> str:
        """Return the text that the model reads."""
        return without_bom(question).join(self.parts)

    @property
    def ends(self) -> tuple[str, str]:
        """The texts before the first and after the last question."""
        return self.parts[0], self.parts[-1]

    @property
    def template(self) -> str:
        """The whole template."""
        return self.render(PLACEHOLDER)

    @property
    def key(self) -> str:
        """Everything that a reply depends on, as one line: work that is kept under it is not mixed with others'."""
        return json.dumps(asdict(self), sort_keys=True)


def begins_with_bos(text: str, *, adds_bos: bool, bos_text: str | None) -> bool:
    """Return whether BOS must be prepended to a prompt: not if its text already starts with it.

    Args:
        text: The prompt.
        adds_bos: Whether the vocabulary asks for a beginning-of-sequence token.
        bos_text: The token's text; empty or None if there is none.
    """
    return adds_bos and not (bos_text and text.startswith(bos_text))


def make_prompt(
    requested: str | None, shots: Sequence[Shot], model: ModelTexts, rendered_at: str | None = None
) -> Prompt:
    """Return the prompt for a model, with worked examples in front.

    Args:
        requested: A template, ``chat``, or None for what the model file stores: a template, else its chat template.
        shots: Worked examples: earlier turns of a chat, otherwise texts above the question, separated by blank lines.
        model: The loaded model.
        rendered_at: The local time that a chat template is given, as ISO 8601, because many print the date; None
            for this device's clock.

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
        return Prompt.parse(_render_chat(shots, model, rendered_at))
    return plain_prompt(template, shots)


def plain_prompt(template: str, shots: Sequence[Shot]) -> Prompt:
    """Return the prompt of a template that is not ``chat``, with worked examples in front.

    Raises:
        RunnerError: The template does not contain ``{question}``.
    """
    plain = Prompt.parse(template)
    if not shots:
        return plain
    examples = [plain.render(shot.question) + without_bom(shot.reply).rstrip("\n") + BLANK_LINE for shot in shots]
    first, *rest = plain.parts
    return Prompt(("".join(examples) + first, *rest), NextExample.of(*plain.ends))


def _render_chat(shots: Sequence[Shot], model: ModelTexts, rendered_at: str | None) -> str:
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
        from .chat import ChatError, render_chat
    except ModuleNotFoundError as error:
        raise RunnerError(
            "runtime_missing", f"Rendering a chat template needs {error.name}, which is not installed."
        ) from None
    try:
        return render_chat(template, messages, bos=model.bos_text, eos=model.eos_text, moment=rendered_at)
    except ChatError as error:
        # Templates reject messages they do not support by raising an error with their own text.
        raise RunnerError("bad_request", f"The model's chat template cannot be rendered: {error}.") from None
