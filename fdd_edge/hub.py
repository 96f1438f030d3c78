"""The Hugging Face hub: the commit a name means today, what lies there, and the files that are wanted.

Two steps, so that a caller chooses in between and refuses before anything large moves: ``find`` and ``fetch``. Files
lie in the hub client's own cache (``HF_HOME``), where any other tool finds them too. An access token is the client's
affair (``HF_TOKEN`` or ``hf auth login``): this module never sees one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.progress import announce, progress

__all__ = ["Kind", "Repository", "fetch", "find", "is_hub_id", "reference"]

Kind = Literal["model", "dataset"]

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*\w", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DEFAULT_REVISION = "main"
_TIMEOUT = 30.0
"""Seconds the hub may take to say what a repository holds."""


class Repository(NamedTuple):
    """A repository of the hub at one commit.

    Attributes:
        kind: ``model`` or ``dataset``.
        id: ``OWNER/NAME``.
        commit: sha of the commit, 40 hex digits.
        files: Every file there, with its size in bytes where that is known.
        listed: Whether the hub listed the files; without a network they are those that the cache has of the commit.
    """

    kind: Kind
    id: str
    commit: str
    files: dict[str, int | None]
    listed: bool


def is_hub_id(name: str) -> bool:
    """Say whether a name has the form ``OWNER/NAME``."""
    return _ID.fullmatch(name) is not None


def reference(kind: Kind, id: str, revision: str | None) -> str:
    """Return what was asked for, as a key under which its commit can be noted: ``models/OWNER/NAME@main``."""
    return f"{kind}s/{id}@{revision or _DEFAULT_REVISION}"


def find(
    kind: Kind, id: str, revision: str | None = None, *, commits: MutableMapping[str, str] | None = None
) -> Repository:
    """Find the commit that a branch, tag or commit means, and what lies there; the cache answers without a network.

    Args:
        kind: ``model`` or ``dataset``.
        id: ``OWNER/NAME``.
        revision: Branch, tag or commit; None for ``main``.
        commits: Commits by ``reference``: one that is there goes before what the hub says now; what is found is added,
            so that nothing is read from two commits of one branch.

    Raises:
        FddError: It cannot be had; says what would help.
        MissingExtraError: The hub's client is not installed.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    known = {} if commits is None else commits
    wanted = known.get(reference(kind, id, revision), revision or _DEFAULT_REVISION)
    try:
        # Fetches nothing yet: the client only learns the commit, and notes it for times without a network.
        snapshot = Path(snapshot_download(id, repo_type=kind, revision=wanted, allow_patterns=[]))
    except HFValidationError:
        raise FddError(f"{id} is neither a local path nor a hub id OWNER/NAME.") from None
    except OSError as error:
        _pass_on_local(error)
        raise FddError(_explain(error, kind, id, wanted)) from None
    commit = snapshot.name
    if not _COMMIT.fullmatch(commit):
        raise FddError(f"The hub's answer for {id} names no commit; is HF_ENDPOINT a hub?")
    known[reference(kind, id, revision)] = commit
    try:
        info = HfApi().repo_info(id, repo_type=kind, revision=commit, timeout=_TIMEOUT, files_metadata=True)
    except OSError as error:
        cached = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
        if not cached:
            raise FddError(_explain(error, kind, id, commit)) from None
        announce(f"The hub gives no answer about {id}: going on with what its cache has of commit {commit}")
        return Repository(kind, id, commit, dict.fromkeys(cached), listed=False)
    listed = {s.rfilename: s.size for s in info.siblings or () if _stays_inside(s.rfilename)}
    return Repository(kind, id, commit, dict(sorted(listed.items())), listed=True)


def fetch(repository: Repository, names: Iterable[str]) -> dict[str, Path]:
    """Return the local paths of files of a repository; those that the cache lacks are downloaded.

    Raises:
        FddError: One cannot be had; says what would help.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.utils import disable_progress_bars

    kind, id, commit, sizes, _ = repository
    paths: dict[str, Path] = {}
    missing: list[str] = []
    for name in names:
        cached = try_to_load_from_cache(id, name, revision=commit, repo_type=kind)
        if isinstance(cached, str):
            paths[name] = Path(cached)
        else:
            missing.append(name)
    if not missing:
        return paths
    disable_progress_bars()
    total = sum(sizes.get(name) or 0 for name in missing)
    with progress(f"fetching {id}" + (f" ({_size(total)})" if total else ""), total) as advance:
        done = 0
        for name in missing:
            try:
                paths[name] = Path(hf_hub_download(id, name, repo_type=kind, revision=commit))
            except OSError as error:
                _pass_on_local(error)
                raise FddError(_explain(error, kind, id, commit, name)) from None
            done += sizes.get(name) or 0
            advance(done)
    return paths


def _pass_on_local(error: OSError) -> None:
    """Raise a fault of this machine's disk as it is; only those have a number, the client's own have none."""
    if error.errno is not None:
        raise error


def _stays_inside(name: str) -> bool:
    """Say whether a file's name, which a stranger wrote, leads to no place outside its repository."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _size(number: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number / 1e3:.0f} kB"


def _explain(error: OSError, kind: Kind, id: str, revision: str, file: str | None = None) -> str:
    """Say in a sentence why something of the hub cannot be had, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Where the cache has nothing either, the client says so and keeps the reason as the cause.
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    hub = constants.ENDPOINT
    page = f"{hub}/{id}" if kind == "model" else f"{hub}/{kind}s/{id}"
    log_in = "set HF_TOKEN to a token that has it, or run: hf auth login."
    match error:
        case GatedRepoError():
            return f"{id} is gated: ask for access at {page}, then {log_in}"
        case RepositoryNotFoundError():
            return (
                f"{id} is no local path, and {hub} shows no {kind} of that name: check the name, or, if it is private, "
                f"{log_in}"
            )
        case RevisionNotFoundError():
            return f"{id} has no revision {revision!r}: name a branch, a tag or a full commit, see {page}"
        case LocalEntryNotFoundError():
            pass
        case EntryNotFoundError():
            return f"{id} has no {file} at {revision}, though the hub lists it: try again."
        case HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            return f"{hub} refuses {id} to this access token or without one: {log_in}"
        case HfHubHTTPError() if error.response is not None:
            return f"{hub} cannot give {id} now (it answers {error.response.status_code}): try again later."
    what = f"{file} of {id} at {revision}" if file else f"{id} at {revision}"
    if constants.HF_HUB_OFFLINE:
        return f"{what} is not in the hub's cache, and HF_HUB_OFFLINE forbids fetching it: unset it once."
    cache = constants.HF_HUB_CACHE
    return f"{what} is not in the hub's cache ({cache}), and {hub} cannot be reached: connect and try again."
