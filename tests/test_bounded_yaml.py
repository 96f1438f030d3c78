"""YAML of strangers: aliases of aliases, deep nesting and values that there are not end in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.bounded_yaml import front_matter, load_yaml
from fdd_edge.config_file import load_config, override_source
from fdd_edge.data import choose_files
from fdd_edge.errors import FddError
from fdd_edge.students.model_card import read_license
from fdd_edge.targets import load_profile

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
HOSTILE = {
    BOMB: "found more than 100,000 values with all aliases written out in line 6, column 5",
    MERGES: "found more than 100,000 values with all aliases written out",
    "a: &a [*a]\n": "found an alias of what contains it",
    "a: &a {b: *a}\n": "found an alias of what contains it",
    "a: " + "[" * 3000: "nested too deeply",
    "a: " + "{b: " * 100_000: "nested too deeply",
    "a: " + "[" * 60 + "]" * 60: "found more than 50 levels of nesting",
    "a: 2024-02-30": "it has a value that there is not: day is out of range for month",
    "a: 1" + "0" * 5000: "it has a value that there is not",
    "a: 0x" + "f" * 5000: "found a number that is too long",
    "a: !!bool maybe": "it has a value that there is not",
    "a: !!timestamp soon": "it has a value that there is not",
    "a: !!int ''": "it has a value that there is not",
    "#" * 1_000_001: "it is longer than 1,000,000 characters",
}


@pytest.mark.parametrize(("text", "fault"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_every_reader_of_yaml_says_what_is_wrong(tmp_path: Path, text: str, fault: str) -> None:
    """These ended in a traceback, or took hours: 700 bytes stand for 9 ** 11 values."""
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    for read in (load_config, load_recipe, load_profile):
        with pytest.raises(FddError) as caught:
            read(str(path))
        assert fault in str(caught.value)
        assert len(str(caught.value)) < 500
        assert "\n" not in str(caught.value)
    with pytest.raises(FddError, match="the value is not valid YAML"):
        override_source({}, [f"a={text}"])


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_card_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(f"---\nlicense: mit\n{text}\n---\n# hi\n", encoding="utf-8")
    assert read_license(tmp_path) is None
    card = f"---\nconfigs: []\n{text}\n---\n"
    assert choose_files("a/b", ["train.jsonl"], split=None, subset=None, card=card) == ["train.jsonl"]


def test_a_card_of_line_ends_only_is_read_in_one_go() -> None:
    """The expression for the front matter tried every way to divide them, for hours."""
    assert front_matter("---" + "\n" * 1_000_000) == {}
    assert front_matter("---\nlicense: mit\n---" + "\n" * 1_000_000) == {"license": "mit"}
    assert front_matter("---\r\nlicense: mit\r\n--- \r\n") == {"license": "mit"}
    assert front_matter("# no front matter\n---\nlicense: mit\n---\n") == {}


def test_honest_aliases_are_kept() -> None:
    text = "base: &base {a: 1, b: [1, 2]}\nmore: {<<: *base, c: *base}\nday: 2024-02-29\n"
    assert load_yaml(text) == yaml.safe_load(text)
    assert load_yaml("") is None
