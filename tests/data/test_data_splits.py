"""Which files of a repository belong to a split: as its card declares, or by the usual names."""

from __future__ import annotations

import pytest

from fdd_edge.data import choose_files
from fdd_edge.data.splits import license_of
from fdd_edge.errors import FddError

GSM8K = [
    "README.md",
    "main/test-00000-of-00001.parquet",
    "main/train-00000-of-00001.parquet",
    "socratic/test-00000-of-00001.parquet",
    "socratic/train-00000-of-00001.parquet",
]
PARTS = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/test-00000-of-00001.parquet"]
CONVERTED = ["default/train/0001.parquet", "default/train/0000.parquet", "default/test/0000.parquet"]
CARD = """---
license: mit
configs:
- config_name: easy
  data_files:
  - {split: train, path: easy/tr-*}
  - {split: test, path: [easy/te-1.jsonl, easy/te-2.jsonl]}
- config_name: all
  default: true
  data_files: "*.jsonl"
---
Words.
"""
CARDED = ["README.md", "all.jsonl", "easy/te-1.jsonl", "easy/te-2.jsonl", "easy/tr-1.jsonl"]


@pytest.mark.parametrize(
    ("files", "split", "subset", "chosen"),
    [
        (GSM8K, "train", "main", ["main/train-00000-of-00001.parquet"]),
        (GSM8K, "test", "socratic", ["socratic/test-00000-of-00001.parquet"]),
        (PARTS, "train", None, PARTS[:2]),
        (CONVERTED, "train", None, ["default/train/0000.parquet", "default/train/0001.parquet"]),
        (CONVERTED, "test", "default", ["default/test/0000.parquet"]),
        (["train.jsonl", "test.jsonl", "dataset_infos.json"], "test", None, ["test.jsonl"]),
        (["only.jsonl", ".cache/old.jsonl", "pictures.zip", "load.py"], None, None, ["only.jsonl"]),
        (["train.json", "data/train-00000-of-00001.parquet"], "train", "json", ["train.json"]),
        (
            ["train/b.parquet", "train/a.parquet", "test/a.parquet"],
            "train",
            None,
            ["train/a.parquet", "train/b.parquet"],
        ),
        (["data/train-00000-of-00001-a09b74b3ef9c3b56.parquet"], "train", None, None),
        (["contrained.jsonl", "train_1.jsonl"], "train", None, ["train_1.jsonl"]),
    ],
)
def test_by_the_usual_names(files: list[str], split: str | None, subset: str | None, chosen: list[str] | None) -> None:
    assert choose_files("owner/set", files, split=split, subset=subset) == (chosen or files)


def fault(files: list[str], split: str | None = None, subset: str | None = None, card: str | None = None) -> str:
    with pytest.raises(FddError) as caught:
        choose_files("owner/set", files, split=split, subset=subset, card=card)
    return str(caught.value)


def test_several_matches_are_listed_with_the_key_that_decides() -> None:
    assert fault(GSM8K, "test") == (
        "owner/set has several files for split 'test': main/test-*.parquet, socratic/test-*.parquet. "
        "Set `subset` to a word of one of these names."
    )
    assert fault(PARTS) == (
        "owner/set has several files: data/test-*.parquet, data/train-*.parquet. "
        "Set `split` to a word of one of these names."
    )


def test_no_match_says_what_there_is() -> None:
    assert fault(PARTS, "validation") == (
        "owner/set has no file for split 'validation'. It has: data/test-*.parquet, data/train-*.parquet. "
        "Set `split` to a word of one of these names."
    )


def test_a_long_list_is_cut() -> None:
    assert "part-5.jsonl and 4 more" in fault([f"part-{n}.jsonl" for n in (0, 1, 10, 11, *range(2, 10))])


def test_a_missing_shard_is_an_error() -> None:
    assert "has only 1 of the 2 parts of data/train-*.parquet" in fault(PARTS[1:], "train")


def test_a_loading_script_is_refused_and_the_converted_copy_is_suggested() -> None:
    assert fault(["README.md", "mawps.py"], "train").startswith(
        "owner/set is loaded by a script (mawps.py), and scripts from the hub are not run"
    )
    assert "refs/convert/parquet" in fault(["mawps.py"])
    assert "has no files of a type that can be read (*.parquet *.jsonl *.json *.csv *.tsv)" in fault(["train.arrow"])


def test_csv_is_taken_if_there_is_nothing_else() -> None:
    assert choose_files("owner/set", ["train.csv", "test.tsv"], split="test", subset=None) == ["test.tsv"]
    assert choose_files("owner/set", ["train.csv", "train.jsonl"], split="train", subset=None) == ["train.jsonl"]


@pytest.mark.parametrize(
    ("split", "subset", "chosen"),
    [
        ("train", "easy", ["easy/tr-1.jsonl"]),
        ("test", "easy", ["easy/te-1.jsonl", "easy/te-2.jsonl"]),
    ],
)
def test_the_files_that_a_card_declares_are_used(split: str, subset: str, chosen: list[str]) -> None:
    assert choose_files("owner/set", CARDED, split=split, subset=subset, card=CARD) == chosen


def test_what_a_card_does_not_declare() -> None:
    assert fault(CARDED, "dev", "easy", CARD) == "owner/set has no split 'dev'. Known: test, train."
    assert fault(CARDED, "train", "eazy", CARD) == (
        "owner/set has no subset 'eazy'. Did you mean 'easy'? Known: all, easy."
    )
    assert fault(CARDED, None, "easy", CARD) == "owner/set has several splits; set `split` to one of: test, train."
    assert "declares *.jsonl, but there is only: data.parquet" in fault(["data.parquet"], "train", None, CARD)


BOMB = """---
a: &a [x, x]
configs: [{config_name: [*a, *a], data_files: "*"}, {data_files: [{split: *a, path: "*"}]}]
---
"""


@pytest.mark.parametrize("card", ["", BOMB, "No head.", "---\n[\n---\n", "---\nconfigs: 3\n---\n", "---\n- a\n---\n"])
def test_without_a_declaration_the_names_decide(card: str) -> None:
    assert choose_files("owner/set", ["train.jsonl", "README.md"], split="train", subset=None, card=card)


def test_gzipped_files_are_found_like_others() -> None:
    parts = [f"data/{split}-0000{i}-of-00002.jsonl.gz" for split in ("train", "test") for i in range(2)]
    assert choose_files("owner/set", parts, split="test", subset=None) == parts[2:]
    assert choose_files("owner/set", ["train.json.gz", "README.md"], split=None, subset=None) == ["train.json.gz"]


@pytest.mark.parametrize(
    ("card", "license"),
    [
        (CARD, "mit"),
        ("---\nlicense: [mit, cc-by-4.0]\n---\n", "mit, cc-by-4.0"),
        ("---\nlicense: |\n  my\n  own\n---\n", "my own"),
        (f"---\nlicense: {'x' * 900}\n---\n", "x" * 200),
        ("---\nlicense: {name: mit}\n---\n", None),
        ("---\nlicense: 3\n---\n", None),
        ("---\nlicense: ''\n---\n", None),
        ("---\nlicense: [broken\n---\n", None),
        ("Words.", None),
        (None, None),
    ],
)
def test_the_license_is_the_one_that_the_card_names(card: str | None, license: str | None) -> None:
    assert license_of(card) == license
