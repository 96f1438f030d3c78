"""The Hugging Face hub: resolves a name to a commit, lists the repository's files, and downloads some of them.

There are two steps, ``find`` and ``fetch``, so that a caller can check the list before anything large is downloaded.
Files are stored in the hub client's own cache (``HF_HOME``), where other tools find them too. Access tokens are left to
the client (``HF_TOKEN`` or ``hf auth login``): this module never sees one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.progress import announce, progress

__all__ = [
    "Kind",
    "Repository",
    "cached_file",
    "check_revision",
    "fetch",
    "find",
    "find_cached",
    "is_hub_id",
    "reference",
]

Kind = Literal["model", "dataset"]

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*\w", re.ASCII)
_REVISION = re.compile(r"[\w.+@#=,-]+(?:/[\w.+@#=,-]+)*", re.ASCII)
"""Branches, tags and commits: no spaces, no control characters, and no more than git allows in a name."""
_LONGEST_NAME = 250
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DEFAULT_REVISION = "main"
_TIMEOUT = 30.0
"""Seconds to wait for the hub to list a repository."""
_MEGABYTE = 1_000_000


class Repository(NamedTuple):
    """A repository of the hub, at one commit.

    Attributes:
        kind: ``model`` or ``dataset``.
        id: ``OWNER/NAME``.
        commit: Hash of the commit, 40 hex digits.
        files: Its files, each with its size in bytes, or None if the size is unknown.
        listed: Whether the hub listed the files; without a network, they are the files of the commit in the cache.
    """

    kind: Kind
    id: str
    commit: str
    files: dict[str, int | None]
    listed: bool


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form ``OWNER/NAME``."""
    return _ID.fullmatch(name) is not None and ".." not in name and len(name) <= _LONGEST_NAME


def check_revision(id: str, revision: str) -> None:
    """Refuse a revision that cannot be the name of a branch, tag or commit: the client makes paths and addresses of it.

    Raises:
        FddError: It is not.
    """
    parts = str(revision).split("/")
    is_name = isinstance(revision, str) and _REVISION.fullmatch(revision) and len(revision) <= _LONGEST_NAME
    if not is_name or ".." in revision or "." in parts:
        raise FddError(f"{id} can have no revision {str(revision)[:80]!r}: use a branch, a tag or a full commit hash.")


def reference(kind: Kind, id: str, revision: str | None) -> str:
    """Return a key for a repository and revision, such as ``models/OWNER/NAME@main``."""
    return f"{kind}s/{id}@{revision or _DEFAULT_REVISION}"


def find(
    kind: Kind, id: str, revision: str | None = None, *, commits: MutableMapping[str, str] | None = None
) -> Repository:
    """Find the commit of a revision, and its files; without a network, the cache answers.

    Args:
        kind: ``model`` or ``dataset``.
        id: ``OWNER/NAME``.
        revision: Branch, tag or commit; None for ``main``.
        commits: Known commits by ``reference``. A known commit takes precedence over the hub's current one, and a new
            one is added, so that everything is read from the same commit of a branch.

    Raises:
        FddError: It cannot be found or reached; the message says what would help.
        MissingExtraError: The hub's client is not installed.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    if not is_hub_id(id):
        raise FddError(f"{id[:80]!r} is neither a local path nor a hub id OWNER/NAME.")
    known = {} if commits is None else commits
    wanted = known.get(reference(kind, id, revision), revision or _DEFAULT_REVISION)
    for name in (revision or _DEFAULT_REVISION, wanted):  # the latter may be from a stranger's run
        check_revision(id, name)
    try:
        # This downloads no files: the client resolves the commit, and remembers it for use without a network.
        snapshot = Path(snapshot_download(id, repo_type=kind, revision=wanted, allow_patterns=[]))
    except HFValidationError:
        raise FddError(f"{id} is neither a local path nor a hub id OWNER/NAME.") from None
    except OSError as error:
        _reraise_local(error)
        raise FddError(_explain(error, kind, id, wanted)) from None
    commit = snapshot.name
    if not _COMMIT.fullmatch(commit):
        raise FddError(f"The server gave no commit for {id}. Check that HF_ENDPOINT is the address of a hub.")
    known[reference(kind, id, revision)] = commit
    try:
        info = HfApi().repo_info(id, repo_type=kind, revision=commit, timeout=_TIMEOUT, files_metadata=True)
    except OSError as error:
        cached = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
        if not cached:
            raise FddError(_explain(error, kind, id, commit)) from None
        announce(f"No answer from the hub about {id}: using the cached files of commit {commit}")
        return Repository(kind, id, commit, dict.fromkeys(cached), listed=False)
    listed = {s.rfilename: s.size for s in info.siblings or () if _stays_inside(s.rfilename)}
    return Repository(kind, id, commit, dict(sorted(listed.items())), listed=True)


def find_cached(kind: Kind, id: str, revision: str | None = None) -> Repository | None:
    """Find what the hub's cache holds of a repository, without asking the hub; None if it holds nothing."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        return None
    check_revision(id, revision or _DEFAULT_REVISION)
    try:
        snapshot = Path(
            snapshot_download(id, repo_type=kind, revision=revision or _DEFAULT_REVISION, local_files_only=True)
        )
    except (OSError, ValueError):  # the client's own errors are of these kinds
        return None
    cached = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
    return Repository(kind, id, snapshot.name, dict.fromkeys(cached), listed=False) if cached else None


def cached_file(kind: Kind, id: str, revision: str | None, name: str) -> Path | None:
    """Return the path of a file in the hub's cache, without asking the hub; None if it is not there."""
    repository = find_cached(kind, id, revision)
    return fetch(repository, [name])[name] if repository is not None and name in repository.files else None


def fetch(repository: Repository, names: Iterable[str]) -> dict[str, Path]:
    """Return the local paths of files of a repository; files that are not in the cache are downloaded.

    Raises:
        FddError: A file cannot be downloaded; the message says what would help.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name
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
    total, done, coming = sum(sizes.get(name) or 0 for name in missing), 0, 0
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=id, repo_type=kind)

    def arrived() -> int:
        return (done + min(coming, _unfinished_bytes(folder))) // _MEGABYTE

    title = f"fetching {id}" + (f" ({_size(total)})" if total else "")
    with progress(title, -(-total // _MEGABYTE), "MB", measure=arrived) as advance:
        for name in missing:
            coming = sizes.get(name) or 0
            try:
                paths[name] = Path(hf_hub_download(id, name, repo_type=kind, revision=commit))
            except OSError as error:
                _reraise_local(error)
                raise FddError(_explain(error, kind, id, commit, name)) from None
            done, coming = done + coming, 0
            advance(-(-done // _MEGABYTE))
    return paths


def _unfinished_bytes(folder: Path) -> int:
    """Return how many bytes of files that are not complete yet a folder of the hub's cache holds."""
    with suppress(OSError):  # one may be renamed meanwhile
        return sum(file.stat().st_size for file in folder.glob("blobs/*.incomplete"))
    return 0


def _reraise_local(error: OSError) -> None:
    """Raise an error of the local disk unchanged; only those have an errno, the client's own errors have none."""
    if error.errno is not None:
        raise error


def _stays_inside(name: str) -> bool:
    """Return whether a file name stays inside its repository; names from the hub are not trusted."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _size(number: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number / 1e3:.0f} kB"


def _explain(error: OSError, kind: Kind, id: str, revision: str, file: str | None = None) -> str:
    """Return a sentence that says why a download failed, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # If the cache has nothing either, the client says so, and keeps the reason as the cause.
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    hub = constants.ENDPOINT
    page = f"{hub}/{id}" if kind == "model" else f"{hub}/{kind}s/{id}"
    log_in = "set HF_TOKEN to an access token, or run: hf auth login"
    match error:
        case GatedRepoError():
            return f"{id} is gated: request access at {page}, then {log_in}."
        case RepositoryNotFoundError():
            return (
                f"{id} is not a local path, and {hub} has no {kind} of that name: check the name. If it is private, "
                f"{log_in}."
            )
        case RevisionNotFoundError():
            return f"{id} has no revision {revision!r}: use a branch, a tag or a full commit hash; see {page}."
        case LocalEntryNotFoundError():
            pass
        case EntryNotFoundError():
            return f"{id} has no {file} at {revision}, although the hub lists it: try again."
        case HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            return f"{hub} denies access to {id}: {log_in}."
        case HfHubHTTPError() if error.response is not None:
            return f"{hub} cannot serve {id} at the moment (HTTP status {error.response.status_code}): try again later."
    what = f"{file} of {id} at {revision}" if file else f"{id} at {revision}"
    if constants.HF_HUB_OFFLINE:
        return f"{what} is not in the hub's cache, and HF_HUB_OFFLINE forbids downloading it: unset it once."
    cache = constants.HF_HUB_CACHE
    return f"{what} is not in the hub's cache ({cache}), and {hub} cannot be reached: check the network and try again."
