"""The chat template of an artifact: a single user message must become the prompt that the student was trained on.

Chat front ends (llama-cpp-python, llama-server, Ollama, LM Studio) ask a model through the Jinja template in its file
and ignore ``fdd_edge.prompt_template``. So the base's own template is kept only if it is shown to render the same
prompts; otherwise a new one is written. Templates are untrusted: ``ondevice.chat`` bounds them.
"""

from __future__ import annotations

from typing import Protocol

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.next_example import BLANK_LINE
from fdd_edge.ondevice.prompt import Prompt

__all__ = [
    "Tokens",
    "chat_prompts",
    "chat_template_for",
    "expected_prompts",
    "fitting_chat_template",
    "renders",
    "write_chat_template",
]

_PROBES = (
    "Tom has 3 apples and gets 4. How many apples has he?",
    "  two  spaces, before and after  ",
    "\na line\n\nand another\n",
    "",
    'He said "it\'s" 5 < 6 & 7 > 2 {{ braces }} {% set x = 1 %} \\n {question} naïve 東京',
)
"""Questions that templates may render differently: trimmed, escaped, or rendered a second time."""

_CLOCKS = ("1 Jan 2001", "31 Dec 2033")
"""Times at which templates are rendered: the prompt of a file must not depend on the day."""


class Tokens(Protocol):
    """What a chat template needs to know about a vocabulary."""

    @property
    def bos_text(self) -> str:
        """The text of the BOS token; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the EOS token; empty if there is none."""

    def begins(self, text: str) -> bool:
        """Return whether the device adds BOS to a text."""


class TemplatedVocab(Tokens, Protocol):
    """A vocabulary with the chat template of its base."""

    @property
    def chat_template(self) -> str | None:
        """The chat template, Jinja source, or None."""


def chat_template_for(labels: ArtifactLabels, vocab: TemplatedVocab) -> str | None:
    """Return the chat template to store in an artifact; None keeps the one of its vocabulary.

    Args:
        labels: The model was trained on their prompt, or it was not trained.
        vocab: Its vocabulary.
    """
    if not labels.trained:
        return None
    return fitting_chat_template(vocab.chat_template, labels.prompt_template, vocab)


def fitting_chat_template(base_template: str | None, template: str, vocab: Tokens) -> str:
    """Return the base's chat template if it renders a student's prompt; otherwise write one that does.

    Args:
        base_template: The base's chat template, Jinja source, or None.
        template: The student's prompt, holding ``{question}``.
        vocab: Its vocabulary, which determines whether BOS is added to a prompt.
    """
    if base_template is not None and renders(base_template, template, vocab):
        return base_template
    return write_chat_template(template, begins=vocab.begins(Prompt.parse(template).parts[0]))


def renders(chat_template: str, template: str, vocab: Tokens) -> bool:
    """Return whether a chat template turns any user message, at any time, into the student's prompt."""
    return chat_prompts(chat_template, vocab) == expected_prompts(template, vocab)


def chat_prompts(chat_template: str | None, vocab: Tokens) -> tuple[str | None, ...]:
    """Return the prompts that a chat template makes of difficult questions, each a single user message.

    Args:
        chat_template: Jinja source, or None.
        vocab: The vocabulary of its file.

    Returns:
        One prompt per question and time; None if there is no template, or it refuses the question.

    Raises:
        FddError: The template takes too much of the machine.
    """
    if chat_template is None:
        return (None,) * len(_CLOCKS) * len(_PROBES)
    try:
        from fdd_edge.ondevice.chat import Chat, ChatError, render_chats
    except ModuleNotFoundError:
        raise MissingExtraError("jinja2", "gguf") from None
    chats = [Chat([{"role": "user", "content": question}], clock) for clock in _CLOCKS for question in _PROBES]
    texts = render_chats(chat_template, chats, bos=vocab.bos_text, eos=vocab.eos_text)
    for text in texts:
        if isinstance(text, ChatError) and text.hostile:
            raise FddError(f"The model's chat template cannot be rendered: {text}; remove it from the model.")
    return tuple(None if isinstance(text, ChatError) else text for text in texts)


def expected_prompts(template: str, vocab: Tokens) -> tuple[str | None, ...]:
    """Return the prompts of the same questions, as rendered for the student's training."""
    texts = [Prompt.parse(template).render(question) for question in _PROBES]
    return tuple(vocab.bos_text + text if vocab.begins(text) else text for text in texts) * len(_CLOCKS)


def write_chat_template(template: str, *, begins: bool) -> str:
    """Return a chat template that puts a student's prompt around every user message.

    Earlier turns are rendered like worked examples (``ondevice.prompt.make_prompt``): a blank line after each reply.

    Args:
        template: The student's prompt, holding ``{question}``.
        begins: Whether the device adds BOS to the prompt.
    """
    prompt = Prompt.parse(template)
    refusal = "This model was trained on single questions; it takes user and assistant messages only."
    return "".join(
        (
            "{{ bos_token }}" if begins else "",
            "{% for message in messages %}",
            "{% if message['role'] == 'user' %}",
            "{{ message['content'] }}".join(map(_output, prompt.parts)),
            "{% elif message['role'] == 'assistant' %}",
            f"{{{{ message['content'].rstrip('\\n') }}}}{_output(BLANK_LINE)}",
            f"{{% else %}}{{{{ raise_exception({_literal(refusal)}) }}}}{{% endif %}}",
            "{% endfor %}",
        )
    )


def _output(text: str) -> str:
    """Return the Jinja expression that outputs a text; outside of expressions, Jinja's settings remove line ends."""
    return f"{{{{ {_literal(text)} }}}}" if text else ""


def _literal(text: str) -> str:
    """Return a text as a Jinja string."""
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, escaped)
    return f'"{text}"'
