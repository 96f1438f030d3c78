"""A hub on loopback: as much of the protocol as ``huggingface_hub`` speaks when it finds and fetches files.

It keeps commits, branches and tags, says what a gated repository says, hands large files over by a redirect as the
hub does, and writes down every request.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".bin")


@dataclass
class Repo:
    """A repository: files by commit, commits by branch or tag, and the token that opens it if it is gated."""

    token: str | None = None
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


class Request(NamedTuple):
    method: str
    path: str
    token: str | None


class Hub:
    """The repositories and what was asked of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.blobs: dict[str, bytes] = {}
        self.status: int | None = None
        """Answers everything where it is set, as a hub that is down or refuses a token does."""

    def push(
        self, name: str, files: Mapping[str, bytes | str], *, revision: str = "main", token: str | None = None
    ) -> str:
        """Put files in place of those of a branch (``models/OWNER/NAME`` or ``datasets/...``); return the commit."""
        repo = self.repos.setdefault(name, Repo(token))
        content = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        text = f"{name} {len(repo.commits)} " + " ".join(f"{path} {sha1(data)}" for path, data in content.items())
        commit = sha1(text.encode())
        repo.commits[commit] = content
        repo.refs[revision] = commit
        self.blobs |= {sha1(data): data for data in content.values()}
        return commit

    def fetched(self) -> set[str]:
        """Return the names of all files that were asked for, by any method."""
        return {
            request.path.split("/resolve/", 1)[1].split("/", 1)[1]
            for request in self.requests
            if "/resolve/" in request.path
        }


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


def fault(status: int, code: str) -> Answer:
    return Answer(status, b"", {"X-Error-Code": code, "X-Error-Message": f"a text of the hub about {code}"})


def answer(hub: Hub, path: str, token: str | None) -> Answer:
    if hub.status is not None:
        return Answer(hub.status, b"", {"X-Error-Message": "a text of the hub"})
    if blob := re.fullmatch(r"/cdn/([0-9a-f]{40})", path):
        return Answer(200, hub.blobs[blob[1]])
    api = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/(.+))?", path)
    if api:
        return describe(hub, f"{api[1]}/{api[2]}", unquote(api[3] or "main"))
    file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
    if file:
        return hand_over(hub, (file[1] or "models/") + file[2], unquote(file[3]), unquote(file[4]), token)
    return fault(404, "NotFound")


def describe(hub: Hub, name: str, revision: str) -> Answer:
    repo = hub.repos.get(name)
    if repo is None:
        return fault(401, "RepoNotFound")  # the hub tells nobody whether a private repository exists
    commit = repo.commit_of(revision)
    if commit is None:
        return fault(404, "RevisionNotFound")
    siblings = [{"rfilename": path, "size": len(data)} for path, data in repo.commits[commit].items()]
    content = {"id": name.split("/", 1)[1], "sha": commit, "siblings": siblings, "private": False}
    return Answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def hand_over(hub: Hub, name: str, revision: str, path: str, token: str | None) -> Answer:
    repo = hub.repos.get(name)
    if repo is None:
        return fault(404, "RepoNotFound")
    if repo.token is not None and token != repo.token:
        return fault(401 if token is None else 403, "GatedRepo")
    commit = repo.commit_of(revision)
    if commit is None:
        return fault(404, "RevisionNotFound")
    headers = {"X-Repo-Commit": commit}
    data = repo.commits[commit].get(path)
    if data is None:
        return Answer(404, b"", headers | {"X-Error-Code": "EntryNotFound"})
    if path.endswith(LARGE):
        linked = {"X-Linked-ETag": f'"{sha1(data)}"', "X-Linked-Size": str(len(data))}
        return Answer(302, b"", headers | linked | {"Location": f"{hub.url}/cdn/{sha1(data)}"})
    return Answer(200, data, headers | {"ETag": f'"{sha1(data)}"'})


@contextmanager
def serve() -> Iterator[Hub]:
    """Serve an empty hub on a free port of the loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def _reply(self, *, with_body: bool) -> None:
            path = urlsplit(self.path).path
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            hub.requests.append(Request(self.command, path, token))
            status, body, headers = answer(hub, path, token)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: ``Hub.requests`` holds them."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = Hub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
