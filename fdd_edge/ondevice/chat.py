"""Render a chat template as transformers and llama-cpp-python do: in Jinja's sandbox, with their few additions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes, parser
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["render_chat", "template_errors"]


class _Generation(Extension):
    """The tag around the assistant's text, which marks it for training and does not change it."""

    tags = {"generation"}  # noqa: RUF012 (as the base class has it)

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        """Return the nodes between the tags."""
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
    """Render a chat whose next turn is the assistant's.

    Args:
        template: Jinja source, not trusted.
        messages: Each with ``role`` and ``content``.
        bos: Text of the beginning-of-sequence token; empty if there is none.
        eos: Text of the end-of-sequence token; empty if there is none.
        now: Formats the current time, given a format of ``strftime``.

    Raises:
        Exception: One of ``template_errors``.
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
        raise_exception=_raise,
        strftime_now=now,
        tools=None,
    )


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, sort_keys=sort_keys)


def template_errors() -> tuple[type[Exception], ...]:
    """Return what compiling or rendering a chat template may raise: a foreign one can fail like any expression.

    Neither its time nor its output is bounded: Jinja's sandbox only limits a single ``range``.
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
        RuntimeError,  # also RecursionError, from a macro that calls itself
        SyntaxError,  # blocks nested deeper than Python's compiler allows
    )
