"""The whole loop on the tiny student, from the command line: its files, resuming it, extending it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import fdd_edge, fdd_edge_process
from smoke import Finished, digests, run

from fdd_edge.records import read_jsonl, read_problems, write_jsonl
from fdd_edge.resolve.student import Student
from fdd_edge.runs import run_lock

pytestmark = pytest.mark.slow


def test_the_run_folder_is_as_documented(smoke: Finished) -> None:
    out = smoke.out
    for number in (0, 1):
        place = out / f"round-{number:02d}"
        for name in (
            "data/train.jsonl",
            "data/rejected.jsonl",
            "adapter/adapter_model.safetensors",
            "parity/gguf-f32.json",
            "parity/gguf-q8_0.json",
            "parity/gguf-q4_0.json",
            "eval/local/gguf-q8_0/valid/summary.json",
            "eval/local/gguf-q4_0/symbolic-heldout/timing.json",
            "split/lost.jsonl",
            "evolved/problems.jsonl",
            "evolved/declined.jsonl",
            "curated/accepted.jsonl",
            "curated/rejected.jsonl",
            "summary.json",
        ):
            assert (place / name).is_file(), name
    models = ["merged/model.safetensors", *(f"artifacts/gguf-{kind}/model.gguf" for kind in ("f32", "q4_0", "q8_0"))]
    for name in models:
        assert (out / "best" / name).is_file(), name
    assert (out / "best").resolve().parent == out.resolve()
    leftovers = [p for p in out.rglob(".*") if p.name != ".gitattributes"]
    assert leftovers == []


def test_every_round_has_easy_and_hard_and_both_branches_yield(smoke: Finished) -> None:
    for number in (0, 1):
        summary = json.loads((smoke.out / f"round-{number:02d}" / "summary.json").read_text(encoding="utf-8"))
        assert summary["split"]["easy"] > 0
        assert summary["split"]["hard"] + summary["split"]["borderline"] + summary["split"]["lost"] > 0
        assert summary["evolved"]["complex"] > 0
        assert summary["evolved"]["similar"] > 0
        assert summary["parity"] == {"gguf-f32": [], "gguf-q8_0": [], "gguf-q4_0": []}


def test_the_text_of_the_tiny_student_varies(smoke: Finished) -> None:
    rows = (smoke.out / "round-00/eval/local/gguf-q8_0/pool/rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(row)["text"] for row in rows}) > len(rows) / 2


def test_the_second_round_trains_on_all_so_far(smoke: Finished) -> None:
    first, second = (read_problems(smoke.out / f"round-0{n}" / "data" / "train.jsonl") for n in (0, 1))
    evolved = {p.id for p in read_problems(smoke.out / "round-00" / "evolved" / "problems.jsonl")}
    new = [p for p in second if p.round == 1]
    assert [p.id for p in second[: len(first)]] == [p.id for p in first]
    assert new
    assert {p.id for p in new} <= evolved
    assert all(p.parent_id and p.depth == 1 and p.origin != "seed" for p in new)


def test_an_evaluation_in_a_run_says_what_was_asked_and_how(smoke: Finished) -> None:
    """The same keys as those of `fdd-edge eval --json`."""
    evaluations = smoke.out / "round-01" / "eval" / "local" / "gguf-q8_0"
    facts = {name: json.loads((evaluations / name / "summary.json").read_text()) for name in ("valid", "pool")}
    named = {"name": "valid", "path": "symbolic:train", "sha256": None, "format": None, "limit": 16}
    assert facts["valid"]["data"].items() >= named.items()
    assert facts["pool"]["data"].keys() == {"name", "n", "problems_sha256"}
    for found in facts.values():
        assert {"prompt", "num_fewshot", "answer", "max_new_tokens"} <= found["settings"].keys()
        assert {"fdd_edge", "python"} <= found["versions"].keys()


def test_valid_is_never_trained_on(smoke: Finished) -> None:
    valid = {p.question for p in read_problems(smoke.out / "data" / "valid.jsonl")}
    trained = {p.question for p in read_problems(smoke.out / "round-01" / "data" / "train.jsonl")}
    assert valid
    assert not valid & trained


def test_the_tables_and_the_way_to_try_it_are_on_stdout(smoke: Finished) -> None:
    _, stdout, stderr = smoke
    for part in ("Round 0", "Round 1", "95 %", "labels", "new problems", "legend", "fdd-edge"):
        assert part in stdout
    assert "95 %" not in stderr
    assert "Round 0\n" not in stderr
    assert "Round 0 (1 of 2) · training · about " in stderr


def test_a_finished_run_changes_nothing_when_run_again(smoke: Finished, tmp_path: Path) -> None:
    out = smoke.copy(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and "artifacts" in p.parts}
    assert before
    digest = digests(out)
    again = run(out)
    assert again.returncode == 0, again.stderr
    assert again.stdout == smoke.stdout.replace(str(smoke.out), str(out))
    assert "training on" not in again.stderr
    assert digests(out) == digest
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_other_settings_are_refused_by_name_and_nothing_changes(smoke: Finished, tmp_path: Path) -> None:
    out = smoke.copy(tmp_path)
    ran = run(out, "--set", "lora.r=4", "--set", "seed=9")
    assert ran.returncode == 2
    assert "holds a run with other settings: lora.r is 16 there, not 4; seed is 0 there, not 9" in ran.stderr
    assert digests(out) == digests(smoke.out)


def test_more_rounds_recipes_and_sets_extend_a_run(smoke: Finished, tmp_path: Path) -> None:
    """A third round, then a fourth recipe: rounds whose models were deleted get them back for as long as needed."""
    out = smoke.copy(tmp_path)
    heldout, more = '{path: "symbolic:heldout", limit: 16}', '{path: "symbolic:heldout", limit: 8, name: more}'
    recipes = "gguf-q8_0, gguf-q4_0"
    for addition in ("", ", gguf-q4_1"):
        ran = run(
            out,
            *("--rounds", "3", "--set", "keep=last"),
            *("--set", f"data.eval=[{heldout}, {more}]", "--set", f"export.recipes=[{recipes}{addition}]"),
        )
        assert ran.returncode == 0, ran.stderr
        assert "training" not in ran.stderr or not addition
        assert not (out / "round-00" / "merged").exists()
        assert not (out / "round-00" / "artifacts" / "gguf-q8_0").exists()
        assert (out / "round-02" / "artifacts" / "gguf-q8_0" / "model.gguf").is_file()
        assert (out / "round-00" / "eval" / "local" / "gguf-q8_0" / "more" / "rows.jsonl").is_file()
    assert (out / "round-00" / "eval" / "local" / "gguf-q4_1" / "valid" / "rows.jsonl").is_file()
    kept = digests(smoke.out)
    unchanged = {name for name, digest in digests(out).items() if kept.get(name) == digest}
    assert unchanged == set(kept)
    ran = fdd_edge("solve", str(out / "round-00"), "Tom has 3 figs.")
    assert ran.returncode == 2
    assert "was deleted to save space, as `keep` in its config says" in ran.stderr


def test_a_run_without_its_config_is_told_so(smoke: Finished, tmp_path: Path) -> None:
    """It was once not recognised as a run, and another folder was asked for."""
    out = smoke.copy(tmp_path)
    (out / "config.yaml").unlink()
    ran = run(out)
    assert ran.returncode == 2
    assert f"{out} is a run whose config.yaml is missing; restore the config that the run began with" in ran.stderr


def test_split_takes_folders_and_bands_that_are_some(smoke: Finished, tmp_path: Path) -> None:
    """Bands of NaN once labelled problems, for no comparison with it holds."""
    place, out = smoke.out / "round-00", str(tmp_path / "a split")
    known, pool = str(place / "data/train.jsonl"), str(place / "eval/local/gguf-q8_0/pool")
    for bands, fault in (
        (("--easy-at", "nan"), "easy_at: must be at most 1, not nan."),
        (("--hard-at", "nan"), "hard_at: must be at most 1, not nan."),
        (("--easy-at", "0.2"), "hard_at (0.25) must be lower than easy_at (0.2), both between 0 and 1."),
    ):
        ran = fdd_edge("split", known, pool, "-o", out, *bands)
        assert (ran.returncode, ran.stderr) == (2, f"Error: {fault}\n")
    assert f"{place} is not an evaluation" in fdd_edge("split", known, str(place), "-o", out).stderr
    assert f"{place} is not a split" in fdd_edge("evolve", str(place), "-o", out).stderr
    assert not Path(out).exists()
    assert f"fdd-edge evolve '{out}' -o" in fdd_edge("split", known, pool, "-o", out).stdout


def test_split_and_evolve_alone_write_the_rounds_files(smoke: Finished, tmp_path: Path) -> None:
    for number in (0, 1):
        place, out = smoke.out / f"round-{number:02d}", tmp_path / str(number)
        answers = [
            str(place / "eval/local/gguf-q8_0/pool"),
            "--float-answers",
            str(place / "eval/local/gguf-f32/non-easy"),
        ]
        ran = fdd_edge("split", str(place / "data/train.jsonl"), *answers, "-o", str(out / "split"), "--json")
        assert ran.returncode == 0, ran.stderr
        summary = json.loads((place / "summary.json").read_text(encoding="utf-8"))
        assert json.loads(ran.stdout)["split"] == summary["split"]
        ran = fdd_edge("evolve", str(out / "split"), "-o", str(out / "evolved"), "--round", str(number))
        assert ran.returncode == 0, ran.stderr
        assert len(list((out / "evolved").iterdir())) == 2
        for path in (*(out / "split").iterdir(), *(out / "evolved").iterdir()):
            assert path.read_bytes() == (place / path.relative_to(out)).read_bytes(), path


def test_a_broken_record_is_named(smoke: Finished, tmp_path: Path) -> None:
    """The file was read as a data set instead, whose ids are others: it was said to be the wrong file."""
    place = smoke.out / "round-00"
    rows = [row for _, row in read_jsonl(place / "data" / "train.jsonl")]
    del rows[0]["origin"]
    write_jsonl(tmp_path / "t.jsonl", rows)
    ran = fdd_edge(
        "split", str(tmp_path / "t.jsonl"), str(place / "eval/local/gguf-q8_0/pool"), "-o", str(tmp_path / "s")
    )
    assert ran.returncode == 2
    assert "t.jsonl:1 lacks the field 'origin'" in ran.stderr


def test_answers_to_other_problems_of_the_same_ids_are_refused(smoke: Finished, tmp_path: Path) -> None:
    """The smoke run's training problems and its `valid` are both named symbolic-train-00000 and on."""
    place = smoke.out / "round-01"
    other = Path(shutil.copytree(place / "eval/local/gguf-q8_0/valid", tmp_path / "valid"))
    # What the tiny student says may be right nowhere: one answer is made right, for the problem it was asked.
    gold = {row["id"]: row["answer"] for _, row in read_jsonl(smoke.out / "data" / "valid.jsonl")}
    trained = {row["id"]: row["answer"] for _, row in read_jsonl(place / "data" / "train.jsonl")}
    rows = [row for _, row in read_jsonl(other / "rows.jsonl")]
    right = next(
        row for row in rows if trained.get(row["problem_id"], gold[row["problem_id"]]) != gold[row["problem_id"]]
    )
    right |= {
        "program": f"answer = {gold[right['problem_id']]}",
        "answer": gold[right["problem_id"]],
        "verdict": "correct",
    }
    write_jsonl(other / "rows.jsonl", rows)
    ran = fdd_edge("split", str(place / "data/train.jsonl"), str(other), "-o", str(tmp_path / "split"))
    assert ran.returncode == 2
    assert f"{other} was not scored against the answers in" in ran.stderr
    assert not (tmp_path / "split").exists()


def test_gates_choose_again_and_train_nothing(smoke: Finished, tmp_path: Path) -> None:
    """A gate that holds every round back leaves no best one, exit 3 where asked for; loosened, the best is back."""
    out = smoke.copy(tmp_path)
    words = ["--set", "gates.max_size_mb=0.01", "--fail-on-gate"]
    ran = fdd_edge_process("run", "smoke", "-o", out, *words)
    assert ran.returncode == 3, ran.stderr
    assert "Round 1 failed its gates: gates.max_size_mb: it takes 0.4 MB, more than 0.01" in ran.stderr
    assert "training" not in ran.stderr
    assert not (out / "best").is_symlink()
    assert "has no best round, because none passed its gates" in fdd_edge("solve", str(out), "?").stderr
    again = run(out, "--fail-on-gate")
    assert again.returncode == 0, again.stderr
    assert (out / "best").resolve() == (out / smoke.out.joinpath("best").resolve().name).resolve()


def test_a_drop_is_held_against_the_float_file_on_valid(smoke: Finished, tmp_path: Path) -> None:
    out = smoke.copy(tmp_path)
    ran = run(out, "--set", "gates.max_drop=0.9")
    assert ran.returncode == 0, ran.stderr
    assert (out / "round-01/eval/local/gguf-f32/valid/summary.json").is_file()


def test_problems_may_be_labelled_before_they_are_trained_on(tmp_path: Path, tiny_student: Student) -> None:
    """And dealt at random, and cut to a number: the arms of a control."""
    settings = ["feedback.pool=fresh", "feedback.policy=random", "feedback.max_new=5", "feedback.limit=20"]
    words = ["--no-parity", *(word for setting in settings for word in ("--set", setting))]
    out = tmp_path / "run"
    ran = run(out, *words)
    assert ran.returncode == 0, ran.stderr
    first, second = (read_problems(out / f"round-0{n}/data/train.jsonl") for n in (0, 1))
    asked = [
        {json.loads(row)["problem_id"] for row in (out / f"round-0{n}/eval/local/gguf-q8_0/pool/rows.jsonl").open()}
        for n in (0, 1)
    ]
    assert asked[0].isdisjoint(p.id for p in first)
    assert asked[1].isdisjoint(p.id for p in second)
    assert asked[0] < {p.id for p in second}
    assert len([p for p in second if p.origin != "seed"]) <= 5
    assert "of 20 problems not yet trained on" in " ".join(ran.stdout.split())
    assert "data         60 problems: 60 seed; 60 more are reserved for labelling" in ran.stdout
    assert "; 40 more are reserved for labelling" in " ".join(ran.stdout.split())
    longer = run(out, "--rounds", "9", *words)
    assert longer.returncode == 2
    assert "9 rounds with feedback.limit 20 need 180" in longer.stderr
    again = run(out, *words)
    assert again.returncode == 0, again.stderr
    too_few = run(tmp_path / "other", "--set", "feedback.pool=fresh", "--set", "feedback.limit=60")
    assert too_few.returncode == 2
    assert "need 120. Add problems, or lower rounds or feedback.limit." in too_few.stderr
    assert not (tmp_path / "other").exists()  # or the lower one that it asks for were other settings there


def test_the_float_model_may_judge_by_several_draws(tmp_path: Path, tiny_student: Student) -> None:
    """The control of the edge twist; its artifact is evaluated on `valid` too, or no round could be best."""
    settings = [
        "feedback.artifact=float",
        "feedback.num_return_sequences=2",
        "training.start_from=previous",
        "feedback.limit=20",
    ]
    settings += ["training.max_length=160"]
    ran = run(tmp_path / "run", "--no-parity", *(word for setting in settings for word in ("--set", setting)))
    assert ran.returncode == 0, ran.stderr
    place = tmp_path / "run" / "round-01"
    assert (place / "eval" / "local" / "gguf-f32" / "valid" / "summary.json").is_file()
    rows = (place / "eval" / "local" / "gguf-f32" / "pool" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 40
    assert json.loads((place / "summary.json").read_text(encoding="utf-8"))["split"]["lost"] == 0
    assert " longer than training.max_length" in ran.stdout


def test_a_fault_in_the_data_leaves_nothing_behind(tmp_path: Path, tiny_student: Student) -> None:
    """A folder that was begun by a faulty config once refused the corrected one as another run."""
    (tmp_path / "bad.jsonl").write_text("neither\n", encoding="utf-8")
    ran = run(tmp_path / "run", "--set", f"data.train=[{{path: {tmp_path / 'bad.jsonl'}}}]")
    assert ran.returncode == 2
    assert "bad.jsonl" in ran.stderr
    assert not (tmp_path / "run").exists()


def test_a_start_that_fails_deletes_nothing_of_the_users(tmp_path: Path, tiny_student: Student) -> None:
    """A folder of dot-files counted as empty, and was deleted whole with what the failed start had written there."""
    few = ["--set", "data.valid=[]", "--set", 'data.train=[{path: "symbolic:train", limit: 5}]']
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", *few).returncode == 2
    assert list((tmp_path / "empty").iterdir()) == []
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".notes").write_text("precious", encoding="utf-8")
    ran = run(tmp_path / "hidden", *few)
    assert ran.returncode == 2
    assert "is not empty and does not hold a run" in ran.stderr
    assert [p.name for p in (tmp_path / "hidden").iterdir()] == [".notes"]
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "is a link to a folder that does not exist" in run(tmp_path / "link", *few).stderr
    assert ".notes is a file" in run(tmp_path / "hidden" / ".notes", *few).stderr


def test_damaged_certificates_are_made_again(smoke: Finished, tmp_path: Path) -> None:
    """All of a round's were read before each had been looked at, and a cut one ended the run."""
    out = smoke.copy(tmp_path)
    hit = sorted(out.glob("round-*/parity/*.json"))
    assert len(hit) >= 4
    for path in hit:
        os.truncate(path, 200)
    ran = run(out)
    assert ran.returncode == 0, ran.stderr
    for path in hit:
        assert f"{path.relative_to(out)} is made again" in ran.stderr
        json.loads(path.read_text(encoding="utf-8"))
    assert digests(out) == digests(smoke.out)


def test_an_extension_that_is_refused_leaves_the_run_as_it_was(smoke: Finished, tmp_path: Path) -> None:
    """The config was overwritten first, and then neither the longer command nor the old one fitted the folder."""
    out = smoke.copy(tmp_path)
    (tmp_path / "bad.jsonl").write_text("neither\n", encoding="utf-8")
    heldout = '{path: "symbolic:heldout", limit: 16}'
    ran = run(out, "--set", f"data.eval=[{heldout}, {{path: {tmp_path / 'bad.jsonl'}}}]")
    assert ran.returncode == 2
    assert "bad.jsonl" in ran.stderr
    again = run(out)
    assert again.returncode == 0, again.stderr
    assert digests(out) == digests(smoke.out)


def test_a_folder_that_another_process_has_just_begun_is_left_alone(tmp_path: Path, tiny_student: Student) -> None:
    """Turned away before the first had written its config, the second deleted the folder as its own failed start."""
    out = tmp_path / "run"
    with run_lock(out / "lock"):
        ran = run(out)
        assert ran.returncode == 2
        assert f"is in use by process {os.getpid()}; wait for it, or stop it." in ran.stderr
        assert (out / "lock").is_file()


def test_a_damaged_config_of_a_run_is_one_sentence(smoke: Finished, tmp_path: Path) -> None:
    out = smoke.copy(tmp_path)
    for content in (b"a: [", b"\xff\xfe", b""):
        (out / "config.yaml").write_bytes(content)
        ran = run(out)
        assert ran.returncode == 2
        assert "Traceback" not in ran.stderr
        assert f"{out / 'config.yaml'} is" in ran.stderr
        assert "Restore the config that the run began with" in ran.stderr


def test_solve_answers_from_the_run(smoke: Finished, tmp_path: Path) -> None:
    rows = [json.loads(r) for r in (smoke.out / "best/eval/local/gguf-q8_0/pool/rows.jsonl").open(encoding="utf-8")]
    solved = next(r for r in rows if r["verdict"] == "correct")
    question = next(
        p.question for p in read_problems(smoke.out / "best/data/train.jsonl") if p.id == solved["problem_id"]
    )
    ran = fdd_edge("solve", str(smoke.out), question)
    assert ran.returncode == 0, ran.stderr
    assert f"answer: {solved['answer']:g}\n" in ran.stdout


def test_a_round_exported_alone_is_the_rounds_own_file(tiny_student: Student, tmp_path: Path) -> None:
    """It once was called `merged`, and its importance matrix was measured on packaged prompts without programs."""
    from fdd_edge import api
    from fdd_edge.artifacts.gguf import describe_gguf

    made = api.run(
        "smoke",
        output=tmp_path / "run",
        rounds=1,
        overrides=["seed=1", "export.recipes=[gguf-q4_0-imatrix]", "feedback.artifact=gguf-q4_0-imatrix"],
        parity=False,
    )
    (artifact,) = api.export(made.path / "round-00", "gguf-q4_0-imatrix", tmp_path / "out", parity=False)
    own = made.rounds[0].artifacts["gguf-q4_0-imatrix"] / "model.gguf"
    assert artifact.path.read_bytes() == own.read_bytes()
    assert describe_gguf(own).name == "tiny round-00"


def test_an_exported_folder_is_all_a_board_needs(smoke: Finished, tmp_path: Path) -> None:
    """Copied elsewhere it answers by itself; its README says what was measured on this very file."""
    out = smoke.out
    made = fdd_edge("export", out, "-r", "gguf-q8_0", "-o", tmp_path / "made")
    assert made.returncode == 0, made.stderr
    folder = (tmp_path / "made" / "gguf-q8_0").rename(tmp_path / "elsewhere")
    expected = {"README.md", "artifact.json", "model.gguf", "parity.json", "prompt.txt", "runner.pyz"}
    assert {path.name for path in folder.iterdir()} == expected
    assert (folder / "model.gguf").read_bytes() == (out / "best/artifacts/gguf-q8_0/model.gguf").read_bytes()
    readme = (folder / "README.md").read_text(encoding="utf-8")
    summary = json.loads((out / "best/eval/local/gguf-q8_0/symbolic-heldout/summary.json").read_text(encoding="utf-8"))
    assert f"| symbolic-heldout | local | {summary['correct']} of {summary['n']} |" in readme
    assert "| pool |" not in readme
    assert "$" not in readme
    question = read_problems(out / "data" / "valid.jsonl")[0].question
    runner = [sys.executable, "runner.pyz", "solve", "model.gguf", question]
    asked = subprocess.run(runner, cwd=folder, capture_output=True, text=True, check=False)
    assert asked.returncode in (0, 1), asked.stderr
    assert ("answer: " if asked.returncode == 0 else "no answer: ") in asked.stdout
    # The folder names its model: it once was called no file, and an ONNX user was told to install llama.cpp.
    by_folder = [sys.executable, "runner.pyz", "solve", ".", question]
    assert subprocess.run(by_folder, cwd=folder, capture_output=True, text=True, check=False).stdout == asked.stdout


def test_a_finished_run_imports_no_torch(smoke: Finished, tmp_path: Path) -> None:
    """Torch is imported only if a student is trained, merged, exported or compared; looking at a run takes a second.

    A child process loaded every runtime, to see whether this machine has the target's CPU.
    """
    heavy = {"torch", "transformers", "peft", "onnxruntime", "huggingface_hub"}
    program = (
        "import sys\n"
        "from fdd_edge import api\n"
        "from fdd_edge.ondevice import device_info\n"
        "device_info.load_errors = None\n"
        "finished = api.run('smoke', output=sys.argv[1])\n"
        "assert len(finished.rounds) == 2\n"
        f"print(sorted(set(sys.modules) & {heavy!r}))\n"
    )
    command = [sys.executable, "-c", program, str(smoke.copy(tmp_path))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


def test_a_round_that_would_be_the_same_again_ends_the_run(tmp_path: Path, tiny_student: Student) -> None:
    """It was trained once more on the very same problems, unannounced; more data lets the run continue."""
    out, none = tmp_path / "run", ["feedback.per_easy=0", "feedback.per_hard=0", "feedback.limit=4", "data.eval=[]"]
    settings = [word for setting in none for word in ("--set", setting)]
    ran = run(out, "--no-parity", *settings)
    assert ran.returncode == 0, ran.stderr
    assert "Round 1 would repeat round 0: there are no new problems, so the run stops here." in ran.stderr
    assert [path.name for path in sorted(out.glob("round-*"))] == ["round-00"]
    assert "would_repeat" in json.loads((out / "round-00" / "summary.json").read_text(encoding="utf-8"))
    again = run(out, "--no-parity", *settings)
    assert (again.returncode, again.stdout) == (0, ran.stdout)
    assert "training on" not in again.stderr
