"""Starting a run: everything that could stop it later is checked first, then its folder is locked and opened."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from fdd_edge.artifacts.family import all_families
from fdd_edge.artifacts.recipe import float_recipe_of, load_gguf_recipe, load_recipe, load_recipes
from fdd_edge.config import Config
from fdd_edge.config_file import changed_keys, load_config
from fdd_edge.disk_space import check_disk
from fdd_edge.distributed import world_size
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import physical_cores
from fdd_edge.ondevice.families import runtime_modules
from fdd_edge.operations.export import check_recipes, warn_of_rounding
from fdd_edge.operations.imatrix import check_imatrix
from fdd_edge.operations.teaching import check_endpoints
from fdd_edge.operations.train import check_training
from fdd_edge.pipeline.asked_teachers import teachers_to_ask
from fdd_edge.pipeline.gates import check_gates
from fdd_edge.pipeline.ledger_report import copied_rows
from fdd_edge.pipeline.run import Named, Run, find_teacher, name_objects
from fdd_edge.pipeline.stages.data_sets import read_sets
from fdd_edge.progress import announce, warn, working
from fdd_edge.records import read_problems
from fdd_edge.resolve.dataset import DatasetOptions, FetchedSet, check_set, fetch_set
from fdd_edge.resolve.prompts import pin_prompt, requested_prompt, worked_examples
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import Manifest, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.manifest import RUN_FORMAT
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.students.tracking import check_trackers
from fdd_edge.students.training_options import NO_RECIPE
from fdd_edge.targets import load_profile
from fdd_edge.targets.diagnostics import require_ready
from fdd_edge.teachers.language_model.teacher_prompts import read_prompts
from fdd_edge.teachers.ledger import default_ledger
from fdd_edge.teachers.ledger.ledger_rows import restore, rows_of_run

__all__ = ["check_folder", "check_reserve", "check_room", "find_missing", "started"]

_ROUND_COPIES = 4
"""Disk that a round needs, in float32 copies of the student: merged, float file, quantized files, one in progress."""


@contextmanager
def started(config: Config, source: Mapping[str, Any], *, parity: bool) -> Iterator[Run]:
    """Check a config and open its run, new or resumed, while the folder is locked.

    Args:
        config: The checked config.
        source: The config as written.
        parity: Whether artifacts get certificates.

    Raises:
        FddError: Something is missing or wrong; a folder in which nothing was made yet is left as it was before.
    """
    if world_size() > 1:
        raise FddError("`fdd-edge run` is a single process; use `accelerate launch` only with `fdd-edge train`.")
    layout = RunLayout(config.output_path)
    with working("checking what the run needs"):
        named = _check_before_start(config, layout)
        commits = _read_commits(layout)
        named = named.with_files(commits)
        sets = {role: [fetch_set(spec, commits=commits) for spec in specs] for role, specs in _sets(config).items()}
        for target in named.targets:
            require_ready(target, named.families)
    with working(f"reading {config.student.model_name_or_path}"):
        student = _open_student(config, named, commits)
    new_folder = not layout.root.exists()
    with run_lock(layout.lock):
        # Checked again under the lock: another process may have started a run here in the meantime.
        check_folder(config, layout)
        layout.refuse_links()
        begins = not layout.is_run()
        text = yaml.safe_dump(dict(source), sort_keys=False, allow_unicode=True)
        if begins:
            write_atomic(layout.config, text)
        try:
            run = _open_run(config, layout, student, sets, commits, named, parity=parity)
            if begins:
                _note_config(run)
            _restore_calls(layout, named.run_id)
            read_sets(run)
            check_reserve(run)
            check_endpoints(teachers_to_ask(run))
            if not begins:
                # Save the extended config only now that its inputs could be read; otherwise neither the old nor the
                # new command would match the folder.
                write_atomic(layout.config, text)
                _note_config(run)
            yield run
        except FddError:
            if begins and not layout.has_work() and not rows_of_run(default_ledger(), named.run_id):
                layout.discard(folder=new_folder)
            raise


def _note_config(run: Run) -> None:
    """Write the hash of the config into the manifest, by which ``fdd-edge verify`` tells whether it was changed."""
    run.manifest.facts["config"] = HashCache().of(run.layout.config)
    run.manifest.write()


def _restore_calls(layout: RunLayout, run_id: str) -> None:
    """Put what a run knows of its calls into the ledger of this machine, if it was made on another one."""
    if copied := list(copied_rows(layout)):
        n = restore(default_ledger(), run_id, copied)
        if n:
            announce(f"{n} rows about calls to language models are put back into the ledger from the run's copies")


def check_room(run: Run, folder: Path | None = None) -> None:
    """Refuse a round that does not fit on the disk.

    Args:
        run: The run.
        folder: The folder that will hold it; None for its own.

    Raises:
        FddError: It does not.
    """
    check_disk(folder or run.layout.root, count_parameters(run.student.folder), copies=_ROUND_COPIES)


def check_reserve(run: Run) -> None:
    """Refuse a run whose reserve of untrained problems is too small for its rounds, once the reserve is there.

    Raises:
        FddError: It is.
    """
    if run.reserve is None or not run.reserve.is_file():
        return
    rounds, limit, n = run.config.rounds, run.config.feedback.limit, len(read_problems(run.reserve))
    if limit * rounds > n:
        raise FddError(
            f"feedback.pool: fresh reserves half of the seed problems, {n}, to be labelled before they are trained on; "
            f"{rounds} rounds with feedback.limit {limit} need {limit * rounds}. Add problems, or lower "
            "rounds or feedback.limit."
        )


def _read_commits(layout: RunLayout) -> dict[str, str]:
    """Return the hub commits that a run began with: branches move, a run does not."""
    commits: dict[str, str] = dict(Manifest(layout.manifest).facts.get("commits", {}))
    for name, commit in commits.items():
        if not name.endswith(f"@{commit}"):
            announce(f"{name}: using commit {commit}, which this run started with")
    return commits


def _sets(config: Config) -> dict[str, list[DatasetOptions]]:
    return {"train": config.data.train, "valid": config.data.valid, "eval": config.data.eval}


def _open_student(config: Config, named: Named, commits: dict[str, str]) -> Student:
    """Open the student, and refuse what cannot be trained or exported.

    Raises:
        FddError: It does not exist, or does not fit the recipes or the training.
    """
    families = named.families | ({named.qat_recipe.family} if named.qat_recipe else set())
    name, revision = config.student.model_name_or_path, config.student.revision
    student = open_student(name, revision, commits=commits, families=families)
    check_recipes(student, list(named.recipes.values()))
    check_training(student, config.lora.target_modules, named.qat_recipe)
    return student


def _open_run(
    config: Config,
    layout: RunLayout,
    student: Student,
    sets: Mapping[str, Sequence[FetchedSet]],
    commits: Mapping[str, str],
    named: Named,
    *,
    parity: bool,
) -> Run:
    """Read or begin the manifest, and record what later commands and later starts need to know."""
    if not layout.manifest.exists() and layout.round(0).root.exists():
        warn(f"{layout.manifest} is missing, so every stage is made again")
    makers = [package for family in all_families() for package in family.export_packages]
    manifest = Manifest(layout.manifest, packages=dict.fromkeys([*runtime_modules(), *makers]))
    facts = manifest.facts
    # The default depends on this machine; a run that is resumed on another one keeps the number it began with.
    threads = facts.setdefault("threads", config.decoding.threads or physical_cores())
    if config.decoding.threads not in (None, threads):
        raise FddError(
            f"{layout.manifest} is damaged (facts.threads is {threads}, but the run has decoding.threads "
            f"{config.decoding.threads}). Restore it; or delete it, and every stage is made again."
        )
    prompt = pin_prompt(config.student.prompt, student.folder, student.to_train().sha256, facts.get("prompt"))
    facts.setdefault("id", named.run_id)
    facts["prompt"] = prompt._asdict()
    facts["student"] = {"name": student.name, "sha256": student.sha256, "revision": student.revision}
    facts["datasets"] = {
        f"{role}/{fetched.options.label}": {"id": fetched.options.path, "revision": fetched.commit}
        for role, fetched_sets in sets.items()
        for fetched in fetched_sets
        if fetched.commit is not None
    }
    facts["commits"] = dict(commits)
    facts["judge"] = named.judge.name
    if named.asked:
        facts["teacher_prompts"] = named.asked[0].prompts.pinned()
    manifest.write()
    if named.qat_recipe is not None:
        warn_of_rounding(named.qat_recipe.type, list(named.recipes.values()))
    stages = Stages(layout.root, manifest)
    return Run(config, layout, named, parity, stages, manifest, student, sets, prompt.template, threads)


def _check_before_start(config: Config, layout: RunLayout) -> Named:
    """Find what would stop the run later, and return the objects that the config names.

    Raises:
        FddError: Something was found: another run's folder, or something missing. Lists all errors.
    """
    check_folder(config, layout)
    if missing := find_missing(config):
        raise FddError(missing[0] if len(missing) == 1 else "".join(f"\n  - {error}" for error in missing))
    facts = Manifest(layout.manifest).facts
    pinned_prompts = facts.get("teacher_prompts") if layout.has_work() else None
    return name_objects(config, str(facts.get("id") or uuid4().hex), pinned_prompts)


def find_missing(config: Config) -> list[str]:
    """Return an error for each recipe, target, teacher or file that a config names and that cannot be used.

    Each error has the path of its key; nothing is read from the network.
    """
    teacher, qat = config.teacher, config.training.quantization_aware
    checks: list[tuple[str, Callable[[], object]]] = [
        *((f"export.recipes.{i}", partial(_check_recipe, name)) for i, name in enumerate(config.export.recipes)),
        *((f"targets.{i}", partial(load_profile, name)) for i, name in enumerate(config.targets)),
        ("teacher.prompts", partial(read_prompts, teacher.prompts)),
        *((f"teacher.rationale.{i}", partial(find_teacher, config, name)) for i, name in enumerate(teacher.rationale)),
        ("teacher.evolve", partial(find_teacher, config, teacher.evolve, writer=True)),
        *(
            (f"data.{role}.{i}", partial(check_set, s))
            for role, sets in _sets(config).items()
            for i, s in enumerate(sets)
        ),
        ("student.prompt", partial(requested_prompt, config.student.prompt)),
        ("feedback.target", lambda: check_gates(config.gates, load_profile(config.feedback.target))),
    ]
    if qat != NO_RECIPE:
        checks.append(("training.quantization_aware", partial(load_gguf_recipe, qat)))
    checks.append(("training.report_to", partial(check_trackers, config.training.report_to)))
    if config.baseline is not None:
        checks.append(("baseline.num_fewshot", partial(worked_examples, config.baseline.num_fewshot)))
        checks.append(("baseline.prompt", partial(requested_prompt, config.baseline.prompt)))
    errors: dict[str, str] = {}
    for key, check in checks:
        if message := _error_of(check):
            errors.setdefault(message, f"{key}: {message}")
    return list(errors.values())


def _check_recipe(name: str) -> None:
    check_imatrix(load_recipe(name))


def _error_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except FddError as error:
        return str(error)
    return None


def check_folder(config: Config, layout: RunLayout) -> None:
    """Refuse a folder that holds something else, a run with other settings, or one of another format.

    Raises:
        FddError: It does; names the settings.
    """
    if not layout.is_run():
        if not layout.is_free():
            raise FddError(f"{layout.root} {_why_not_free(layout)}")
        return
    layout.refuse_links()
    _check_format(layout)
    if layout.has_work():
        _check_settings(config, layout)


def _check_format(layout: RunLayout) -> None:
    manifest = Manifest(layout.manifest)
    is_old = manifest.format != RUN_FORMAT or (not layout.manifest.exists() and layout.is_format_1())
    if is_old:
        made_by = f"fdd-edge {manifest.made_by}" if layout.manifest.exists() else "an earlier version of fdd-edge"
        raise FddError(
            f"{layout.root} was made by {made_by}, whose runs this version cannot resume; nothing in it was changed. "
            "Choose another run folder, or finish the run with that version; solve, eval, bench and export can still "
            "read it."
        )


def _check_settings(config: Config, layout: RunLayout) -> None:
    try:
        before, _ = load_config(str(layout.config))
    except FddError as error:
        raise FddError(f"{error} Restore the config that the run began with; nothing else is lost.") from None
    if changed := changed_keys(before, config):
        listed = "; ".join(f"{key} is {was!r} there, not {now!r}" for key, (was, now) in changed.items())
        raise FddError(
            f"{layout.root} holds a run with other settings: {listed}. Choose another folder, or use these settings."
        )
    was, now = (float_recipe_of(load_recipes(one.export.recipes)) for one in (before, config))
    if was != now:
        raise FddError(
            f"{layout.root} holds a run without a GGUF: its float model, which finds the lost problems, is {was}. With "
            f"a GGUF it would be {now}, and every label would change. Choose another folder; to get a GGUF of a "
            f"finished round, use: fdd-edge export {shlex.quote(str(layout.root))}"
        )


def _why_not_free(layout: RunLayout) -> str:
    """Return why no run can begin in a folder that holds none, and what to do."""
    if layout.root.is_symlink() and not layout.root.exists():
        return "is a link to a folder that does not exist; create that folder, or choose another run folder."
    if layout.root.is_file():
        return "is a file; choose another run folder."
    if layout.manifest.is_file():
        return f"is a run whose {layout.config.name} is missing; restore the config that the run began with."
    return "is not empty and does not hold a run; choose another run folder."
