"""The chat template of an artifact: one user message must become the very prompt that the student was trained on.

Chat front ends (llama-cpp-python, llama-server, Ollama, LM Studio) ask a model through the Jinja template in its file
and know nothing of ``fdd_edge.prompt_template``. So the base's own template stays only where it is proved to say the
same; else one is written. Templates come from strangers and are rendered in Jinja's sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fdd_edge.errors import MissingExtraError
from fdd_edge.ondevice.prompt import BLANK_LINE, Prompt

__all__ = ["chat_prompts", "expected_prompts", "fitting_chat_template", "renders", "write_chat_template"]

_PROBES = (
    "Tom has 3 apples and gets 4. How many apples has he?",
    "  two  spaces, before and after  ",
    "\na line\n\nand another\n",
    "",
    'He said "it\'s" 5 < 6 & 7 > 2 {{ braces }} {% set x = 1 %} \\n {question} naïve 東京',
)
"""Questions on which templates part ways: trimmed, escaped, or rendered once more."""

_CLOCKS = ("1 Jan 2001", "31 Dec 2033")
"""What a template is told the time is: the prompt of a file must not depend on the day."""


class Tokens(Protocol):
    """What a chat template needs to know of a vocabulary, whoever reads it."""

    @property
    def bos_text(self) -> str:
        """The text of the token that begins a text; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the token that ends a text; empty if there is none."""

    def begins(self, text: str) -> bool:
        """Say whether the token that begins a text is put before this one."""


def fitting_chat_template(own: str | None, template: str, vocab: Tokens) -> str:
    """Return the base's chat template if it renders a student's prompt, else one that does.

    Args:
        own: The base's chat template, Jinja source, or None.
        template: The student's prompt, holding ``{question}``.
        vocab: Its vocabulary, which says whether a prompt begins with a token of its own.
    """
    if own is not None and renders(own, template, vocab):
        return own
    return write_chat_template(template, begins=vocab.begins(Prompt.parse(template).prefix))


def renders(chat_template: str, template: str, vocab: Tokens) -> bool:
    """Say whether a chat template makes the student's prompt of one user message, whatever it says and whenever."""
    return chat_prompts(chat_template, vocab) == expected_prompts(template, vocab)


def chat_prompts(chat_template: str | None, vocab: Tokens) -> tuple[str | None, ...]:
    """Return what a chat template makes of questions on which templates part ways, each one user message.

    Args:
        chat_template: Jinja source, or None.
        vocab: The vocabulary of its file.

    Returns:
        A prompt each; None where there is no template, or it cannot be rendered.
    """
    return tuple(
        None if chat_template is None else _render(chat_template, [{"role": "user", "content": question}], vocab, clock)
        for clock in _CLOCKS
        for question in _PROBES
    )


def expected_prompts(template: str, vocab: Tokens) -> tuple[str | None, ...]:
    """Return the prompts of the same questions, by the template that a student is trained on."""
    texts = [Prompt.parse(template).render(question) for question in _PROBES]
    return tuple(vocab.bos_text + text if vocab.begins(text) else text for text in texts) * len(_CLOCKS)


def write_chat_template(template: str, *, begins: bool) -> str:
    """Return a chat template that says a student's prompt around every user message.

    Earlier turns stand as worked examples do (``ondevice.prompt.make_prompt``): each reply, then a blank line.

    Args:
        template: The student's prompt, holding ``{question}``.
        begins: Whether the device puts the token that begins a text before the prompt.
    """
    prompt = Prompt.parse(template)
    refusal = "This model was trained on single questions; it takes user and assistant messages only."
    return "".join(
        (
            "{{ bos_token }}" if begins else "",
            "{% for message in messages %}",
            "{% if message['role'] == 'user' %}",
            f"{_say(prompt.prefix)}{{{{ message['content'] }}}}{_say(prompt.suffix)}",
            "{% elif message['role'] == 'assistant' %}",
            f"{{{{ message['content'].rstrip('\\n') }}}}{_say(BLANK_LINE)}",
            f"{{% else %}}{{{{ raise_exception({_literal(refusal)}) }}}}{{% endif %}}",
            "{% endfor %}",
        )
    )


def _say(text: str) -> str:
    """Return the expression that says a text; outside of one, Jinja's settings eat line ends."""
    return f"{{{{ {_literal(text)} }}}}" if text else ""


def _literal(text: str) -> str:
    """Return a text as a Jinja string."""
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, escaped)
    return f'"{text}"'


def _render(chat_template: str, messages: Sequence[dict[str, str]], vocab: Tokens, clock: str) -> str | None:
    """Render a chat template as the runner does, at a time of our choice; None if it cannot be."""
    try:
        from fdd_edge.ondevice.chat import render_chat, template_failures
    except ModuleNotFoundError:
        raise MissingExtraError("jinja2", "gguf") from None
    try:
        return render_chat(chat_template, messages, bos=vocab.bos_text, eos=vocab.eos_text, now=lambda form: clock)
    except template_failures():
        return None
