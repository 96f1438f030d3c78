"""Wrong runs and outputs: one clear sentence, exit code 2, and nothing is lost."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import kept
import pytest
from commands import fdd_edge
from reported import Made, made_run

from fdd_edge import FddError, report
from fdd_edge.runs import RunLayout, run_lock
from fdd_edge.runs.stage_files import AdapterFiles

OLD = Path(__file__).parent.parent / "pipeline" / "old_run"


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    return RunLayout(made_run(tmp_path / "run", Made(rounds=1)))


def unfinished(run: RunLayout) -> None:
    run.round(0).summary.unlink()


def other_figures(run: RunLayout) -> None:
    run.round(0).summary.write_text('{"round": 0}')


def half_a_summary(run: RunLayout) -> None:
    run.round(0).summary.write_bytes(run.round(0).summary.read_bytes()[:300])


def other_format(run: RunLayout) -> None:
    run.manifest.write_text(run.manifest.read_text().replace('"format": 2', '"format": 3').replace("0.2.0", "0.9.0"))


def no_manifest(run: RunLayout) -> None:
    run.manifest.unlink()


def no_training(run: RunLayout) -> None:
    AdapterFiles(run.round(0).adapter).trace.unlink()


def broken_rows(run: RunLayout) -> None:
    (run.round(0).evaluation("local", "gguf-q4_0", "valid") / "rows.jsonl").write_text('{"a": ')


def other_certificate(run: RunLayout) -> None:
    run.round(0).parity("gguf-q4_0").write_text("{}")


def link_to_a_strangers_file(run: RunLayout) -> None:
    run.config.rename(run.root.parent / "elsewhere")
    run.config.symlink_to(run.root.parent / "elsewhere")


def more_right_than_asked(run: RunLayout) -> None:
    run.round(0).summary.write_text(run.round(0).summary.read_text().replace('"n": 20', '"n": 0'))


def losses_are_texts(run: RunLayout) -> None:
    trace = AdapterFiles(run.round(0).adapter).trace
    trace.write_text(trace.read_text().replace('"losses": [', '"losses": ["low",'))


def names_a_path(run: RunLayout) -> None:
    run.round(0).summary.write_text(run.round(0).summary.read_text().replace('"gguf-q8_0"', '"../../x"'))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unfinished, "has no finished round yet; finish one with: fdd-edge run"),
        (other_figures, "The figures of round 0 were written by another version of fdd-edge."),
        (half_a_summary, "is damaged"),
        (other_format, "was made by version 0.9.0 of fdd-edge, whose runs this version cannot report on"),
        (no_manifest, "manifest.json is missing. Restore it"),
        (no_training, "is damaged"),
        (broken_rows, "rows.jsonl"),
        (other_certificate, "is not a parity certificate"),
        (link_to_a_strangers_file, "is a link, and fdd-edge makes none there"),
        (names_a_path, "is damaged"),
        (more_right_than_asked, "have more right answers than questions"),
        (losses_are_texts, "the record of the training of round 0 is not what a training writes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_run_that_cannot_be_reported_on_is_one_sentence(
    change: Callable[[RunLayout], None], said: str, run: RunLayout, tmp_path: Path
) -> None:
    change(run)
    ran = fdd_edge("report", run.root, "-o", tmp_path / "report.html")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_a_run_that_is_at_work_is_left_alone(run: RunLayout, tmp_path: Path) -> None:
    with run_lock(run.lock), pytest.raises(FddError, match="is still running; make its report when it has ended"):
        report(run.root, tmp_path / "report.html")
    assert report(run.root, tmp_path / "report.html").bytes


@pytest.mark.parametrize("source", [OLD, None], ids=["before-format-2", "another-summary"])
def test_folders_of_other_versions_are_refused(source: Path | None, tmp_path: Path) -> None:
    if source is None:
        kept.made_run(tmp_path / "old")
    else:
        shutil.copytree(source, tmp_path / "old", symlinks=True)
    with pytest.raises(FddError, match=r"version .*of fdd-edge|another version of fdd-edge"):
        report(tmp_path / "old", tmp_path / "report.html")


def test_what_is_not_a_run_is_named(run: RunLayout, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", "does not exist"),
        (tmp_path, "is not a run: it has no config.yaml"),
        (run.round(0).root, f"is a part of a run; name the run: {run.root}"),
        (run.config, "is not a run"),
    ):
        with pytest.raises(FddError, match=said):
            report(path, tmp_path / "report.html")
    with pytest.raises(FddError, match="Name at least one run"):
        report([], tmp_path / "report.html")


@pytest.mark.parametrize("text", ["<!doctype html><p>My own page", "# Mine\n", "x" * 5000])
def test_a_file_that_is_not_a_report_is_kept(text: str, run: RunLayout, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text(text)
    ran = fdd_edge("report", run.root, "-o", out)
    assert ran.returncode == 2
    assert "exists and is not a report of fdd-edge; choose another name, or replace it with --force" in ran.stderr
    assert out.read_text() == text
    ran = fdd_edge("report", run.root, "-o", out, "--force")
    assert ran.returncode == 0, ran.stderr
    assert out.read_text().startswith("<!doctype html>\n<html lang")


def test_a_report_in_either_form_is_replaced(run: RunLayout, tmp_path: Path) -> None:
    for first, second in (("html", "md"), ("md", "html")):
        for form in (first, second):
            assert fdd_edge("report", run.root, "-o", tmp_path / "report", "--format", form).returncode == 0


def test_folders_links_and_missing_folders_are_no_place_for_a_report(run: RunLayout, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link.html").symlink_to(tmp_path / "mine")
    for path, said in (
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "link.html", "is not a regular file; choose another name"),
        (tmp_path / "none" / "report.html", "does not exist; create it, or choose another one"),
    ):
        with pytest.raises(FddError, match=said):
            report(run.root, path, force=True)
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "link.html").is_symlink()


def test_the_command_says_where_the_page_is(run: RunLayout, tmp_path: Path) -> None:
    ran = fdd_edge("report", run.root, "-o", tmp_path / "report.html")
    assert "is written (" in " ".join(ran.stdout.split())
    assert '"format": "md"' in fdd_edge("report", run.root, "-o", tmp_path / "README.md", "--json").stdout


def edited_rows(run: RunLayout) -> None:
    """All rows right, beside figures that say otherwise."""
    rows = run.round(0).evaluation("local", "gguf-q4_0", "held-out") / "rows.jsonl"
    rows.write_text(re.sub(r'"verdict": "\w+"', '"verdict": "correct"', rows.read_text()))


def edited_labelling(run: RunLayout) -> None:
    rows = run.round(0).evaluation("local", "gguf-q4_0", "pool") / "rows.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))


def edited_target(run: RunLayout) -> None:
    rows = run.round(0).evaluation("rpi5", "gguf-q4_0", "valid") / "rows.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[1:]))


@pytest.mark.parametrize("change", [edited_rows, edited_labelling, edited_target])
def test_rows_that_contradict_the_figures_are_refused(
    change: Callable[[RunLayout], None], run: RunLayout, tmp_path: Path
) -> None:
    change(run)
    with pytest.raises(FddError, match=r"holds \d+ right replies of \d+, but its figures say \d+ of 20; restore both"):
        report(run.root, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"round": 7}, "the figures of round 0 are those of round 7"),
        ({"rounds": 0}, "count -1 problems"),
        ({"split": {"easy": -5}}, "count -5 problems"),
        ({"split": {"easy": 5}}, "count 5 and 100 labelled problems"),
        ({"data": {"seed": -1}}, "count -1 problems"),
        ({"without": {"easy": {"parents": 1, "without_offspring": 1, "reasons": {"x": -2}}}}, "count -2 problems"),
        ({"evaluations": []}, "hold no evaluation"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_figures_that_no_run_writes_are_refused(
    forged: dict[str, object], said: str, run: RunLayout, tmp_path: Path
) -> None:
    path = run.round(0).summary
    path.write_text(json.dumps(json.loads(path.read_text()) | forged))
    with pytest.raises(FddError, match=f"is damaged .*{said}"):
        report(run.root, tmp_path / "report.html")


@pytest.mark.parametrize(
    "forged",
    [{"ci95": [5, 9]}, {"ci95": [0.9, 0.1]}, {"no_answer": -1}, {"change": 40}, {"dataset": "x" * 300}],
    ids=str,
)
def test_an_evaluation_that_cannot_be_is_refused(forged: dict[str, object], run: RunLayout, tmp_path: Path) -> None:
    path = run.round(0).summary
    summary = json.loads(path.read_text())
    summary["evaluations"][1] |= forged
    path.write_text(json.dumps(summary))
    with pytest.raises(FddError, match="is damaged"):
        report(run.root, tmp_path / "report.html")


@pytest.mark.parametrize("entry", [None, "x", {"revision": 3}, {"license": 3}], ids=str)
def test_a_manifest_with_another_kind_of_data_set_is_damaged(entry: object, run: RunLayout, tmp_path: Path) -> None:
    manifest = json.loads(run.manifest.read_text())
    manifest["facts"]["datasets"] = {"eval/held-out": entry}
    run.manifest.write_text(json.dumps(manifest))
    with pytest.raises(FddError, match=r"manifest\.json is damaged \(facts\.datasets has"):
        report(run.root, tmp_path / "report.html")


@pytest.mark.parametrize(
    "name", ["manifest.json", "config.yaml", "plan.json", "round-00/summary.json", "round-00/new.html", "best/x.md"]
)
def test_files_of_a_run_are_no_place_for_a_report(name: str, run: RunLayout, tmp_path: Path) -> None:
    """With --force, the report replaced the manifest."""
    before = (run.root / name).read_bytes() if (run.root / name).is_file() else None
    other = made_run(tmp_path / "other", Made(rounds=1))
    for reported in (run.root, other):
        ran = fdd_edge("report", reported, "-o", run.root / name, "--format", "html", "--force")
        assert ran.returncode == 2
        assert "is a place for files of the run" in ran.stderr
    assert ((run.root / name).read_bytes() if (run.root / name).is_file() else None) == before


def test_a_report_may_lie_next_to_the_folders_of_a_run(run: RunLayout) -> None:
    for _ in range(2):
        assert report(run.root, run.root / "report.html").bytes
    (run.root / "notes.md").write_text("mine")
    with pytest.raises(FddError, match="is a place for files of the run"):
        report(run.root, run.root / "notes.md", force=True)


def test_a_report_is_not_written_to_standard_output(run: RunLayout, tmp_path: Path) -> None:
    ran = fdd_edge("report", run.root, "-o", "-")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "not to standard output; name one, such as report.html" in ran.stderr


@pytest.mark.parametrize("names", [("manifest.json",), ("config.yaml",)])
def test_a_folder_with_a_file_of_such_a_name_is_no_run(names: tuple[str, ...], run: RunLayout, tmp_path: Path) -> None:
    """A web site has a manifest.json, too, and the commands of a report write a config.yaml where they are typed."""
    site = tmp_path / "site"
    (site / "docs").mkdir(parents=True)
    for name in names:
        (site / name).write_text("{}")
    assert report(run.root, site / "docs" / "run.html").bytes
    assert report(run.root, site / "report").bytes
