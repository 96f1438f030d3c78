"""Changes a run as a forger does, and finds the one thing that a verification calls a lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fdd_edge import Finding, Verification
from fdd_edge.runs import RunLayout
from fdd_edge.runs.fingerprint import fingerprint
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.manifest_check import content_hash


def flip(file: Path, offset: int = -7) -> None:
    """Change a byte of a file, by default near its end: one of the weights of a model."""
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def rewrite(file: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file as a careful forger does: in the form in which it was written."""
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content, indent=1) + "\n")


def forge(run: Path, *, downstream: bool) -> None:
    """Make a manifest state the hashes of the outputs as they are now; if asked to, also as inputs of other stages."""

    def change(content: dict[str, Any]) -> None:
        stages, changed = content["stages"], {}
        for name, stage in stages.items():
            if not stage["pruned"] and (run / name).exists():
                now = HashCache().of(run / name)
                changed[stage["output_sha256"]] = now
                stage["output_sha256"] = now
        for stage in stages.values() if downstream else ():
            stage["inputs"] = {key: changed.get(sha256, sha256) for key, sha256 in stage["inputs"].items()}
            stage["fingerprint"] = fingerprint(stage["version"], stage["options"], stage["inputs"])
        content["sha256"] = content_hash(content)

    rewrite(RunLayout(run).manifest, change)


def lie(found: Verification) -> Finding:
    """Return the one finding that does not hold, which is the last one."""
    assert [finding.holds for finding in found].count(False) == 1
    assert not found.ok
    assert found[-1].holds is False
    assert found[-1].fix
    return found[-1]


def forge_manifest(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of a run together with its own hash."""

    def both(content: dict[str, Any]) -> None:
        change(content)
        content["sha256"] = content_hash(content)

    rewrite(RunLayout(run).manifest, both)
