"""A run folder of an earlier version is refused in one sentence, can still be read, and is never changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from smoke import Finished

import fdd_edge
from fdd_edge.errors import FddError
from fdd_edge.runs import RunLayout
from fdd_edge.runs.manifest import RUN_FORMAT, Manifest

OLD = Path(__file__).with_name("old_run")
SENTENCE = (
    "whose runs this version cannot resume; nothing in it was changed. Choose another run folder, or finish the run "
    "with that version; solve, eval, bench and export can still read it."
)

Change = Callable[[Path], None]


def keep(out: Path) -> None:
    """Leave the folder as it was made."""


def lose_manifest(out: Path) -> None:
    (out / "manifest.json").unlink()


def lose_everything_but_one_round(out: Path) -> None:
    lose_manifest(out)
    shutil.rmtree(out / "round-00")


def content(folder: Path) -> dict[str, bytes | str | None]:
    """Return every file with its bytes, every link with its target, and every folder."""
    found: dict[str, bytes | str | None] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


@pytest.fixture(params=[keep, lose_manifest, lose_everything_but_one_round])
def old_run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a run that was made before format 2, also without its manifest."""
    out = Path(shutil.copytree(OLD, tmp_path / "run", symlinks=True))
    (out / "README.md").unlink()
    request.param(out)
    return out


def refusal_of(run: Path) -> str:
    version = "fdd-edge 0.1.0" if (run / "manifest.json").exists() else "an earlier version of fdd-edge"
    return f"{run} was made by {version}, {SENTENCE}"


def test_the_fixture_is_of_the_format_before() -> None:
    manifest = Manifest(OLD / "manifest.json")
    assert manifest.format == 1 < RUN_FORMAT
    assert manifest.stages["round-00/evolved.jsonl"].options["teacher"] == "symbolic"
    assert (OLD / "round-00" / "evolved.jsonl").is_file()
    assert sum(path.stat().st_size for path in OLD.rglob("*") if path.is_file()) < 200_000


def test_it_is_refused_in_one_sentence_and_nothing_is_changed(old_run: Path) -> None:
    before = content(old_run)
    with pytest.raises(FddError) as caught:
        fdd_edge.run("smoke", output=old_run)
    assert str(caught.value) == refusal_of(old_run)
    assert caught.value.exit_code == 2
    assert content(old_run) == before


@pytest.mark.parametrize("arguments", [["smoke"], ["smoke", "--set", "seed=5"], ["smoke", "--rounds", "3"]])
def test_the_command_line_refuses_it_with_exit_code_2(old_run: Path, arguments: list[str]) -> None:
    before = content(old_run)
    command = [sys.executable, "-m", "fdd_edge", "run", *arguments, "-o", str(old_run)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"Error: {refusal_of(old_run)}\n")
    assert content(old_run) == before


def test_the_run_named_by_its_folder_is_refused_too(old_run: Path) -> None:
    """`fdd-edge run FOLDER` reads the config of the folder, whose output_dir may lie elsewhere."""
    before = content(old_run)
    with pytest.raises(FddError, match="whose runs this version cannot resume"):
        fdd_edge.run(old_run, output=old_run)
    assert content(old_run) == before


def test_its_rounds_are_still_listed(old_run: Path) -> None:
    before = content(old_run)
    run = fdd_edge.load_run(old_run)
    numbers = [0, 1] if (old_run / "round-00").is_dir() else [1]
    assert [one.number for one in run.rounds] == numbers
    for one in run.rounds:
        summary = json.loads((old_run / f"round-0{one.number}" / "summary.json").read_text(encoding="utf-8"))
        assert one.to_dict() == summary
        assert one.accuracy == summary["labelled"]["valid"]
        assert ("local", "gguf-q8_0", "valid") in one.accuracies
        assert one.artifacts == {}
    assert run.best is not None
    assert run.best.number == 1
    assert content(old_run) == before


def test_a_version_of_another_number_is_named(tmp_path: Path) -> None:
    out = Path(shutil.copytree(OLD, tmp_path / "run", symlinks=True))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    (out / "manifest.json").write_text(json.dumps(manifest | {"fdd_edge": "0.0.7"}), encoding="utf-8")
    with pytest.raises(FddError, match=r"was made by fdd-edge 0\.0\.7, whose runs this version cannot resume"):
        fdd_edge.run("smoke", output=out)


def test_a_damaged_manifest_is_not_advised_to_be_deleted(tmp_path: Path) -> None:
    """Without its manifest, an old run is refused all the same."""
    out = Path(shutil.copytree(OLD, tmp_path / "run", symlinks=True))
    manifest = (out / "manifest.json").read_text(encoding="utf-8")
    for damaged in (manifest[:100], json.dumps(json.loads(manifest) | {"stages": 3})):
        (out / "manifest.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(FddError, match=r"manifest\.json is damaged .* Restore it from a backup") as caught:
            fdd_edge.run("smoke", output=out)
        assert "delete" not in str(caught.value)


def test_a_run_of_a_later_format_is_refused_too(tmp_path: Path) -> None:
    out = Path(shutil.copytree(OLD, tmp_path / "run", symlinks=True))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    newer = manifest | {"fdd_edge": "9.0", "format": RUN_FORMAT + 1}
    (out / "manifest.json").write_text(json.dumps(newer), encoding="utf-8")
    before = content(out)
    with pytest.raises(FddError, match=r"was made by fdd-edge 9\.0, whose runs this version cannot resume"):
        fdd_edge.run("smoke", output=out)
    assert content(out) == before


@pytest.mark.slow
def test_solve_eval_bench_and_export_still_read_it(smoke: Finished, tmp_path: Path) -> None:
    """The folder has the models of today's smoke run, which are byte for byte those of the version before."""
    out = Path(shutil.copytree(OLD, tmp_path / "run", symlinks=True))
    for made in RunLayout(smoke.out).rounds:
        for folder in (made.merged, made.artifacts):
            if folder.exists():
                shutil.copytree(folder, out / made.name / folder.name, dirs_exist_ok=True)
    question = "Tom has 3 apples and gets 4 more. How many?"
    assert fdd_edge.solve(out, question).text == fdd_edge.solve(smoke.out, question).text
    assert fdd_edge.evaluate(out, [{"question": question, "answer": 7}]).n == 1
    assert fdd_edge.bench(out).recipe == fdd_edge.bench(smoke.out).recipe
    (exported,) = fdd_edge.export(out, "gguf-q8_0", tmp_path / "exported")
    assert exported.path.is_file()
