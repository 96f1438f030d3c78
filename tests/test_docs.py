"""What can be checked about the pages without running them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

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


def test_no_file_holds_an_unfinished_merge() -> None:
    """docs/data.md was published with conflict markers, and with both sides of them."""
    files = [path for pattern in ("*", ".ci/*") for path in ROOT.glob(pattern) if path.is_file()]
    for folder in ("benchmarks", "bundle", "configs", "devices", "docs", "export", "fdd_edge", "tests"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 300
    marker = re.compile(rb"^(?:<{7}|\|{7}|>{7})(?: |$)", re.MULTILINE)
    assert [path.relative_to(ROOT) for path in files if marker.search(path.read_bytes())] == []


def test_every_page_is_listed_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", index.read_text(encoding="utf-8"))
    }
    assert linked >= {*ROOT.glob("docs/*.md")} - {index}
    assert {ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "devices/README.md")} <= linked


def test_the_readme_is_short_and_says_what_a_stranger_asks_first() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 160
    heads = [head for head in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    for head in (
        "Install",
        "Distil a model",
        "Export your own model",
        "Evaluate any GGUF file",
        "Use a board",
        "Results",
    ):
        assert head in heads
    python = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert f"Python {python.removeprefix('>=')} or newer" in text
    assert "docs/index.md" in text


def test_the_picture_reads_on_light_and_dark_pages() -> None:
    """Every text is dark and inside a light box, so the page's own background does not matter."""
    picture = ROOT / "docs" / "loop.svg"
    assert f"(docs/{picture.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    boxes = [[float(box.attrib[key]) for key in ("x", "y", "width", "height")] for box in root.iter(f"{svg}rect")]
    texts = list(root.iter(f"{svg}text"))
    assert len(texts) > 10
    for text in texts:
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        assert any(left < x < left + width and top < y < top + height for left, top, width, height in boxes), text.text


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (untuned, 4 examples in the prompt|round \d) \|(.+)\|$", (ROOT / "README.md").read_text(), re.M
    )
    assert len(rows) == 3
    for name, cells in rows:
        assert f"| {name} |{cells}|" in results, name
