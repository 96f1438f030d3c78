"""Data sets by hub id, from the command line, against a hub on loopback and the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hub_commands import assert_nowhere, fdd_edge, python, refused
from hub_server import Hub, serve

pyarrow = pytest.importorskip("pyarrow", reason="needs: pip install 'fdd-edge[hub]'")

TOKEN = "hf_AVerySecretTokenOfTheTests"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as running:
        yield running


def rows(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {"question": f"Ann has {n} pens and finds {n}. How many?", "answer": f"{n} + {n} = {2 * n}\n#### {2 * n}"}
        for n in range(start, start + count)
    ]


def parquet(content: list[dict[str, Any]]) -> bytes:
    from pyarrow import Table
    from pyarrow import parquet as format

    file = BytesIO()
    format.write_table(Table.from_pylist(content), file)
    return file.getvalue()


def lines(content: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in content)


@pytest.fixture
def gsm(hub: Hub) -> str:
    """Push a data set with two subsets in Parquet, main/train in two parts; return its commit."""
    return hub.push(
        "datasets/school/gsm",
        {
            "README.md": "---\nlicense: mit\n---\n",
            "gsm.py": "raise SystemExit",
            "main/train-00000-of-00002.parquet": parquet(rows(1, 3)),
            "main/train-00001-of-00002.parquet": parquet(rows(4, 3)),
            "main/test-00000-of-00001.parquet": parquet(rows(7, 2)),
            "socratic/test-00000-of-00001.parquet": parquet(rows(9, 2)),
        },
    )


def read(cwd: Path, hub: Hub, path: str, environment: dict[str, str] | None = None, **keys: Any) -> list[Any]:
    """Return the ids and answers of a set, and the commit, read in a separate process."""
    program = (
        "from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set\n"
        f"spec = fetch_set(DatasetOptions({path!r}, 'set', **{keys!r}))\n"
        "problems, skipped, _ = read_set(spec.options, spec.files, seed=0)\n"
        "import json; print(json.dumps([spec.commit, {p.id: p.answer for p in problems}]))\n"
    )
    ran = python(cwd, hub, program, **environment or {})
    assert ran.returncode == 0, ran.stderr
    found: list[Any] = json.loads(ran.stdout)
    return found


def test_the_parts_of_a_split_and_nothing_else_are_fetched(hub: Hub, gsm: str, tmp_path: Path) -> None:
    commit, answers = read(tmp_path, hub, "school/gsm", split="train", subset="main")
    assert commit == gsm
    assert answers == {f"set-{n}": 2 * n for n in range(1, 7)}
    assert hub.fetched() == {"README.md", *(f"main/train-0000{n}-of-00002.parquet" for n in (0, 1))}


def test_json_lines_json_and_a_revision(hub: Hub, tmp_path: Path) -> None:
    files = {"train.jsonl": lines(rows(1, 2)), "test.json": json.dumps(rows(3, 1))}
    hub.push("datasets/school/own", files, revision="refs/convert/v1")
    hub.push("datasets/school/own", {"train.jsonl": lines(rows(5, 1))})
    old = "refs/convert/v1"
    assert read(tmp_path, hub, "school/own", split="train", revision=old)[1] == {"set-1": 2, "set-2": 4}
    assert read(tmp_path, hub, "school/own", split="test", revision=old)[1] == {"set-1": 6}
    assert read(tmp_path, hub, "school/own")[1] == {"set-1": 10}


def test_fetched_files_are_read_without_a_network(hub: Hub, gsm: str, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"split": "train", "subset": "main"}
    first = read(tmp_path, hub, "school/gsm", **keys)
    asked = len(hub.requests)
    for environment in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        assert read(tmp_path, hub, "school/gsm", environment, **keys) == first
        assert read(tmp_path, hub, "school/gsm", environment, **keys, revision=gsm) == first
    assert len(hub.requests) == asked


def test_the_license_of_the_card_is_known_with_and_without_a_network(hub: Hub, gsm: str, tmp_path: Path) -> None:
    hub.push("datasets/school/bare", {"train.jsonl": lines(rows(1, 1))})
    program = (
        "from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, find_set\n"
        "spec = DatasetOptions('school/gsm', split='train', subset='main')\n"
        "print(fetch_set(spec).license, find_set(spec).license, fetch_set(DatasetOptions('school/bare')).license)\n"
    )
    ran = python(tmp_path, hub, program)
    assert (ran.returncode, ran.stdout) == (0, "mit mit None\n"), ran.stderr


def evaluate(
    cwd: Path, hub: Hub, model: Path, data: str, *arguments: str, **environment: str
) -> tuple[int, dict[str, Any], str]:
    words = ["eval", str(model), "--data", data, "--max-new-tokens", "4", "--json", *arguments]
    ran = fdd_edge(cwd, hub, *words, **environment)
    return ran.returncode, json.loads(ran.stdout or "{}"), ran.stderr


def test_eval_takes_a_hub_id_and_reports_its_commit(hub: Hub, gsm: str, tiny_gguf: Path, tmp_path: Path) -> None:
    code, report, stderr = evaluate(
        tmp_path, hub, tiny_gguf, "school/gsm", "--split", "test", "--subset", "main", "--limit", "1", "-o", "out"
    )
    assert code == 0, stderr
    assert report["n"] == 1
    wanted = {"path": "school/gsm", "limit": 1, "n": 1, "id": "school/gsm", "revision": gsm}
    assert wanted.items() <= report["data"].items()
    named = {key: report["data"][key] for key in ("name", "format", "split", "subset")}
    assert named == {"name": "gsm", "format": "gsm8k", "split": "test", "subset": "main"}
    assert len(report["data"]["sha256"]) == len(report["data"]["problems_sha256"]) == 64
    (row,) = (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(row)["problem_id"] == "gsm-1"


def test_a_gated_set_needs_the_token_and_the_token_stays_secret(hub: Hub, tiny_gguf: Path, tmp_path: Path) -> None:
    hub.push("datasets/school/gated", {"test.jsonl": lines(rows(1, 1))}, token=TOKEN)
    words = ["eval", str(tiny_gguf), "--data", "school/gated", "-o", "out", "--max-new-tokens", "4"]
    page = f"request access at {hub.url}/datasets/school/gated, then set HF_TOKEN"
    refused(fdd_edge(tmp_path, hub, *words), "school/gated is gated", page)
    ran = fdd_edge(tmp_path, hub, *words, HF_TOKEN=TOKEN)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    assert TOKEN in {request.token for request in hub.requests}
    assert_nowhere(TOKEN, tmp_path)


CASES = {
    "several subsets": (
        ["school/gsm", "--split", "test"],
        ["main/test-*.parquet, socratic/test-*.parquet", "Set `subset`"],
    ),
    "no such split": (["school/gsm", "--split", "dev"], ["school/gsm has no file for split 'dev'. It has: main/"]),
    "no such set": (["school/none"], ["school/none is not a local path", "has no dataset of that name"]),
    "no such revision": (["school/gsm", "--revision", "v9"], ["school/gsm has no revision 'v9'"]),
    "a script": (["school/script"], ["is loaded by a script (script.py)", "are not run", "refs/convert/parquet"]),
    "a file's name": (["data/none.jsonl"], ["data/none.jsonl does not exist"]),
    "split of a file": (
        ["here.jsonl", "--split", "test"],
        ["`split` applies to hub ids only, and here.jsonl is not one"],
    ),
    "split of situations": (["symbolic:train", "--revision", "x"], ["`revision` applies to hub ids only"]),
    "not a problem": (["school/poems"], ["is not in a known data format"]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_error_is_one_sentence(case: str, hub: Hub, gsm: str, tiny_gguf: Path, tmp_path: Path) -> None:
    hub.push("datasets/school/script", {"README.md": "Words.", "script.py": "raise SystemExit"})
    hub.push("datasets/school/poems", {"train.jsonl": '{"line": "How much wood"}\n'})
    (tmp_path / "here.jsonl").write_text(lines(rows(1, 1)), encoding="utf-8")
    arguments, parts = CASES[case]
    refused(fdd_edge(tmp_path, hub, "eval", str(tiny_gguf), "--data", *arguments), *parts)
    assert not [name for name in hub.fetched() if name.endswith(".py")]


def test_without_a_network_and_a_cached_copy(hub: Hub, tiny_gguf: Path, tmp_path: Path) -> None:
    ran = fdd_edge(tmp_path, hub, "eval", str(tiny_gguf), "--data", "school/gsm", HF_HUB_OFFLINE="1")
    refused(ran, "school/gsm at main is not in the hub's cache, and HF_HUB_OFFLINE forbids downloading it")
    assert hub.requests == []


def test_a_partly_filled_cache_is_not_a_split(hub: Hub, gsm: str, tiny_gguf: Path, tmp_path: Path) -> None:
    """Without a network only cached files are known: part of a split must not be read as the whole."""
    fetch = "from huggingface_hub import hf_hub_download as get; get('school/gsm', {!r}, repo_type='dataset')"
    program = fetch.format("main/train-00000-of-00002.parquet")
    assert python(tmp_path, hub, program).returncode == 0
    words = ["eval", str(tiny_gguf), "--data", "school/gsm", "--split", "train"]
    refused(
        fdd_edge(tmp_path, hub, *words, HF_HUB_OFFLINE="1"),
        "In the hub's cache, without a network: school/gsm has only 1 of the 2 parts of main/train-*.parquet",
    )


def test_a_missing_reader_says_what_to_install(hub: Hub, gsm: str, tiny_gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").mkdir()
    blocker = "import sys\nsys.modules[{!r}] = None\n"
    words = ["eval", str(tiny_gguf), "--data", "school/gsm", "--split", "test", "--subset", "main"]
    for package in ("pyarrow", "huggingface_hub"):
        (tmp_path / "blocked" / "sitecustomize.py").write_text(blocker.format(package), encoding="utf-8")
        ran = fdd_edge(tmp_path, hub, *words, PYTHONPATH=f"{tmp_path / 'blocked'}:{Path(__file__).parents[2]}")
        refused(ran, f"{package} is not installed. Install it with: pip install 'fdd-edge[hub]'")
