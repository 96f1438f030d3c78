"""What can be checked of the pages without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])


def test_there_are_pages() -> None:
    assert {"README.md", "results.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_table_has_as_many_columns_below_its_head(page: Path) -> None:
    """Two tables had one dash too many, and a reader saw their source instead of a table."""
    lines = page.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[1:], 2):
        if re.fullmatch(r"\|(?: *:?-+:? *\|)+", line):
            head = lines[number - 2].replace("\\|", "")
            assert head.count("|") == line.count("|"), f"{page.name}:{number}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, section in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name}: {target}"
        assert not section or section in anchors(linked), f"{page.name}: {target}#{section}"


def anchors(page: Path) -> list[str]:
    """Return the names of a page's sections, made of their heads as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
