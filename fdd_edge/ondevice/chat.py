"""Render a chat template as transformers and llama-cpp-python do: in Jinja's sandbox, with their few additions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from jinja2 import nodes, parser
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .bounded import BoundedError, BoundedFunction

__all__ = ["Chat", "ChatError", "bounded_texts", "render_chat", "render_chats"]

LONGEST = 1_000_000
"""Characters of a rendered chat; a model whose context has room for a third of that has billions of weights."""


class _Generation(Extension):
    """The tag around the assistant's text, which marks it for training and does not change it."""

    tags = {"generation"}  # noqa: RUF012 (as the base class has it)

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        """Return the nodes between the tags."""
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatError(Exception):
    """A chat template cannot be rendered; the message says why, without a full stop.

    Attributes:
        hostile: Whether it takes too much of the machine, where an honest one at most refuses a message.
    """

    def __init__(self, why: str, *, hostile: bool = False) -> None:
        super().__init__(why)
        self.hostile = hostile


class Chat(NamedTuple):
    """What a template is given.

    Attributes:
        messages: Each with ``role`` and ``content``; the next turn is the assistant's.
        date: What the template is given if it asks for the date, in whatever form; None for that of the moment.
        moment: The local time that it is given, in ISO 8601; None for the clock's.
    """

    messages: Sequence[Mapping[str, str]]
    date: str | None = None
    moment: str | None = None


def render_chat(
    template: str, messages: Sequence[Mapping[str, str]], *, bos: str, eos: str, moment: str | None = None
) -> str:
    """Render one chat; see ``render_chats``.

    Raises:
        ChatError: It cannot be rendered.
    """
    (text,) = render_chats(template, [Chat(messages, moment=moment)], bos=bos, eos=eos)
    if isinstance(text, ChatError):
        raise text
    return text


def render_chats(template: str, chats: Sequence[Chat], *, bos: str, eos: str) -> list[str | ChatError]:
    """Render chats with one template, in a child process that is limited in time and memory.

    Args:
        template: Jinja source, not trusted.
        chats: The chats.
        bos: Text of the beginning-of-sequence token; empty if there is none.
        eos: Text of the end-of-sequence token; empty if there is none.

    Returns:
        A text per chat, or why there is none.
    """

    def render(chat: Sequence[Any]) -> str:
        return _render(template, Chat(*chat), bos=bos, eos=eos)

    return list(bounded_texts(render, chats))


def bounded_texts(render: Callable[[Any], str], chats: Sequence[Any]) -> Iterator[str | ChatError]:
    """Yield what a function renders in a child process, or why it does not."""
    with BoundedFunction(render) as bounded:
        for chat in chats:
            try:
                text: str = bounded(chat)
            except BoundedError as error:
                yield ChatError(f"it {error}" if error.over_limit else str(error), hostile=error.over_limit)
                continue
            yield text if len(text) <= LONGEST else ChatError(f"it makes {len(text):,} characters", hostile=True)


def _render(template: str, chat: Chat, *, bos: str, eos: str) -> str:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    now = datetime.fromisoformat(chat.moment) if chat.moment else datetime.now()
    return environment.from_string(template).render(
        messages=chat.messages,
        bos_token=bos,
        eos_token=eos,
        add_generation_prompt=True,
        raise_exception=_raise,
        strftime_now=lambda form: now.strftime(form) if chat.date is None else chat.date,
        tools=None,
    )


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, sort_keys=sort_keys)
