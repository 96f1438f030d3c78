"""Feedback-driven distillation (arXiv 2411.14698), judged on the device: the rounds, one after the other.

A round trains the student on all data so far, exports it, runs the exported files on the targets, splits
problems into easy and hard by what the judge solved there, and lets the teacher write the next round's problems.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from fdd_edge.artifacts.recipe import FLOAT_RECIPE, Recipe, load_recipes
from fdd_edge.config import Config, DatasetConfig, changed_keys, parse_config
from fdd_edge.errors import FddError
from fdd_edge.progress import announce
from fdd_edge.records import Problem, hash_problems, read_problems
from fdd_edge.runs import Manifest, RoundLayout, RunLayout, Stages, run_lock
from fdd_edge.runs.layout import ArtifactsLayout
from fdd_edge.stages import evaluation, export, feedback, parity, problems, training
from fdd_edge.stages.evaluation import Decoding
from fdd_edge.stages.problems import DatasetSpec
from fdd_edge.stages.prompts import requested_prompt, shot_stops, student_prompt, worked_examples
from fdd_edge.stages.student import Student, open_student
from fdd_edge.stages.summary import RoundSummary, summarize_round
from fdd_edge.teachers import load_teacher

__all__ = ["Run", "run"]

POOL = "pool"
NON_EASY = "non-easy"
"""Names, among the data sets of an evaluation, of the problems that are labelled and of those the judge missed."""


@dataclass(frozen=True)
class Run:
    """What every round needs: the checked config, the folder, and the student."""

    config: Config
    layout: RunLayout
    stages: Stages
    manifest: Manifest
    student: Student
    template: str
    recipes: list[Recipe]

    @property
    def judge(self) -> str:
        """Recipe of the artifact that splits easy from hard."""
        return FLOAT_RECIPE if self.config.feedback.artifact == "float" else self.config.feedback.artifact

    @property
    def reported(self) -> dict[str, Path]:
        """The sets that every artifact is evaluated on: valid, then eval."""
        named = {d.label: self.layout.eval_set(d.label) for d in self.config.data.eval}
        return {"valid": self.layout.valid, **named}

    def greedy(self) -> Decoding:
        """How the reported sets are decoded."""
        d = self.config.decoding
        return Decoding(d.max_new_tokens, d.sequences, d.threads, 0.0, d.wave, seed=self.config.seed)

    def sampled(self) -> Decoding:
        """How the labelled problems are decoded: greedily, or several times by chance."""
        d, samples = self.config.decoding, self.config.feedback.samples
        temperature = d.temperature if samples > 1 else 0.0
        return Decoding(
            d.max_new_tokens, d.sequences, d.threads, temperature, d.wave, samples=samples, seed=self.config.seed
        )


def run(
    config: Config,
    source: Mapping[str, Any],
    *,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Run a config, or go on where an earlier call stopped.

    Args:
        config: The checked config.
        source: The config as written, stored in the run folder.
        on_round: Called with the figures of every round, those finished earlier too.

    Returns:
        The run folder.

    Raises:
        FddError: The folder is another run's, something of the config is missing, or a stage failed.
    """
    layout = RunLayout(Path(config.output_dir))
    check_before_start(config, layout)
    with run_lock(layout.lock):
        student = open_student(config.student.model_name_or_path, config.student.revision)
        template = student_prompt(config.student.prompt, student.folder)
        manifest = Manifest(layout.manifest)
        manifest.facts["student"] = {"name": student.name, "sha256": student.sha256}
        manifest.write()
        layout.config.write_text(yaml.safe_dump(dict(source), sort_keys=False, allow_unicode=True), encoding="utf-8")
        stages = Stages(layout.root, manifest)
        this = Run(config, layout, stages, manifest, student, template, load_recipes(config.export.recipes))
        read_problem_sets(this)
        if config.baseline is not None:
            evaluate_untuned(this)
        for number in range(config.rounds):
            on_round(run_round(this, number))
            keep_what_is_needed(this, number)
    return layout


def check_before_start(config: Config, layout: RunLayout) -> None:
    """Find what would stop the run later: another run's folder, unknown recipes, targets or teachers, a full disk."""
    from fdd_edge.targets import load_profile

    if layout.is_run():
        source = yaml.safe_load(layout.config.read_text(encoding="utf-8"))
        changed = changed_keys(parse_config(source, str(layout.config)), config)
        if changed:
            raise FddError(
                f"{layout.root} holds a run with other settings ({', '.join(changed)}); "
                "name another output_dir, or set them back."
            )
    elif layout.root.exists() and any(p.name != "lock" for p in layout.root.iterdir()):
        raise FddError(f"{layout.root} is not empty and holds no run; name another output_dir.")
    load_recipes(config.export.recipes)
    for target in config.targets:
        load_profile(target)
    for teacher in (*config.teacher.rationale, config.teacher.evolve):
        load_teacher(teacher)
    problems.dataset_inputs(_specs([*config.data.train, *config.data.valid, *config.data.eval]))


def read_problem_sets(this: Run) -> None:
    """Read every data set once, so that a file that changes later changes nothing half way."""
    data = this.config.data
    sets = {"train": _specs(data.train), "valid": _specs(data.valid), "eval": _specs(data.eval)}
    flat = [spec for specs in sets.values() for spec in specs]
    this.stages.ensure(
        this.layout.data,
        lambda out: problems.write_sets(out, **sets, seed=this.config.seed),
        version=problems.SETS_VERSION,
        params={"seed": this.config.seed, "sets": {k: [s.__dict__ for s in v] for k, v in sets.items()}},
        inputs={f"{i}": path for i, path in enumerate(problems.dataset_inputs(flat).values())},
    )


def run_round(this: Run, number: int) -> RoundSummary:
    """Train, export, judge, split and evolve once."""
    announce(f"Round {number}")
    place = this.layout.round(number)
    gather_data(this, number)
    train_student(this, number)
    export_float(this, place, place.merged)
    prove_float(this, place)
    export_quantized(this, place, this.recipes)
    for target in this.config.targets:
        for recipe in this.recipes:
            for name, path in this.reported.items():
                evaluate(this, place, recipe.name, target, name, read_problems(path), this.greedy())
    split_by_judge(this, number)
    evolve_problems(this, number)
    summary = summarize_round(
        this.layout,
        number,
        recipes=this.recipes,
        targets=this.config.targets,
        datasets=list(this.reported),
        declined=this.manifest.facts.get("declined", {}).get(place.root.name, {}),
    )
    place.summary.write_text(json.dumps(summary.to_row(), indent=1) + "\n", encoding="utf-8")
    return summary


def gather_data(this: Run, number: int) -> None:
    """Write the data a round trains on: the seed problems, or everything so far and what was evolved."""
    place = this.layout.round(number)
    protected = this.reported
    inputs = {f"protected/{name}": path for name, path in protected.items()}
    if number == 0:
        teachers = this.config.teacher.rationale
        this.stages.ensure(
            place.data,
            lambda out: problems.seed_training_data(this.layout.seed_problems, protected, out, teachers=teachers),
            version=problems.DATA_VERSION,
            params={"teachers": teachers},
            inputs=inputs | {"seed": this.layout.seed_problems},
        )
        return
    before = this.layout.round(number - 1)
    lost = before.split / "lost.jsonl"
    this.stages.ensure(
        place.data,
        lambda out: problems.extend_training_data(before.train, before.evolved, lost, protected, out),
        version=problems.DATA_VERSION,
        params={},
        inputs=inputs | {"train": before.train, "evolved": before.evolved, "lost": lost},
    )


def train_student(this: Run, number: int) -> None:
    """LoRA-tune the student on the round's data, and merge the adapter into it."""
    config, place = this.config, this.layout.round(number)
    previous = this.layout.round(number - 1).adapter if config.training.start_from == "previous" and number else None
    settings: dict[str, Any] = {
        "template": this.template,
        "lora": config.lora.model_dump(),
        "training": config.training.model_dump(),
        "dtype": config.student.dtype,
        "seed": config.seed,
    }
    this.stages.ensure(
        place.adapter,
        lambda out: training.train(this.student, place.train, out, start_from=previous, **settings),
        version=training.TRAIN_VERSION,
        params=settings | {"student": this.student.sha256},
        inputs={"train": place.train} | ({"start_from": previous} if previous else {}),
    )
    this.stages.ensure(
        place.merged,
        lambda out: training.merge(this.student, place.adapter, out, template=this.template),
        version=training.MERGE_VERSION,
        params={"student": this.student.sha256, "template": this.template},
        inputs={"adapter": place.adapter},
    )


def export_float(this: Run, place: ArtifactsLayout, folder: Path) -> None:
    """Write the float artifact of a student before or after training."""
    inside = folder.is_relative_to(this.layout.root)
    vocab = folder / "vocab.gguf" if inside else this.student.vocab
    facts = {
        "name": f"{this.student.name} {place.root.name}",
        "template": this.template,
        "license": this.student.license,
    }
    this.stages.ensure(
        place.artifact(FLOAT_RECIPE),
        lambda out: export.export_float(folder, vocab, out, **facts),
        version=export.EXPORT_VERSION,
        params=facts | {"student": this.student.sha256},
        inputs={"merged": folder} if inside else {},
    )


def prove_float(this: Run, place: RoundLayout) -> None:
    """Hold the float artifact against the merged student in torch."""
    chosen = read_problems(this.layout.seed_problems)[: parity.PARITY_PROMPTS]
    this.stages.ensure(
        place.parity(FLOAT_RECIPE),
        lambda out: parity.prove_float(place.merged, place.model(FLOAT_RECIPE), chosen, out, template=this.template),
        version=parity.PARITY_VERSION,
        params={"prompts": parity.PARITY_PROMPTS},
        inputs={
            "merged": place.merged,
            "artifact": place.artifact(FLOAT_RECIPE),
            "problems": this.layout.data,
        },
        is_file=True,
    )


def export_quantized(this: Run, place: ArtifactsLayout, recipes: Sequence[Recipe]) -> None:
    """Quantize the float artifact by every recipe."""
    for recipe in recipes:
        if recipe.name != FLOAT_RECIPE:
            this.stages.ensure(
                place.artifact(recipe.name),
                lambda out, recipe=recipe: export.export_quantized(place.model(FLOAT_RECIPE), out, recipe),
                version=export.EXPORT_VERSION,
                params={"recipe": recipe.model_dump()},
                inputs={"float": place.artifact(FLOAT_RECIPE)},
            )


def evaluate(
    this: Run,
    place: ArtifactsLayout,
    recipe: str,
    target: str,
    dataset: str,
    asked: Sequence[Problem],
    decoding: Decoding,
) -> Path:
    """Run one artifact on one target over one set; return the evaluation's folder."""
    out = place.evaluation(target, recipe, dataset)
    title = f"{place.root.name} {recipe} on {target}: {dataset}"
    model = place.model(recipe)
    this.stages.ensure(
        out,
        lambda partial: evaluation.complete(model, asked, partial, target=target, decoding=decoding, title=title),
        version=evaluation.EVAL_VERSION,
        params={"target": target, "problems": hash_problems(asked), "decoding": decoding.fingerprint(target)},
        inputs={"artifact": place.artifact(recipe)},
    )
    return out


def evaluate_untuned(this: Run) -> None:
    """Evaluate the student before training, with worked examples in its prompt, as the judge's recipe."""
    assert this.config.baseline is not None
    baseline, place = this.config.baseline, this.layout.untuned
    announce(f"The untuned student, {baseline.shots} worked examples in its prompt")
    export_float(this, place, this.student.folder)
    export_quantized(this, place, [recipe for recipe in this.recipes if recipe.name == this.judge])
    decoding = replace(
        this.greedy(),
        prompt=requested_prompt(baseline.prompt),
        shots=worked_examples(baseline.shots),
        stop=shot_stops(baseline.shots),
    )
    for name, path in this.reported.items():
        evaluate(this, place, this.judge, this.config.feedback.target, name, read_problems(path), decoding)


def split_by_judge(this: Run, number: int) -> None:
    """Label a sample of the round's problems by what the judge solves of them on its target."""
    rules, place = this.config.feedback, this.layout.round(number)
    bands = {"easy_at": rules.easy_at, "hard_at": rules.hard_at}
    pool = feedback.draw_pool(place.train, rules.limit, this.config.seed + number)
    rows = evaluate(this, place, this.judge, rules.target, POOL, pool, this.sampled())
    inputs = {"pool": place.train, "rows": rows / "rows.jsonl"}
    float_rows: Path | None = None
    if this.judge != FLOAT_RECIPE:
        missed = feedback.non_easy(pool, rows, **bands)
        if missed:
            float_rows = evaluate(this, place, FLOAT_RECIPE, "local", NON_EASY, missed, this.greedy())
            inputs["float_rows"] = float_rows / "rows.jsonl"
    this.stages.ensure(
        place.split,
        lambda out: feedback.split(pool, rows, float_rows, out, **bands),
        version=feedback.SPLIT_VERSION,
        params={"limit": rules.limit, "seed": this.config.seed + number} | bands,
        inputs=inputs,
    )


def evolve_problems(this: Run, number: int) -> None:
    """Let the teacher write more complex problems from easy ones, and similar ones from hard ones."""
    rules, place = this.config.feedback, this.layout.round(number)
    settings: dict[str, Any] = {
        "teacher": this.config.teacher.evolve,
        "per_easy": rules.per_easy,
        "per_hard": rules.per_hard,
        "max_depth": rules.max_depth,
        "round_number": number,
        "seed": this.config.seed + number,
    }

    def make(out: Path) -> None:
        this.manifest.facts.setdefault("declined", {})[place.root.name] = feedback.evolve(place.split, out, **settings)

    this.stages.ensure(
        place.evolved,
        make,
        version=feedback.EVOLVE_VERSION,
        params=settings,
        inputs={"split": place.split},
        is_file=True,
    )


def choose_best(this: Run, number: int) -> int:
    """Return the round, up to ``number``, whose judge solves most of ``valid``; of equal ones the earlier."""
    rules = this.config.feedback
    solved = [
        evaluation.read_evaluation(this.layout.round(n).evaluation(rules.target, this.judge, "valid")).summary.correct
        for n in range(number + 1)
    ]
    return solved.index(max(solved))


def keep_what_is_needed(this: Run, number: int) -> None:
    """Point ``best`` at the best round, and delete the models of rounds that ``keep`` does not name."""
    best = choose_best(this, number)
    this.layout.link_best(best)
    wanted = {"all": set(range(number + 1)), "best": {best}, "last": {number}, None: {best, number}}[this.config.keep]
    # The last round stays until the run ends: the next one may start from it, and a longer run goes on from it.
    for old in set(range(number)) - wanted:
        place = this.layout.round(old)
        this.stages.prune(place.merged)
        for recipe in {FLOAT_RECIPE, *(r.name for r in this.recipes)}:
            this.stages.prune(place.artifact(recipe))


def _specs(datasets: Sequence[DatasetConfig]) -> list[DatasetSpec]:
    return [DatasetSpec(d.label, d.path, d.format, d.limit) for d in datasets]
