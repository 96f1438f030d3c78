"""What the docs say about the commands is what the commands say themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import yaml
from click.testing import CliRunner

from fdd_edge import api
from fdd_edge.cli import COMMANDS, cli
from fdd_edge.cli.commands_page import reference
from fdd_edge.cli.config_page import config_page
from fdd_edge.config_schema import config_schema

ROOT = Path(__file__).parent.parent.parent


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == reference(), (
        "run: python -m fdd_edge.cli.commands_page > docs/commands.md"
    )


def test_the_config_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == config_page(), (
        "run: python -m fdd_edge.cli.config_page > docs/config.md"
    )


def test_the_config_reference_shows_bounds_and_what_happens_without_a_section() -> None:
    page = config_page()
    assert "\n## baseline\n\nThe untuned student, evaluated next to the trained one. Default: not evaluated.\n" in page
    for line in (
        "| `rounds` | whole number, at least 1 | `2` |",
        "| `batch_size` | whole number, 1 to 256 | `16` |",
        "| `learning_rate` | number, greater than 0 |",
        "| `seed` | whole number, at least 0, less than 2147483648 | `0` |",
    ):
        assert f"\n{line}" in page


def code_lines(text: str) -> list[str]:
    """Return the lines of a page that are code: indented by four spaces, or fenced; continued lines are joined."""
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S))
    indented = "".join(f"{line}\n" for line in re.findall(r"^    (.+)$", text, re.M))
    return re.sub(r"\\\n\s*", "", fenced + indented).splitlines()


def documented_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield (page, words) for each `fdd-edge` command line of the pages."""
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")):
        for line in code_lines(page.read_text(encoding="utf-8")):
            if found := re.match(r"(?:\$ )?(?:(?:\w+=\S* )*fdd-edge|accelerate launch .*-m fdd_edge) ([a-z].*)", line):
                yield page.name, re.sub(r"\s#.*|&&.*", "", found[1]).split()


def test_every_command_and_option_of_the_docs_exists() -> None:
    seen = set()
    for page, words in documented_commands():
        name = words[0]
        assert name in COMMANDS, f"{page}: {name}"
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group) and len(words) > 1:
            command = command.get_command(click.Context(command), words[1])
        assert command is not None, f"{page}: {' '.join(words)}"
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        assert used <= options, f"{page}: fdd-edge {' '.join(words)}"
        seen.add(name)
    assert seen == set(COMMANDS)


def test_every_command_is_a_function_that_the_page_of_python_lists() -> None:
    """The page said so of every command, but did not list those of the ledger; `ls schema` was not one."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\([^`|]*\)` \| (.+?) \| ", page, re.M)
    assert {name for name, _ in rows} == set(api.__all__)
    assert {command.strip("`").split()[0] for _, command in rows} - {"-"} == set(COMMANDS) - {"init", "targets"}
    assert "what `ls schema` prints is a dict, `config_schema()` of `fdd_edge.config_schema`" in page
    assert config_schema()["title"] == "A run of fdd-edge"


def test_every_file_named_in_the_docs_exists() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "devices" / "README.md"):
        for name in re.findall(
            r"`((?:fdd_edge|tests|benchmarks|docs|configs|export|devices)/[\w./-]+)`", path.read_text()
        ):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_ls_shows_the_description_that_a_file_states() -> None:
    """It reads one line per file instead of importing a YAML parser."""
    listed = api.ls().to_dict()
    for kind, shelf in (("recipes", "export/recipes"), ("targets", "devices/profiles")):
        files = sorted((ROOT / shelf).glob("*.yaml"))
        assert files
        stated = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["description"] for file in files}
        assert listed[kind] == stated


def test_ls_and_doctor_speak_json_too() -> None:
    for command in ("ls", "doctor"):
        result = CliRunner().invoke(cli, [command, "--json"])
        assert result.exit_code == 0
        assert result.output.startswith("{")
