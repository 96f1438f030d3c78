"""Starting a run: everything that could stop it later is checked first, then its folder is locked and opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from fdd_edge.artifacts.family import all_families
from fdd_edge.artifacts.recipe import load_gguf_recipe, load_recipe
from fdd_edge.config import Config
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
from fdd_edge.pipeline.folder_check import check_folder
from fdd_edge.pipeline.gates import check_gates
from fdd_edge.pipeline.ledger_report import copied_rows
from fdd_edge.pipeline.round_summary import says_would_repeat
from fdd_edge.pipeline.run import Named, Run, find_teacher, name_objects
from fdd_edge.pipeline.stages.data_sets import read_sets
from fdd_edge.progress import announce, warn, working
from fdd_edge.records import read_problems
from fdd_edge.resolve.dataset import DatasetOptions, FetchedSet, check_set, fetch_set
from fdd_edge.resolve.prompts import pin_prompt, requested_prompt, worked_examples
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import Manifest, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.lock import refuse_held
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.students.tracking import check_trackers
from fdd_edge.students.training_options import NO_RECIPE
from fdd_edge.targets import load_profile
from fdd_edge.targets.diagnostics import require_ready
from fdd_edge.teachers.language_model.teacher_prompts import read_prompts
from fdd_edge.teachers.ledger import default_ledger
from fdd_edge.teachers.ledger.ledger_rows import restore, rows_of_run

__all__ = ["check_reserve", "check_room", "find_missing", "started", "try_start"]

_ROUND_COPIES = 4
"""Disk that a round needs, in float32 copies of the student: merged, float file, quantized files, one in progress."""


@dataclass(frozen=True)
class _Found:
    """What a start finds before it writes anything.

    Attributes:
        named: The objects that the config names.
        commits: The hub commits of everything that is from there.
        sets: The data sets by role.
        student: The student before training.
    """

    named: Named
    commits: Mapping[str, str]
    sets: Mapping[str, Sequence[FetchedSet]]
    student: Student


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
    layout = RunLayout(config.output_path)
    found = _find(config, layout)
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
            run = _open_run(config, layout, found, parity=parity)
            if begins:
                _note_config(run)
            _restore_calls(layout, run.named.run_id)
            _check_opened(run)
            if not begins:
                # Save the extended config only now that its inputs could be read; otherwise neither the old nor the
                # new command would match the folder.
                write_atomic(layout.config, text)
                _note_config(run)
            yield run
        except FddError:
            if begins and not layout.has_work() and not rows_of_run(default_ledger(), found.named.run_id):
                layout.discard(folder=new_folder)
            raise


def try_start(config: Config, place: Path, *, parity: bool) -> Run:
    """Check all that ``started`` checks, and write nothing to the run folder.

    Args:
        config: The checked config.
        place: A folder that does not exist yet, for a copy of what a start reads of the run, and for what it writes.
        parity: Whether artifacts get certificates.

    Returns:
        The run, as far as its start gets, in ``place``.

    Raises:
        FddError: Something is missing or wrong, or another process works on the run.
    """
    layout = RunLayout(config.output_path)
    found = _find(config, layout)
    refuse_held(layout.lock)
    for _ in copied_rows(layout):
        pass  # reading them is the check
    try:
        run = _open_run(config, layout.copy_start(place), found, parity=parity)
        _check_opened(run)
        if _trains_on(run):
            check_room(run, layout.root)
    except FddError as error:
        # The copy will be gone: what is wrong is wrong in the run folder.
        error.args = tuple(str(arg).replace(str(place), str(layout.root)) for arg in error.args)
        raise
    return run


def _trains_on(run: Run) -> bool:
    """Return whether a round has yet to be trained."""
    for number in range(run.config.rounds):
        round_dir = run.layout.round(number)
        if not run.stages.was_made(round_dir.merged):
            return True
        if says_would_repeat(round_dir.summary):
            return False
    return False


def _find(config: Config, layout: RunLayout) -> _Found:
    """Find and open everything that a config names; only the cache is written to.

    Raises:
        FddError: Something is missing or wrong.
    """
    if world_size() > 1:
        raise FddError("`fdd-edge run` is a single process; use `accelerate launch` only with `fdd-edge train`.")
    with working("checking what the run needs"):
        named = _check_before_start(config, layout)
        commits = _read_commits(layout)
        named = named.with_files(commits)
        sets = {role: [fetch_set(spec, commits=commits) for spec in specs] for role, specs in _sets(config).items()}
        for target in named.targets:
            require_ready(target, named.families)
    student = _open_student(config, named, commits)
    if not layout.manifest.exists() and layout.round(0).root.exists():
        warn(f"{layout.manifest} is missing, so every stage is made again")
    return _Found(named, commits, sets, student)


def _check_opened(run: Run) -> None:
    """Check what an opened run tells: its problems, and who will be asked for more.

    Raises:
        FddError: A set is broken, the reserve is too small, or an endpoint does not answer.
    """
    read_sets(run)
    check_reserve(run)
    check_endpoints(teachers_to_ask(run))


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
    """Refuse a run whose reserve of untrained problems is too small for its rounds.

    Until the reserve is there, half of the seed problems is the most that it can hold: some may be left out of it.

    Raises:
        FddError: It is.
    """
    if run.reserve is None:
        return
    is_there = run.reserve.is_file()
    n = len(read_problems(run.reserve)) if is_there else len(read_problems(run.layout.seed_problems)) // 2
    rounds, limit = run.config.rounds, run.config.feedback.limit
    if limit * rounds > n:
        raise FddError(
            f"feedback.pool: fresh reserves half of the seed problems, {'' if is_there else 'at most '}{n}, to be "
            f"labelled before they are trained on; {rounds} rounds with feedback.limit {limit} need {limit * rounds}. "
            "Add problems, or lower rounds or feedback.limit."
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


def _open_run(config: Config, layout: RunLayout, found: _Found, *, parity: bool) -> Run:
    """Read or begin the manifest, and record what later commands and later starts need to know."""
    named, student = found.named, found.student
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
        f"{role}/{fetched.options.label}": {
            "id": fetched.options.path,
            "revision": fetched.commit,
            "license": fetched.license,
        }
        for role, fetched_sets in found.sets.items()
        for fetched in fetched_sets
        if fetched.commit is not None
    }
    facts["commits"] = dict(found.commits)
    facts["judge"] = named.judge.name
    if named.asked:
        facts["teacher_prompts"] = named.asked[0].prompts.pinned()
    manifest.write()
    if named.qat_recipe is not None:
        warn_of_rounding(named.qat_recipe.type, list(named.recipes.values()))
    stages = Stages(layout.root, manifest)
    return Run(config, layout, named, parity, stages, manifest, student, found.sets, prompt.template, threads)


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
