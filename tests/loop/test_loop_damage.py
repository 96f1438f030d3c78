"""A finished run whose files were damaged: one sentence, or made again to the same rows; never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge
from smoke import Finished

import fdd_edge as package
from fdd_edge.errors import FddError


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in items for place in places(item, (*at, key)))]


def mangled(content: Any, rng: random.Random) -> Any:
    """Replace or delete something inside a JSON value, or all of it."""
    place = rng.choice(places(content))
    other = rng.choice([None, [], {}, "x", -1, 1.5, True, 10**30, [1], {"a": 1}, "../../x", "", "delete"])
    if not place:
        return other
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if other == "delete":
        del inner[place[-1]]
    else:
        inner[place[-1]] = other
    return content


def damage(path: Path, rng: random.Random) -> None:
    """Damage a file as disks, kills and people do."""
    content = path.read_bytes()
    kinds = ["flip", "cut", "empty", "gone", "noise"] + ["json"] * 3 * (path.suffix in (".json", ".jsonl"))
    kind = rng.choice(kinds)
    if kind == "gone" or not content:
        path.unlink()
    elif kind == "json":
        lines = content.decode().splitlines() if path.suffix == ".jsonl" else [content.decode()]
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(mangled(json.loads(lines[at]), rng))
        path.write_text("\n".join(lines))
    elif kind == "flip":
        at = rng.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "noise": rng.randbytes(100)}[kind])


def look(run: Path) -> None:
    """Read everything that a result of a run shows."""
    found = package.load_run(run)
    for result in (found, *found.rounds):
        result.to_dict()
        result._repr_html_()


def rows_of(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("rows.jsonl"))}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_file_is_told_in_a_sentence_by_whoever_reads_the_run(
    smoke: Finished, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    run = smoke.copy(tmp_path)
    files = sorted(path for path in run.rglob("*") if path.is_file() and not path.is_symlink())
    damage(rng.choice([*files, *[run / "manifest.json"] * 10, *run.glob("round-*/*.json")]), rng)
    try:
        look(run)
    except FddError as error:
        assert "\n" not in str(error)
    ran = fdd_edge("solve", run, "2 + 3?", "--max-new-tokens", "4")
    assert ran.returncode in (0, 1, 2), ran.stderr
    assert ran.returncode != 2 or ran.stderr.count("Error:") == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_run_with_a_mangled_manifest_gives_the_same_rows_or_a_sentence(
    smoke: Finished, tmp_path: Path, seed: int
) -> None:
    run = smoke.copy(tmp_path)
    whole, manifest = rows_of(run), run / "manifest.json"
    manifest.write_text(json.dumps(mangled(json.loads(manifest.read_text()), random.Random(seed))))
    ran = fdd_edge("run", "smoke", "-o", run)
    assert ran.returncode in (0, 2), ran.stderr
    if ran.returncode == 0:
        assert rows_of(run) == whole
