"""Feedback-driven distillation (arXiv 2411.14698), judged on the device: the rounds, one after the other.

A round trains the student on all data so far, exports it, runs the exported files on the targets, splits
problems into easy and hard by what the judge solved there, and lets the teacher write the next round's problems.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from fdd_edge.artifacts.recipe import families_of, float_recipe_of, load_gguf_recipe, load_recipe, load_recipes
from fdd_edge.config import Config, changed_keys, load_config
from fdd_edge.distributed import world_size
from fdd_edge.errors import FddError, ParityError
from fdd_edge.ondevice.device_info import physical_cores
from fdd_edge.operations.certify import failure_message
from fdd_edge.operations.export import check_disk, check_recipes, count_parameters, warn_of_rounding
from fdd_edge.operations.imatrix import check_imatrix
from fdd_edge.operations.train import check_training
from fdd_edge.pipeline.evaluations import evaluate_reported, evaluate_untuned
from fdd_edge.pipeline.exports import export_student, failed_certificates, models, restore_models
from fdd_edge.pipeline.gates import best_of
from fdd_edge.pipeline.labels import curate_problems, evolve_problems, split_by_judge
from fdd_edge.pipeline.round_data import check_reserve, dataset_specs, gather_data, read_problem_sets
from fdd_edge.pipeline.round_gates import check_gates, judge_rounds
from fdd_edge.pipeline.round_summary import RoundSummary, summarize_round
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.training import train_student
from fdd_edge.progress import announce
from fdd_edge.resolve.dataset import DatasetSpec, check_set, fetch_set
from fdd_edge.resolve.prompts import begin_prompt, requested_prompt, worked_examples
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import Manifest, PrunedInputError, RoundLayout, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.targets import load_profile
from fdd_edge.targets.diagnostics import require_ready
from fdd_edge.teachers import load_teacher, load_writer

__all__ = ["run"]

_ROUND_COPIES = 4
"""Disk of a round in float32 copies of the student: merged, float file, quantized files, and one being written."""


def run(
    config: Config,
    source: Mapping[str, Any],
    *,
    parity: bool = True,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Run a config, or go on where an earlier call stopped.

    Args:
        config: The checked config.
        source: The config as written, stored in the run folder.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with the figures of every round, those finished earlier too.

    Returns:
        The run folder.

    Raises:
        FddError: The folder is another run's, something of the config is missing, or a stage failed.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    if world_size() > 1:
        raise FddError("A run is one process, which judges and evolves; `accelerate launch` is for fdd-edge train.")
    layout = RunLayout(Path(config.output_dir))
    check_before_start(config, layout)
    commits = read_commits(layout)
    sets = {role: [fetch_set(spec, commits=commits) for spec in s] for role, s in dataset_specs(config.data).items()}
    families = families_of(config.export.recipes)
    for target in config.targets:
        require_ready(load_profile(target), families)
    aware_of = config.training.quantization_aware
    grid = None if aware_of == "none" else load_gguf_recipe(aware_of, "training.quantization_aware")
    name, revision = config.student.model_name_or_path, config.student.revision
    student = open_student(name, revision, commits=commits, families=families_of(config.recipe_names))
    check_recipes(student, load_recipes(config.export.recipes))
    check_training(student, config.lora.target_modules, grid)
    new_folder = not layout.root.exists()
    with run_lock(layout.lock):
        # Again, now that nobody else can write: another process may have begun a run here meanwhile.
        check_folder_is_this_run(config, layout)
        begins = not layout.is_run()
        text = yaml.safe_dump(dict(source), sort_keys=False, allow_unicode=True)
        if begins:
            write_atomic(layout.config, text)
        try:
            this = open_run(config, layout, student, sets, commits, parity=parity)
            read_problem_sets(this)
            if layout.round(0).reserve.is_file():
                check_reserve(this)
            if not begins:
                # What extends a run stands in its config once it can be had: else no config would fit the folder.
                write_atomic(layout.config, text)
            run_rounds(this, on_round)
        except FddError:
            if begins and not layout.has_work():
                layout.discard(folder=new_folder)
            raise
    return layout


def read_commits(layout: RunLayout) -> dict[str, str]:
    """Return the commits of the hub that a run began with: branches move on, a run does not."""
    commits: dict[str, str] = dict(Manifest(layout.manifest).facts.get("commits", {}))
    for name, commit in commits.items():
        if not name.endswith(f"@{commit}"):
            announce(f"{name} stays at commit {commit}, as when this run began")
    return commits


def open_run(
    config: Config,
    layout: RunLayout,
    student: Student,
    sets: Mapping[str, Sequence[DatasetSpec]],
    commits: Mapping[str, str],
    *,
    parity: bool = True,
) -> Run:
    """Read or begin the manifest, and record what later commands and later starts need to know."""
    if not layout.manifest.exists() and layout.round(0).root.exists():
        announce(f"{layout.manifest} is gone, so every stage is made again")
    manifest = Manifest(layout.manifest)
    # The default depends on the machine at hand; a run that goes on elsewhere keeps the number it began with.
    threads = manifest.facts.setdefault("threads", config.decoding.threads or physical_cores())
    noted = manifest.facts.get("prompt")
    prompt = begin_prompt(config.student.prompt, student.folder, student.sha256, noted)
    this = Run(
        config,
        layout,
        Stages(layout.root, manifest),
        manifest,
        student,
        sets,
        prompt.template,
        load_recipes(config.export.recipes),
        threads,
        parity,
    )
    manifest.facts["prompt"] = prompt._asdict()
    manifest.facts["student"] = {"name": student.name, "sha256": student.sha256, "revision": student.revision}
    manifest.facts["datasets"] = {
        f"{role}/{spec.name}": {"id": spec.path, "revision": spec.commit}
        for role, specs in sets.items()
        for spec in specs
        if spec.commit is not None
    }
    manifest.facts["commits"] = dict(commits)
    manifest.facts["judge"] = this.judge
    manifest.write()
    if this.aware_of is not None:
        warn_of_rounding(this.aware_of.type, this.recipes)
    return this


def run_rounds(this: Run, on_round: Callable[[RoundSummary], None]) -> None:
    """Evaluate the untuned student if asked to, and do every round that is not done.

    Raises:
        ParityError: An artifact failed its certificate and was left out.
    """
    if this.config.baseline is not None:
        evaluate_untuned(this)
    parameters = count_parameters(this.student.folder)
    for number in range(this.config.rounds):
        place = this.layout.round(number)
        if not this.stages.was_made(place.merged):
            check_disk(this.layout.root, parameters, copies=_ROUND_COPIES)
        try:
            summary = run_round(this, number)
        except PrunedInputError:
            restore_models(this, place)
            summary = run_round(this, number)
        on_round(summary)
        if not this.stages.was_made(this.layout.round(number + 1).data):
            # Of an earlier round that was done when the next one began; and who damaged that one is found out later.
            keep_what_is_needed(this, number)
    bring_best_back(this)
    places = [this.layout.untuned, *map(this.layout.round, range(this.config.rounds))]
    if failed := {p.root.name: list(found.values()) for p in places if (found := failed_certificates(this, p))}:
        raise ParityError(
            "\n".join(failure_message(found, f"the evaluations of {name}") for name, found in failed.items())
        )


def run_round(this: Run, number: int) -> RoundSummary:
    """Train, export, judge, split, evolve and curate once; return what happened."""
    announce(f"Round {number}")
    place = this.layout.round(number)
    gather_data(this, number)
    train_student(this, number)
    export_student(this, place)
    evaluate_reported(this, place)
    split_by_judge(this, number)
    evolve_problems(this, number)
    curate_problems(this, number)
    summary = summarize_round(
        this.layout,
        number,
        recipes=this.evaluated,
        certified=this.certified if this.parity else [],
        targets=this.target_names,
        datasets=list(this.reported),
        judge=(load_profile(this.config.feedback.target).name, this.judge),
        fresh=this.reserve is not None,
        refusals=this.manifest.facts.get("declined", {}).get(place.root.name, {}),
        held_back=judge_rounds(this, number)[number].held_back,
        shots=0 if this.config.baseline is None else this.config.baseline.shots,
    )
    write_atomic(place.summary, json.dumps(summary.to_row(), indent=1) + "\n")
    return summary


def bring_best_back(this: Run) -> None:
    """Make the best round's models again where they were deleted: other gates may have made it the best since."""
    best = best_of(judge_rounds(this))
    if best is None or this.config.keep == "last":
        return
    place = RoundLayout(this.layout.root / best)
    if this.stages.is_pruned(place.merged):
        restore_models(this, place)
        run_round(this, place.number)


def check_before_start(config: Config, layout: RunLayout) -> None:
    """Find what would stop the run later: another run's folder, unknown recipes, targets or teachers, missing files.

    Raises:
        FddError: Something was found; all faults are listed.
    """
    check_folder_is_this_run(config, layout)
    datasets = [spec for specs in dataset_specs(config.data).values() for spec in specs]
    checks: list[Callable[[], object]] = [
        *(partial(check_recipe, name) for name in config.recipe_names),
        *(partial(load_profile, name) for name in config.targets),
        *(partial(load_teacher, name) for name in config.teacher.rationale),
        partial(load_writer, config.teacher.evolve),
        *(partial(check_set, spec) for spec in datasets),
        partial(requested_prompt, config.student.prompt),
        partial(
            check_gates,
            config.feedback.target,
            max_rss_mb=config.gates.max_rss_mb,
            min_tokens_per_s=config.gates.min_tokens_per_s,
        ),
    ]
    if config.baseline is not None:
        checks += [partial(worked_examples, config.baseline.shots), partial(requested_prompt, config.baseline.prompt)]
    faults = list(dict.fromkeys(fault for check in checks if (fault := _fault(check))))
    if faults:
        raise FddError(faults[0] if len(faults) == 1 else "".join(f"\n  - {fault}" for fault in faults))


def check_recipe(name: str) -> None:
    """Load a recipe, and find the importance matrix that it may name."""
    check_imatrix(load_recipe(name))


def _fault(check: Callable[[], object]) -> str | None:
    try:
        check()
    except FddError as error:
        return str(error)
    return None


def check_folder_is_this_run(config: Config, layout: RunLayout) -> None:
    """Refuse a folder that holds something else, or a run with other settings.

    Raises:
        FddError: It does; names the settings.
    """
    if layout.is_run() and layout.has_work():
        try:
            before, _ = load_config(str(layout.config))
        except FddError as error:
            raise FddError(f"{error} Put the config back that the run began with; nothing else is lost.") from None
        changed = changed_keys(before, config)
        if changed:
            listed = "; ".join(f"{key} is {was!r} there, not {now!r}" for key, (was, now) in changed.items())
            raise FddError(
                f"{layout.root} holds a run with other settings: {listed}. Name another folder, or use these."
            )
        was, now = (float_recipe_of(load_recipes(one.export.recipes)) for one in (before, config))
        if was != now:
            raise FddError(
                f"{layout.root} holds a run that exports no GGUF: its float model is {was}, which finds the lost "
                f"problems. With a GGUF it would be {now}, and every label is made again. Name another folder; to have "
                f"a GGUF of a finished round: fdd-edge export {shlex.quote(str(layout.root))}"
            )
    elif not layout.is_run() and not layout.is_free():
        raise FddError(f"{layout.root} {_what_is_there(layout)}")


def _what_is_there(layout: RunLayout) -> str:
    """Say why no run can begin in a folder that holds none, and what to do."""
    if layout.root.is_symlink() and not layout.root.exists():
        return "is a link to a place that does not exist; make that folder, or name another output_dir."
    if layout.root.is_file():
        return "is a file; name another output_dir."
    if layout.manifest.is_file():
        return f"holds a run that has lost its {layout.config.name}; put the config back that the run began with."
    return "is not empty and holds no run; name another output_dir."


def keep_what_is_needed(this: Run, number: int) -> None:
    """Point ``best`` at the best round, and delete the models of the rounds so far that ``keep`` does not name.

    Where every round is held back there is no best one, and the newest is kept.
    """
    best = best_of(judge_rounds(this))
    this.layout.link_best(best)
    so_far = [this.layout.round(n).root.name for n in range(number + 1)]
    newest = so_far[-1]
    kept: dict[str | None, set[str]] = {
        "all": set(so_far),
        "best": {best or newest},
        "last": {newest},
        None: {best or newest, newest},
    }
    wanted = kept[this.config.keep]
    for old in (n for n, name in enumerate(so_far) if name not in wanted):
        for output in models(this, this.layout.round(old)):
            this.stages.prune(output)
