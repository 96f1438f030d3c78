"""What the docs say of the commands is what the commands say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from fdd_edge.cli import COMMANDS, cli
from fdd_edge.cli.commands_page import reference

ROOT = Path(__file__).parent.parent.parent


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == reference(), (
        "run: python -m fdd_edge.cli.commands_page > docs/commands.md"
    )


def test_every_command_named_in_the_docs_exists() -> None:
    texts = [p.read_text(encoding="utf-8") for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))]
    named = {name for text in texts for name in re.findall(r"^    (?:\$ )?fdd-edge ([a-z]+)", text, re.M)}
    assert named
    assert named <= set(COMMANDS)


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


def test_ls_and_doctor_speak_json_too() -> None:
    for command in ("ls", "doctor"):
        result = CliRunner().invoke(cli, [command, "--json"])
        assert result.exit_code == 0
        assert result.output.startswith("{")
