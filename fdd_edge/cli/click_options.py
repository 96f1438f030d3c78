"""Command-line options, derived from the dataclasses that define them, and what all commands share."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click

from fdd_edge.arguments import MAX_SAMPLES, TOKENS_OF_TEXT
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.ondevice.verdicts import ANSWER_RULES
from fdd_edge.renames import OPTIONS, given_twice, rename_note

__all__ = [
    "EXAMPLE_QUESTION",
    "Command",
    "answer_option",
    "columns_options",
    "json_option",
    "max_new_tokens_option",
    "num_fewshot_option",
    "options_of",
    "prompt_option",
    "revision_option",
    "samples_option",
    "seed_option",
    "set_option",
    "target_option",
]

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLE_QUESTION = "Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?"
"""The question in the commands that `run` and `export` suggest."""


class Command(click.Command):
    """A command that accepts old names and underscores in option names, and ``-q`` and ``-v``."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for name, flag, level, text in (
            ("quiet", "-q", "WARNING", "Print only warnings and errors on stderr."),
            ("verbose", "-v", "DEBUG", "Also print up-to-date stages and timings."),
        ):
            self.params.append(
                click.Option(
                    [flag, f"--{name}"], is_flag=True, expose_value=False, callback=_log_level(level), help=text
                )
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Translate names, then parse.

        Raises:
            click.UsageError: An option is given by its old and by its new name.
        """
        known = {name for param in self.params for name in param.opts}
        end = args.index("--") if "--" in args else len(args)
        options, rest = args[:end], args[end:]
        names = [_option_name(arg, known) for arg in options]
        for old, new in OPTIONS.items():
            if old in names and new in known:
                if new in names:
                    raise click.UsageError(f"{old} is {given_twice(new)}.", ctx)
                click.echo(f"Note: {rename_note(old, new)}", err=True)
        renamed = [_renamed(arg, OPTIONS.get(name, name), known) for arg, name in zip(options, names, strict=True)]
        return super().parse_args(ctx, [*renamed, *rest])


def _option_name(arg: str, known: set[str]) -> str:
    """Return the name of an argument's option, with dashes unless the command knows it as it is."""
    name = arg.partition("=")[0]
    return name if name in known else name.replace("_", "-")


def _renamed(arg: str, name: str, known: set[str]) -> str:
    """Return an argument with another name for its option, if the command knows that one."""
    own, equals, value = arg.partition("=")
    return f"{name}{equals}{value}" if own.startswith("--") and name in known else arg


def _log_level(level: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            import logging

            from fdd_edge.progress import show_on_stderr

            show_on_stderr(getattr(logging, level))

    return callback


def options_of(options: type, *names: str, renamed: Mapping[str, str] = types.MappingProxyType({})) -> Callable[[F], F]:
    """Return a decorator that adds an option for each named field of a dataclass: its type, default, bounds and help.

    Args:
        options: The dataclass.
        names: Its fields, in the order of the help text.
        renamed: Option names that differ from the field's.
    """
    found = {field.name: field for field in fields(options)}
    hints = get_type_hints(options)

    def decorate(function: F) -> F:
        for name in reversed(names):
            field = found[name]
            flag = renamed.get(name, name).replace("_", "-")
            kind = _click_type(hints[name], field.metadata)
            function = click.option(
                f"--{flag}/--no-{flag}" if kind is click.BOOL else f"--{flag}",
                name,
                type=kind,
                default=field.default,
                show_default=field.default is not None,
                help=f"{_sentence(field.metadata['description'])}",
            )(function)
        return function

    return decorate


def columns_options(function: F) -> F:
    """Add ``--question-field`` and ``--answer-field``."""
    from fdd_edge.resolve.dataset import DatasetOptions

    return options_of(DatasetOptions, "question_field", "answer_field")(function)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _click_type(hint: Any, bounds: Mapping[str, Any]) -> click.ParamType[Any]:
    """Return click's type for a field."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is Literal:
        return click.Choice(get_args(hint))
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    is_open = {"min_open": "gt" in bounds, "max_open": "lt" in bounds}
    if hint is bool:
        return click.BOOL
    if hint is int:
        return click.IntRange(low, high)
    if hint is float:
        return click.FloatRange(low, high, **is_open)
    return click.STRING


def _refuse_device(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Answer ``--device``, which other tools have, with the option to use instead."""
    if value is not None:
        raise click.UsageError("There is no --device: name a target, as in --target local (see `fdd-edge ls targets`).")


def target_option(function: F) -> F:
    """Add ``--target``."""
    function = click.option("--device", hidden=True, expose_value=False, callback=_refuse_device)(function)
    return click.option(
        "--target", default="local", show_default=True, metavar="NAME", help="Device profile to run on."
    )(function)


def prompt_option(text: str = "Default: the prompt stored in the file.") -> Callable[[F], F]:
    """Return a decorator that adds ``--prompt``."""
    return click.option("--prompt", metavar="plain|chat|FILE", help=text)


def num_fewshot_option(function: F) -> F:
    """Add ``--num-fewshot``."""
    kind = click.IntRange(min=0)
    return click.option(
        "--num-fewshot", type=kind, default=0, show_default=True, metavar="N", help="Worked examples in the prompt."
    )(function)


def answer_option(function: F) -> F:
    """Add ``--answer``."""
    return click.option(
        "--answer",
        type=click.Choice(ANSWER_RULES),
        default="program",
        show_default=True,
        help="`program` takes the answer of the reply's program. For free-form text, `number` takes the number that it "
        'marks as its answer (`####`, a box, "answer is"), else its last one, and `last-number` the last.',
    )(function)


def max_new_tokens_option(function: F) -> F:
    """Add ``--max-new-tokens``."""
    return click.option(
        "--max-new-tokens",
        type=click.IntRange(1),
        metavar="N",
        help=f"Maximum tokens per reply. Default: {Decoding.max_new_tokens}; {TOKENS_OF_TEXT} for answers in free-form "
        "text.",
    )(function)


def samples_option(text: str) -> Callable[[F], F]:
    """Return a decorator that adds ``--samples``."""
    kind = click.IntRange(1, MAX_SAMPLES)
    return click.option("--samples", type=kind, default=1, show_default=True, metavar="K", help=text)


def seed_option(text: str) -> Callable[[F], F]:
    """Return a decorator that adds ``--seed``."""
    return click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=text)


def set_option(text: str = "Override a key of the config; repeatable.") -> Callable[[F], F]:
    """Return a decorator that adds ``--set``."""
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=text)


def revision_option(text: str) -> Callable[[F], F]:
    """Return a decorator that adds ``--revision``."""
    return click.option("--revision", metavar="REV", help=text)


def json_option(text: str = "Print one JSON object.") -> Callable[[F], F]:
    """Return a decorator that adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help=text)
