"""A board reached by the user's own OpenSSH client: one connection takes the files there and runs the runner.

The client's config, agent, jump hosts and known hosts are the user's. The remote command holds the profile's
``python``, quoted; whatever else comes from a profile, a file's name or a problem goes down the line as data
(``ondevice/receive``).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice import bootstrap
from fdd_edge.ondevice.board_store import MODELS, RUNNERS
from fdd_edge.ondevice.model_files import artifact_files, family_of, hash_model, is_onnx
from fdd_edge.ondevice.protocol import Failure, Request
from fdd_edge.progress import announce, progress
from fdd_edge.runs.hashing import hash_file
from fdd_edge.targets.local import clean_environment
from fdd_edge.targets.profile import RUNTIME, Profile, packages_for, resolve_variables
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runner_session import RunnerSession, held, last_words, signal_name

__all__ = ["Answer", "Board", "ask_board", "ask_runner", "ssh_session"]

_CONNECT_SECONDS = 20
_ALIVE_SECONDS = 15
"""Between two questions whether the board is still there; after three without an answer it is not."""

GREETING_SECONDS = 60.0
"""From the connection to the board's first line."""

STILL_HERE_SECONDS = 10.0
"""Between two signs of life from this end."""

HOST_TIMEOUT_SECONDS = 45.0
"""Without one, after which the runner takes its host for gone."""

LOCK_TIMEOUT_SECONDS = 60.0
"""To wait for a board that is in use: by then a runner whose host has gone has noticed it."""

_BANNER_LINES = 200
"""What a login shell may print before the first line of ours."""

_CHUNK = 1 << 20

_ROOM = 20_000_000
"""Bytes that stay free on a board, for finished waves."""

_SSH_FAILED = 255

_CAUSES = {
    "permission denied": "Load your key with ssh-add, or name it in ~/.ssh/config; `ssh {host} true` must not ask.",
    "host key verification failed": "Connect once by hand and look at its key: ssh {host}",
    "remote host identification has changed": "Connect once by hand and look at its key: ssh {host}",
    "could not resolve hostname": "Look at the name, and at HostName in ~/.ssh/config.",
    "connection refused": "Is sshd running there, and is this its port?",
    "timed out": "Is it switched on, and in reach of this network?",
    "no route to host": "Is it switched on, and in reach of this network?",
}
"""What ssh says, in lower case, and what mends it."""


class _File(NamedTuple):
    """What goes to a board: where it is to lie in the board's folder, and what is there then."""

    place: str
    path: Path
    sha256: str


class Board:
    """An open connection to a board: files are there, and a command of the runner is running.

    Attributes:
        paths: Where the files lie on the board, in the order they were given.
        facts: What the board said of itself: ``python`` (version), ``machine``, ``home``, ``interpreter``, ``free``.
    """

    def __init__(self, profile: Profile, host: str, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self.process = process
        self.stderr = stderr
        self.paths: list[str] = []
        self.facts: dict[str, Any] = {}
        self._profile = profile
        self._host = host

    @property
    def name(self) -> str:
        """The target's name, with its host where that is another word."""
        named = self._profile.name
        return named if named == self._host else f"{named} ({self._host})"

    def start(self, files: Sequence[_File], arguments: Sequence[str], *, reserve: int = 0) -> None:
        """Take files to the board, but for those that are there with the same hash, and start the runner.

        Args:
            files: The first is the runner.
            arguments: The runner's; ``HOME`` stands for the board's folder.
            reserve: Bytes that must stay free there.

        Raises:
            TargetError: The board cannot be reached, its Python is too old, its disk is full, or a file arrived
                damaged.
        """
        wanted = [{"place": f.place, "sha256": f.sha256, "bytes": f.path.stat().st_size} for f in files]
        self._write(Path(bootstrap.__file__).read_bytes())
        self.facts = self._greeting()
        self._say({"home": self._profile.home, "files": wanted, "arguments": list(arguments)})
        heard = self._hear()
        self.facts |= {"home": heard["home"], "interpreter": heard["python"], "free": heard["free"]}
        missing = [(files[i].path, int(wanted[i]["bytes"])) for i in heard["missing"]]
        total = sum(size for _, size in missing)
        if missing and total + reserve > heard["free"]:
            raise TargetError(
                f"{self.name} has {heard['free'] / 1e6:.1f} MB free in {heard['home']}, and {total / 1e6:.1f} MB are "
                f"to go there: make room, or run: fdd-edge targets clean {self._profile.argument}"
            )
        if missing:
            self._push(missing, total)
        self.paths = list(self._hear()["paths"])

    def read_line(self, doing: str) -> bytes:
        """Read one line.

        Raises:
            TargetError: The connection ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise self.ended(self.process.wait(), doing)
        return line

    def ask(self) -> dict[str, Any]:
        """Return the one object that a command of the runner prints.

        Raises:
            TargetError: It failed.
        """
        said = self._object("answering")
        if said.get("event") == "error":
            raise self.failed(Failure(said["kind"], said["message"]), "answering")
        if "message" in said:
            raise TargetError(f"{self.name}: {said['message']}")
        return said

    def ended(self, code: int, doing: str) -> TargetError:
        """Say in one sentence why the connection ended."""
        words = last_words(self.stderr)
        said = " ".join(words[-1:]).strip().rstrip(".")
        for cause, fix in _CAUSES.items():
            if code == _SSH_FAILED and any(cause in line.lower() for line in words):
                return TargetError(f"{self.name} cannot be reached: {said}. {fix.format(host=self._host)}")
        if code == 127:
            return TargetError(
                f"{self.name} has no {self._profile.python}: install Python 3.11 there, or name it by the profile's "
                "key python."
            )
        if not self.facts:
            return TargetError(f"{self.name} cannot be reached: {said or f'ssh ended with exit code {code}'}.")
        if code == _SSH_FAILED or code < 0:
            return TargetError(
                f"The connection to {self.name} ended while {doing}{f': {said}' if said else ''}. Finished waves are "
                "kept there; the same command goes on from them."
            )
        return TargetError(f"The runner on {self.name} ended with exit code {code} while {doing}: {said}.")

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Tell the board's faults from the user's."""
        if failure.kind in ("bad_artifact", "bad_request"):
            return FddError(f"{self.name}: {failure.message}")
        if failure.kind == "runtime_missing":
            return TargetError(f"{self.name} has no runtime: {failure.message} {self._set_up}")
        if failure.kind == "busy":
            return TargetError(f"{self.name} is in use: {failure.message}")
        if failure.kind == "device":
            full = any(word in failure.message.lower() for word in ("no space", "quota"))
            fix = f" Make room there, or run: fdd-edge targets clean {self._profile.argument}" if full else ""
            return TargetError(f"{self.name} failed while {doing}: {failure.message}.{fix}")
        if failure.kind == "died":
            number = int(failure.message)
            hint = {
                int(signal.SIGKILL): " Linux does so when memory runs out: is the file too large for this board?",
                int(signal.SIGILL): f" Its runtime was compiled for another CPU. {self._set_up}",
            }.get(number, "")
            return TargetError(f"The runner on {self.name} was killed by {signal_name(number)} while {doing}.{hint}")
        return TargetError(f"The runner on {self.name} failed while {doing}: {failure.message}")

    @property
    def _set_up(self) -> str:
        return f"Install it with: fdd-edge targets setup {self._profile.argument}"

    def _greeting(self) -> dict[str, Any]:
        """Pass over what a login shell prints; return what the board says of itself."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.process.kill()

        patience = threading.Timer(GREETING_SECONDS, expire)
        patience.daemon = True
        patience.start()
        try:
            for _ in range(_BANNER_LINES):
                _, found, rest = self.read_line("reaching it").decode(errors="replace").partition(bootstrap.MARK)
                if found:
                    greeting: dict[str, Any] = json.loads(rest)
                    return greeting
        except TargetError:
            if expired.is_set():
                raise TargetError(
                    f"{self.name} cannot be reached: nothing of ours came back in {GREETING_SECONDS:.0f} s. Does "
                    f"`ssh {self._host} true` end by itself?"
                ) from None
            raise
        finally:
            patience.cancel()
        raise TargetError(f"{self.name} prints at login without end, and nothing of ours: ssh {self._host} true")

    def _hear(self) -> dict[str, Any]:
        """Return what the board says of the files; a fault is an error."""
        heard = self._object("taking files in")
        if heard.get("error") == "python":
            raise TargetError(
                f"{self.name}: {heard['message']}, and 3.11 is needed: install it there, or name another one by the "
                "profile's key python."
            )
        if "error" in heard:
            raise self.failed(Failure("device", str(heard["message"])), "taking files in")
        return heard

    def _object(self, doing: str) -> dict[str, Any]:
        line = self.read_line(doing)
        try:
            heard: dict[str, Any] = json.loads(line)
        except ValueError:
            raise TargetError(f"{self.name} answered with {line[:80]!r}, which is nothing of ours.") from None
        return heard

    def _push(self, files: Sequence[tuple[Path, int]], total: int) -> None:
        sent = 0
        with progress(f"to {self._profile.name}, KB", total // 1000) as advance:
            for path, size in files:
                with path.open("rb") as file:
                    left = size
                    while left:
                        chunk = file.read(min(left, _CHUNK))
                        if not chunk:
                            raise FddError(f"{path} became shorter while it was sent; try again when it is whole.")
                        self._write(chunk)
                        left -= len(chunk)
                        sent += len(chunk)
                        advance(sent // 1000)

    def _say(self, message: dict[str, Any]) -> None:
        self._write(json.dumps(message).encode() + b"\n")

    def _write(self, content: bytes) -> None:
        assert self.process.stdin is not None
        # A connection that has ended breaks the pipe; the reading end then finds out why.
        with suppress(BrokenPipeError):
            self.process.stdin.write(content)
            self.process.stdin.flush()


@dataclass(frozen=True)
class _Client:
    """The user's ssh client, with a config of its own where the profile names one."""

    host: str
    config: str | None

    def command(self, remote: str) -> list[str]:
        # A master of the user's is used, but none of ours is left for others to hang on: it ends with the session.
        options = {"BatchMode": "yes", "RemoteCommand": "none", "ControlMaster": "no"} | self._fill_in()
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [*self._ssh(), "-T", *flags, "--", self.host, remote]

    def _ssh(self) -> list[str]:
        return ["ssh", *(["-F", str(Path(self.config).expanduser())] if self.config else [])]

    def _fill_in(self) -> dict[str, str]:
        """Return our own time limits where the user's config has none."""
        asked = subprocess.run([*self._ssh(), "-G", "--", self.host], capture_output=True, text=True, check=False)
        found = dict(line.split(" ", 1) for line in asked.stdout.splitlines() if " " in line)
        options = {}
        if found.get("connecttimeout", "none") in ("none", "0"):
            options["ConnectTimeout"] = str(_CONNECT_SECONDS)
        if found.get("serveraliveinterval", "0") == "0":
            options |= {"ServerAliveInterval": str(_ALIVE_SECONDS), "ServerAliveCountMax": "3"}
        return options


@contextmanager
def ask_board(profile: Profile) -> Iterator[Board]:
    """Connect to a board; the connection is closed when the block ends, however it ends.

    Raises:
        FddError: There is no ssh here, or the profile does not know its host.
    """
    profile = resolve_variables(profile)
    host = str(profile.host)
    if shutil.which("ssh") is None:
        raise FddError(
            "There is no ssh on this machine: install OpenSSH's client (Debian: apt install openssh-client)."
        )
    source = Path(bootstrap.__file__).read_bytes()
    # exec of our own source, which comes first down the line; the command itself is the same for every board.
    # -I: a json.py in the board's home must not stand in for the standard library's.
    remote = f"{_quoted(profile.python)} -I -c 'import sys; exec(sys.stdin.buffer.read({len(source)}))'"
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            _Client(host, profile.ssh_config).command(remote),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=clean_environment(os.environ),
            start_new_session=True,
        )
        with held(process):
            yield Board(profile, host, process, stderr)


def _quoted(python: str) -> str:
    """Quote a path for the board's shell, which is to find its home itself."""
    return f'"$HOME"/{shlex.quote(python[2:])}' if python.startswith("~/") else shlex.quote(python)


class Answer(NamedTuple):
    """What a command of the runner said on a board: the board's name, what it said of itself, and the answer."""

    name: str
    facts: dict[str, Any]
    said: dict[str, Any]


def ask_runner(profile: Profile, arguments: Sequence[str], *, files: Mapping[str, Path] | None = None) -> Answer:
    """Run a command of the runner that prints one object, such as ``info``.

    Args:
        profile: The board.
        arguments: The command; ``HOME`` stands for the board's folder.
        files: What is taken there first, by its place in the board's folder.

    Raises:
        TargetError: The board cannot be reached, or the command failed.
    """
    runner = runner_archive()
    taken = {f"{RUNNERS}/{runner.name}": runner} | dict(files or {})
    with ask_board(profile) as board:
        board.start([_File(place, path, hash_file(path)) for place, path in taken.items()], arguments)
        return Answer(board.name, board.facts, board.ask())


def _model_files(artifact: Path) -> list[_File]:
    """Return a model's files, itself first: one named by its hash, or a folder of that name."""
    sha256 = hash_model(artifact)
    if not is_onnx(artifact):
        return [_File(f"{MODELS}/{sha256}.gguf", artifact, sha256)]
    return [_File(f"{MODELS}/{sha256}/{path.name}", path, hash_file(path)) for path in artifact_files(artifact)]


@contextmanager
def ssh_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Take the runner and a file to a board, and hold a session there."""
    artifact, runner = Path(request.artifact), runner_archive()
    files = [_File(f"{RUNNERS}/{runner.name}", runner, hash_file(runner)), *_model_files(artifact)]
    arguments = ["serve", "--home", bootstrap.HOME]
    arguments += ["--patience", str(LOCK_TIMEOUT_SECONDS), "--silence", str(HOST_TIMEOUT_SECONDS)]
    with ask_board(profile) as board:
        board.start(files, arguments, reserve=_ROOM)
        session = RunnerSession(board, board.paths[1])
        with _still_here(session):
            session.open(replace(request, artifact=board.paths[1]))
            runtime = packages_for(family_of(artifact))[0]
            version, needed = session.info.runtime_version, RUNTIME[runtime]
            if version != needed:
                raise TargetError(
                    f"{board.name} has {runtime} {version}, and this fdd-edge goes with {needed}: "
                    f"fdd-edge targets setup {profile.argument}"
                )
            yield session
            try:
                session.close()
            except TargetError as error:
                announce(str(error))  # all that was asked for is there: a board that dies now takes nothing with it


@contextmanager
def _still_here(session: RunnerSession) -> Iterator[None]:
    """Tell the runner now and then that its host is there, also while the host is busy elsewhere."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(STILL_HERE_SECONDS):
            session.say_still_here()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
