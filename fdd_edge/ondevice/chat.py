"""Rendering a chat template as transformers and llama-cpp-python do: Jinja's sandbox with their few additions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes, parser
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["render_chat", "template_failures"]


class _Generation(Extension):
    """The tag around what the assistant says: it marks text for training, and changes nothing in it."""

    tags = {"generation"}  # noqa: RUF012 (as the base class has it)

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        """Return what stands between the tags."""
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def render_chat(
    template: str,
    messages: Sequence[Mapping[str, str]],
    *,
    bos: str,
    eos: str,
    now: Callable[[str], str] = lambda form: datetime.now().strftime(form),
) -> str:
    """Return the text of a chat that is the assistant's turn now.

    Args:
        template: Jinja source, a stranger's.
        messages: Each with ``role`` and ``content``.
        bos: Text of the token that begins a text; empty if there is none.
        eos: Text of the token that ends a text; empty if there is none.
        now: Writes the time in a form of ``strftime``.

    Raises:
        Exception: One of ``template_failures``.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    return environment.from_string(template).render(
        messages=messages,
        bos_token=bos,
        eos_token=eos,
        add_generation_prompt=True,
        raise_exception=_refuse,
        strftime_now=now,
        tools=None,
    )


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, sort_keys=sort_keys)


def template_failures() -> tuple[type[Exception], ...]:
    """Return what compiling or rendering a chat template may raise: a stranger's may fail as any expression can.

    Nothing bounds how long one takes or how much it writes: Jinja's sandbox limits a single ``range`` only.
    """
    return (
        TemplateError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
        AssertionError,
        MemoryError,  # one giant string
        RuntimeError,  # RecursionError, from a macro that calls itself, and what an iterator may raise
        SyntaxError,  # blocks nested deeper than Python's compiler allows
    )
