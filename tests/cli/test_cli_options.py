"""Options are derived from the dataclasses that define them; old names and names with underscores still work."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner, Result

from fdd_edge import api
from fdd_edge.arguments import TOKENS_OF_TEXT, HostOptions, default_tokens
from fdd_edge.cli import COMMANDS, cli
from fdd_edge.cli.click_options import Command, options_of
from fdd_edge.feedback import Bands, EvolveOptions
from fdd_edge.ondevice.options import option
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.renames import OPTIONS
from fdd_edge.resolve.dataset import DatasetOptions
from fdd_edge.students.training_options import TrainingOptions

Kind = Literal["one", "two"]


@dataclass(frozen=True)
class Sample:
    count: int = option(4, "how many", ge=1, le=9)
    rate: float = option(0.5, "a share", gt=0, le=1)
    threads: int | None = option(None, "default: all", ge=1)
    kind: Kind = option("one", "which kind")
    name: str | None = option(None, "what it is called")
    hidden: int = option(1, "not on the command line")


@click.command(cls=Command)
@options_of(Sample, "count", "rate", "threads", "kind", "name", renamed={"name": "label"})
def sample(**given: Any) -> None:
    click.echo(repr(given))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sample, arguments)


def given(*arguments: str) -> dict[str, Any]:
    ran = run(*arguments)
    assert ran.exit_code == 0, ran.output
    values: dict[str, Any] = ast.literal_eval(ran.output)
    return values


def test_defaults_are_the_fields() -> None:
    assert given() == {"count": 4, "rate": 0.5, "threads": None, "kind": "one", "name": None}


def test_a_field_that_is_true_false_or_open_has_two_flags() -> None:
    @click.command(cls=Command)
    @options_of(Decoding, "flash_attention")
    def decode(flash_attention: bool | None) -> None:
        click.echo(repr(flash_attention))

    said = [CliRunner().invoke(decode, words).output for words in ([], ["--flash-attention"], ["--no-flash-attention"])]
    assert said == ["None\n", "True\n", "False\n"]


def test_values_have_the_types_of_the_fields() -> None:
    arguments = ("--count", "7", "--rate", "1", "--threads", "2", "--kind", "two", "--label", "x")
    assert given(*arguments) == {"count": 7, "rate": 1.0, "threads": 2, "kind": "two", "name": "x"}
    assert isinstance(given("--rate", "1")["rate"], float)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--count", "0"), "0 is not in the range 1<=x<=9"),
        (("--count", "10"), "10 is not in the range 1<=x<=9"),
        (("--count", "1.5"), "'1.5' is not a valid integer range"),
        (("--rate", "0"), "0.0 is not in the range 0<x<=1"),
        (("--rate", "1.1"), "1.1 is not in the range 0<x<=1"),
        (("--threads", "0"), "0 is not in the range x>=1"),
        (("--kind", "three"), "'three' is not one of 'one', 'two'"),
        (("--hidden", "1"), "No such option"),
    ],
)
def test_bounds_and_choices_are_the_fields(arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert message in ran.output


def test_help_shows_description_default_and_range() -> None:
    text = " ".join(run("--help").output.split())
    assert "--count INTEGER RANGE How many. [default: 4; 1<=x<=9]" in text
    assert "--rate FLOAT RANGE A share. [default: 0.5; 0<x<=1]" in text
    assert "--threads INTEGER RANGE Default: all. [x>=1]" in text
    assert "--kind [one|two] Which kind. [default: one]" in text
    assert "--label TEXT What it is called. " in text


@pytest.mark.parametrize(
    ("command", "options", "names"),
    [
        ("eval", Decoding, ("batch_size", "threads", "flash_attention", "wave")),
        ("eval", DatasetOptions, ("format", "split", "subset", "revision", "question_field", "answer_field", "limit")),
        ("train", DatasetOptions, ("question_field", "answer_field")),
        ("train", TrainingOptions, ("threads",)),
        ("export", HostOptions, ("threads",)),
        ("parity", HostOptions, ("threads",)),
        ("solve", Decoding, ("threads",)),
        ("bench", Decoding, ("threads",)),
        ("split", Bands, ("easy_at", "hard_at")),
        ("evolve", EvolveOptions, ("per_easy", "per_hard", "max_depth", "policy")),
    ],
)
def test_the_commands_take_default_and_help_from_the_room_that_uses_an_option(
    command: str, options: type, names: tuple[str, ...]
) -> None:
    with click.Context(cli) as context:
        found = cli.get_command(context, command)
    assert found is not None
    params = {param.name: param for param in found.params}
    for name in names:
        field = options.__dataclass_fields__[name]  # type: ignore[attr-defined]
        param = params[name]
        assert isinstance(param, click.Option)
        assert param.default == field.default
        description: str = field.metadata["description"]
        assert param.help == f"{description[0].upper()}{description[1:]}."


@pytest.mark.parametrize(
    ("function", "options", "names"),
    [
        (api.evaluate, Decoding, ("batch_size", "threads", "flash_attention", "wave")),
        (
            api.evaluate,
            DatasetOptions,
            ("format", "split", "subset", "revision", "question_field", "answer_field", "limit"),
        ),
        (api.train, DatasetOptions, ("question_field", "answer_field")),
        (api.train, TrainingOptions, ("threads",)),
        (api.export, HostOptions, ("threads",)),
        (api.certify, HostOptions, ("threads",)),
        (api.load, Decoding, ("batch_size", "threads")),
        (api.solve, Decoding, ("threads",)),
        (api.bench, Decoding, ("threads",)),
        (api.split, Bands, ("easy_at", "hard_at")),
        (api.evolve, EvolveOptions, ("per_easy", "per_hard", "max_depth", "policy")),
    ],
)
def test_the_functions_describe_an_option_in_the_words_of_its_help(
    function: Callable[..., Any], options: type, names: tuple[str, ...]
) -> None:
    described = arguments_of(function)
    for name in names:
        description: str = options.__dataclass_fields__[name].metadata["description"]  # type: ignore[attr-defined]
        assert described[name] == f"{description[0].upper()}{description[1:]}.", name


@pytest.mark.parametrize(
    ("command", "function", "names"),
    [
        ("eval", api.evaluate, ("target", "num_fewshot", "answer", "max_new_tokens", "seed")),
        ("solve", api.solve, ("target", "num_fewshot", "answer", "max_new_tokens")),
        ("bench", api.bench, ("target",)),
        ("parity", api.certify, ("target",)),
        ("split", api.split, ("float_answers",)),
        ("evolve", api.evolve, ("teacher", "round_number", "seed")),
    ],
)
def test_a_command_and_its_function_describe_their_other_options_in_the_same_words(
    command: str, function: Callable[..., Any], names: tuple[str, ...]
) -> None:
    (found,) = commands(command)
    assert found is not None
    helps = {param.name: param.help for param in found.params if isinstance(param, click.Option)}
    described = arguments_of(function)
    assert {name: described[name] for name in names} == {name: helps[name] for name in names}


def test_the_token_limit_of_the_commands_is_that_of_a_run_but_for_free_form_text() -> None:
    assert default_tokens("program") == Decoding.max_new_tokens
    assert default_tokens("number") == default_tokens("last-number") == TOKENS_OF_TEXT
    for name in ("eval", "solve"):
        (found,) = commands(name)
        assert found is not None
        (option,) = (param for param in found.params if param.name == "max_new_tokens")
        assert isinstance(option, click.Option)
        assert not isinstance(option.default, int)
        assert f"Default: {Decoding.max_new_tokens}; {TOKENS_OF_TEXT} for" in str(option.help)


def arguments_of(function: Callable[..., Any]) -> dict[str, str]:
    """Return what a docstring says about each argument, on one line and without quotes for code."""
    section = re.split(r"\n\n", inspect.getdoc(function).split("Args:\n")[1])[0]  # type: ignore[union-attr]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).replace("``", "`") for name, text in entries}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_and_the_help_of_a_command_have_the_same_summary(name: str) -> None:
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
    assert command is not None
    assert command.help is not None
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name]


def commands(name: str) -> list[click.Command | None]:
    """Return a command, or those of a group."""
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
    return [*command.commands.values()] if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_accepts_old_names_and_quiet_and_verbose(name: str) -> None:
    found = commands(name)
    assert found
    for command in found:
        assert isinstance(command, Command)
        flags = {flag for param in command.params for flag in param.opts}
        assert {"-q", "--quiet", "-v", "--verbose"} <= flags


@click.command(cls=Command)
@click.option("--batch-size", type=int, default=1)
@click.option("--num-fewshot", type=int, default=0)
@click.argument("rest", required=False)
def decode(batch_size: int, num_fewshot: int, rest: str | None) -> None:
    click.echo(f"{batch_size} {num_fewshot} {rest}")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("--batch_size", "3"), "3 0 None"),
        (("--batch_size=3", "--num_fewshot=2"), "3 2 None"),
        (("--batch-size", "3", "--num-fewshot", "2"), "3 2 None"),
        (("--", "--sequences"), "1 0 --sequences"),
        (("a_file",), "1 0 a_file"),
    ],
)
def test_names_with_underscores_are_those_with_dashes(arguments: tuple[str, ...], printed: str) -> None:
    ran = CliRunner().invoke(decode, arguments)
    assert (ran.exit_code, ran.output.strip()) == (0, printed)


@pytest.mark.parametrize("arguments", [("--sequences", "3", "--shots", "2"), ("--sequences=3", "--shots=2")])
def test_old_names_of_options_work_and_are_announced_once(arguments: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(decode, arguments)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.strip() == "3 2 None"
    assert ran.stderr.splitlines() == [
        "Note: --sequences is now called --batch-size; the old name still works.",
        "Note: --shots is now called --num-fewshot; the old name still works.",
    ]


@pytest.mark.parametrize(("old", "new"), OPTIONS.items())
def test_an_old_name_next_to_its_new_one_is_an_error(old: str, new: str) -> None:
    for arguments in ((old, "3", new, "3"), (f"{new}=3", f"{old}=3"), (new.replace("-", "_").replace("__", "--"), "3")):
        ran = CliRunner().invoke(decode, arguments)
        if old in " ".join(arguments):
            assert ran.exit_code == 2
            assert f"{old} is the old name of {new}, which is also given; remove one." in ran.stderr
        else:
            assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("command", ["eval", "solve"])
def test_the_commands_know_the_old_names(command: str) -> None:
    """They get as far as the model file, which does not exist."""
    more = ["--data", "symbolic:train", "--sequences", "2"] if command == "eval" else ["How many?"]
    ran = CliRunner().invoke(cli, [command, "gone.gguf", *more, "--shots", "1"])
    assert "No such option" not in ran.output
    assert "--shots is now called --num-fewshot" in ran.stderr
