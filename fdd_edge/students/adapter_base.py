"""Which model an adapter was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.hub import is_hub_id
from fdd_edge.students.adapter_config import check_type, read_adapter_config
from fdd_edge.students.readable_folder import ADAPTER_CONFIG

__all__ = ["AdapterBase", "find_base", "refuse_inner_adapter"]


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
    config = read_adapter_config(adapter)
    check_type(adapter, config)
    named = config.get("base_model_name_or_path")
    if isinstance(named, str) and named:
        for candidate in (_expanded(named), adapter / named, adapter.parent / named):
            if _exists(candidate) and candidate.resolve() != adapter.resolve():
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
        f"{adapter / ADAPTER_CONFIG} to the folder or the hub id of the base.{hint}"
    )


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # it begins with ~ and an unknown user
        return Path(name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its name is too long
        return False


def refuse_inner_adapter(folder: Path) -> None:
    """Refuse a folder that holds no model, but adapters in subfolders, as PEFT saves those that have names.

    A subfolder with a model, as in what ``train`` writes, is named elsewhere.

    Raises:
        FddError: It is one; names the subfolders.
    """
    if (folder / "config.json").exists() or next(folder.glob("*/config.json"), None) is not None:
        return
    inner = sorted(str(found.parent) for found in folder.glob(f"*/{ADAPTER_CONFIG}"))
    if inner:
        where, that = ("subfolder", "name that") if len(inner) == 1 else ("subfolders", "name one of them")
        raise FddError(f"{folder} holds no model, but an adapter in its {where} {', '.join(inner)}: {that}.")
