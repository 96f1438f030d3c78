"""Which model an adapter was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.hub import is_hub_id
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.students.readable_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

__all__ = ["AdapterBase", "find_base"]

_KIND = "LORA"


class AdapterBase(NamedTuple):
    """What names a base model, as for ``locate``."""

    name: str
    revision: str | None


def find_base(adapter: Path, local_names: tuple[str, ...]) -> AdapterBase:
    """Return the base model of an adapter: a path, also relative to the adapter, a package, or a hub id.

    Args:
        adapter: Its folder.
        local_names: Names that are neither.

    Raises:
        FddError: The adapter is of another kind, or its base cannot be found.
    """
    path = adapter / ADAPTER_CONFIG
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
        kind, named = config.get("peft_type"), config.get("base_model_name_or_path")
    except (ValueError, AttributeError):
        raise FddError(f"{path} is not a JSON object; fetch the adapter again.") from None
    if kind != _KIND:
        raise FddError(f"{adapter} is an adapter of the type {kind!r}, which is not supported yet. Supported: {_KIND}.")
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise FddError(f"{adapter} has no {ADAPTER_WEIGHTS}; other weight files are not read: they can hold code.")
    if isinstance(named, str) and named:
        for candidate in (Path(named).expanduser(), adapter / named, adapter.parent / named):
            if candidate.exists() and candidate.resolve() != adapter.resolve():
                return AdapterBase(str(candidate), None)
        if named in local_names or named.startswith("package:"):
            return AdapterBase(named, None)
        if is_hub_id(named):
            revision = config.get("revision")
            return AdapterBase(named, None if revision is None else str(revision))
    merged = adapter.parent / "merged"
    hint = f" Its merged model is {merged}." if (merged / "config.json").is_file() else ""
    raise FddError(
        f"{adapter} is an adapter without a model, and its base {named!r} is not found. Set base_model_name_or_path in "
        f"{path} to the folder or the hub id of the base.{hint}"
    )
