"""Where everything comes from, under which license, and the commands that make it again."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from fdd_edge.config_file import environment_names
from fdd_edge.records import read_jsonl, read_problems
from fdd_edge.reporting.page_parts import Listing, Part, Section, Table
from fdd_edge.reporting.private_text import shareable, without_folders
from fdd_edge.reporting.run_facts import RunFacts
from fdd_edge.reporting.shown_numbers import ORIGINS, SHORT_HASH, counted
from fdd_edge.runs.manifest import StageEntry

__all__ = ["again", "data"]

_LONGEST_CONFIG = 15_000
"""Characters of a config that is shown; of a longer one, only its place."""

_ROLES = {"train": "trained on", "valid": "chose the round", "eval": "reported only"}

_FILE = re.compile(r"[^\s:]+\.[a-z][a-z0-9]{1,7}")
"""How a config names a file; the version in the name of a model is none."""


def data(run: RunFacts) -> Section:
    """Return the section of data sets, who wrote the programs, and licenses."""
    sets = Table(
        ("set", "used", "from", "license", "limit", "problems", "sha256 of the file"),
        list(_set_rows(run)),
        "What the config names. The license is that of the set’s card on the hub. Problems are those that were read; "
        "sets that are trained on are counted together.",
        texts=4,
    )
    trained = read_problems(run.shown.layout.train) if run.shown.layout.train.is_file() else []
    kinds = Counter((one.source, one.teacher or "the data set", ORIGINS.get(one.origin, one.origin)) for one in trained)
    rows = [(*kind, f"{n:,}") for kind, n in kinds.most_common(40)]
    written = Table(
        ("source", "program by", "kind", "problems"), rows, f"What round {run.shown.number} was trained on.", texts=3
    )
    license = _license(run)
    finding = (
        f"The student, {run.student}, has the license {license}. Its license may also apply to what is made from it."
        if license
        else f"The student, {run.student}, names no license: ask who made it before you pass on what is made from it."
    )
    if any(_is_symbolic(one) for _, _, one in _named_sets(run)):
        finding += " fdd-edge itself wrote the problems of the symbolic sets."
    unknown = [
        name for role, name, one in _named_sets(run) if not (_is_symbolic(one) or _hub_fact(run, role, name, "license"))
    ]
    if unknown:
        finding += f" License not recorded: {', '.join(dict.fromkeys(unknown))}; look where they are from."
    return Section("data", "Data and licenses", finding, [sets, *([written] if rows else [])])


def _license(run: RunFacts) -> str | None:
    """Return the license of the student, which was written into its files."""
    labels = (entry.options.get("labels") for entry in run.manifest.stages.values())
    found = (one["license"] for one in labels if isinstance(one, Mapping) and one.get("license"))
    license = next(found, None)
    return None if license is None else str(license)


def _named_sets(run: RunFacts) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield role, name and description of each set that the config names."""
    named = run.config.get("data")
    stage = _data_stage(run)
    read = {} if stage is None else stage.options
    for role in _ROLES:
        labels = [str(one.get("name")) for one in _list(read.get(role)) if isinstance(one, Mapping)]
        for number, one in enumerate(_list(named.get(role) if isinstance(named, Mapping) else None)):
            described = one if isinstance(one, Mapping) else {"path": one}
            yield role, labels[number] if number < len(labels) else str(described.get("name", "?")), described


def _data_stage(run: RunFacts) -> StageEntry | None:
    """Return what the data sets were read from."""
    return run.manifest.stages.get(run.layout.data.relative_to(run.layout.root).as_posix())


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _place(described: Mapping[str, Any]) -> str:
    return str(described.get("path") or "")


def _is_symbolic(described: Mapping[str, Any]) -> bool:
    return _place(described).startswith("symbolic:")


def _set_rows(run: RunFacts) -> Iterator[tuple[str, ...]]:
    stage = _data_stage(run)
    hashes = {} if stage is None else stage.inputs
    roles = set()
    for role, name, described in _named_sets(run):
        roles.add(role)
        commit = _hub_fact(run, role, name, "revision")
        license = "that of fdd-edge" if _is_symbolic(described) else _hub_fact(run, role, name, "license")
        files = [sha for key, sha in hashes.items() if key.startswith(f"files/{role}/{name}/")]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        limit = described.get("limit")
        yield (
            name,
            _ROLES[role],
            without_folders(_place(described)) + (f" @ {commit[:SHORT_HASH]}" if commit else ""),
            license or "license not recorded",
            "–" if limit is None else f"{limit}",
            _count(run, role, name),
            f"{files[0][:SHORT_HASH]}{more}" if files else "–",
        )
    if "valid" not in roles:
        yield (
            "valid",
            _ROLES["valid"],
            "taken from the sets that are trained on",
            "–",
            "–",
            _count(run, "valid", "valid"),
            "–",
        )
    yield "all", _ROLES["train"], "all sets together, before checks", "–", "–", _count(run, "", ""), "–"


def _hub_fact(run: RunFacts, role: str, name: str, key: str) -> str | None:
    """Return the ``revision`` (a commit) or ``license`` of a set from the hub; None for any other, and if unknown."""
    fact = run.manifest.facts.get("datasets", {}).get(f"{role}/{name}", {}).get(key)
    return str(fact) if fact else None


def _count(run: RunFacts, role: str, name: str) -> str:
    """Return how many problems a set has; those that are trained on are in one file."""
    if role == "train" or (role == "eval" and name not in run.sets):
        return "–"
    files = {"eval": run.layout.eval_set(name), "valid": run.layout.valid}
    path = files.get(role, run.layout.seed_problems)
    return f"{sum(1 for _ in read_jsonl(path)):,}" if path.is_file() else "–"


def again(run: RunFacts) -> Section:
    """Return the section of versions, hashes and commands."""
    software = [
        ("fdd-edge", run.manifest.made_by),
        ("Python", str(run.software.get("python", "–"))),
        ("machine", str(run.software.get("machine", "–"))),
        *((str(name), str(version or "not installed")) for name, version in _packages(run).items()),
        *_devices(run),
    ]
    hashes = [
        ("student", run.student, str(run.manifest.facts.get("student", {}).get("sha256", "–"))),
        *(
            (f"round {one.number}", name, str(certificate.artifact.get("sha256", "–")))
            for one in run.rounds
            for name, certificate in one.certificates.items()
        ),
    ]
    files = _names_files(run)
    parts: list[Part] = [
        Listing(
            _commands(run),
            f"{'In a folder with the files that the config names, and w' if files else 'W'}ith the versions below",
        ),
        Table(("software", "version"), software, "What it was made with.", texts=2),
        Table(("of", "file", "sha256"), hashes, "Files, as their certificates name them.", texts=3),
    ]
    finding = f"{counted(len(run.rounds), 'round')} with seed {run.config.get('seed', 0)}, by the commands below."
    finding += " Another version, or another kind of CPU, may give slightly different figures."
    return Section("again", "Make it again", finding, parts)


def _packages(run: RunFacts) -> Mapping[str, Any]:
    found = run.software.get("packages")
    return found if isinstance(found, Mapping) else {}


def _devices(run: RunFacts) -> Iterator[tuple[str, str]]:
    """Yield the device of each target."""
    seen = {one.target: one for one in run.shown.summary.measured}
    for name, one in seen.items():
        device = one.device
        where = f"{device.board or device.cpu} ({device.machine}), {counted(one.threads, 'thread')}"
        attention = ", flash attention" if one.flash_attention else ""
        yield f"target {name}", f"{where}, {device.runtime} {device.runtime_version}{attention}"


def _written(run: RunFacts) -> dict[str, Any]:
    """Return the config as it may be shown, with the commit of each thing from the hub."""
    config = dict(run.config)
    student, revision = config.get("student"), run.manifest.facts.get("student", {}).get("revision")
    if isinstance(student, Mapping) and revision:
        config["student"] = {**student, "revision": str(revision)}
    named = config.get("data")
    if isinstance(named, Mapping):
        pinned: dict[str, list[Any]] = {role: [] for role in _ROLES}
        for role, name, described in _named_sets(run):
            commit = _hub_fact(run, role, name, "revision")
            pinned[role].append({**described, "revision": commit} if commit else described)
        config["data"] = {**named, **{role: sets for role, sets in pinned.items() if sets}}
    shown: dict[str, Any] = shareable(config)
    return shown


def _names_files(run: RunFacts) -> bool:
    """Return whether the config names files: a folder or file as student, data that is not on the hub, or others."""
    sets = _named_sets(run)
    if any(not (_is_symbolic(one) or _hub_fact(run, role, name, "revision")) for role, name, one in sets):
        return True
    student = run.manifest.facts.get("student", {})
    in_package = run.student == "tiny" or run.student.startswith("package:")
    if not in_package and not student.get("revision"):
        return True
    return any(map(_FILE.fullmatch, _texts({**run.config, "output_dir": None, "data": None, "student": None})))


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _commands(run: RunFacts) -> str:
    """Return what to type: environment variables, the config, the run and this report."""
    written = _written(run)
    name = shlex.quote(run.name)
    skipped = "skipped" in run.manifest.facts.get("parity", {}).values()
    lines = [
        *(f"export {variable}=...  # what it held is not recorded" for variable in environment_names(written)),
        *_config_lines(run, written),
        f"fdd-edge run config.yaml -o {name}" + (" --no-parity" if skipped else ""),
        f"fdd-edge report {name} -o report.html",
    ]
    return "\n".join(lines)


def _config_lines(run: RunFacts, written: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that make the config, or one that says where it is: half a config is none."""
    config = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=100)
    if len(config) > _LONGEST_CONFIG:
        folder = " ".join(run.name.split())  # a comment ends where its line does
        yield f"# copy config.yaml from the run folder {folder}: its {len(config):,} characters are too many to show"
        return
    end = "END"
    while end in config.split("\n"):
        end += "_"
    yield f"cat > config.yaml <<'{end}'"
    yield config + end
