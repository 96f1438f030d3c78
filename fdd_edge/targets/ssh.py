"""A board reached by the user's own OpenSSH client: one connection transfers the files and runs the runner.

The client's config, agent, jump hosts and known hosts are the user's. The remote command contains only the profile's
``python``, quoted; everything else that comes from a profile, a file name or a problem is sent as data over the
connection (``ondevice/bootstrap``).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice import bootstrap
from fdd_edge.ondevice.board_store import MODELS, RUNNERS
from fdd_edge.ondevice.device_info import DeviceInfo
from fdd_edge.ondevice.families import device_family
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import artifact_files, hash_model
from fdd_edge.ondevice.protocol import Failure, Request
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import progress, warn, working
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.hashing import hash_file
from fdd_edge.targets.pipes import EndlessLineError, LineReader, SilenceError, StderrTail, exit_code, killing_after
from fdd_edge.targets.profile import Profile, resolve_variables
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runner_session import RunnerSession, owned, signal_name

__all__ = ["SETUP_SECONDS", "Answer", "Board", "ask_runner", "clean_board", "connect", "describe_board", "ssh_session"]

_CONNECT_SECONDS = 20
_ALIVE_SECONDS = 15
"""Interval of ssh's own keep-alive messages; after three without an answer the connection is closed."""

GREETING_SECONDS = 60.0
"""How long to wait for the board's first line."""

HEARTBEAT_SECONDS = 10.0
"""Interval of our messages that show the runner that its host is alive."""

HOST_TIMEOUT_SECONDS = 45.0
"""After this time without a message, the runner considers its host gone."""

LOCK_TIMEOUT_SECONDS = 60.0
"""How long to wait for a board that is in use; long enough for a runner to notice that its host is gone."""

_BANNER_LINES = 200
"""Lines that a login shell may print before the board's first line."""

_LINE_BYTES = 1 << 20
"""Longest line before the runner starts: a board names its folder and a few files, a login shell greets."""

ANSWER_SECONDS = 300.0
"""How long a board may take to answer, in addition to the time to read its files."""

SETUP_SECONDS = 6 * 3600.0
"""How long it may take to compile the runtime."""

_SLOWEST_DISK = 1e6
"""Bytes per second at which a board reads and writes at least."""

_CHUNK = 1 << 20
_CHUNK_SECONDS = 600.0
"""How long a board may take to receive a chunk."""

_RESERVED_BYTES = 20_000_000
"""Bytes that stay free on a board, for finished waves."""

_JOIN_SECONDS = 1.0

_SSH_FAILED = 255

_CAUSES = {
    "permission denied": "Load your key with ssh-add, or set it in ~/.ssh/config; `ssh {host} true` must not ask.",
    "host key verification failed": "Connect once by hand and check its key: ssh {host}",
    "remote host identification has changed": "Connect once by hand and check its key: ssh {host}",
    "could not resolve hostname": "Check the name, and HostName in ~/.ssh/config.",
    "connection refused": "Is sshd running there, on this port?",
    "timed out": "Is it switched on, and reachable from this network?",
    "no route to host": "Is it switched on, and reachable from this network?",
}
"""Messages of ssh, in lower case, and how to fix the problem."""


class _File(NamedTuple):
    """A file to transfer: its path in the board's folder, its path here, and its hash."""

    remote: str
    path: Path
    sha256: str


class BoardFacts(NamedTuple):
    """What a board reported about itself.

    Attributes:
        python: Version of the Python that answered.
        machine: Its architecture.
        home: Our folder there.
        interpreter: The Python that runs the runner.
        free: Free bytes in the folder.
    """

    python: str
    machine: str
    home: str
    interpreter: str
    free: int


class Board:
    """An open connection to a board, on which the runner runs after ``start``.

    Attributes:
        paths: Paths of the transferred files on the board, in the order in which they were given.
        facts: What the board reported; None before ``start``.
    """

    def __init__(self, profile: Profile, host: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and process.stderr is not None
        self.process = process
        self.lines = LineReader(process.stdout)
        self.stderr = StderrTail(process.stderr)
        self.paths: list[str] = []
        self.facts: BoardFacts | None = None
        self._answered = False
        self._profile = profile
        self._host = host

    @property
    def name(self) -> str:
        """The target's name, followed by its host if that differs."""
        name = self._profile.name
        return name if name == self._host else f"{name} ({self._host})"

    def start(self, files: Sequence[_File], arguments: Sequence[str], *, reserve: int = 0) -> None:
        """Transfer files to the board, except those that are there with the same hash, and start the runner.

        Args:
            files: The files; the first is the runner.
            arguments: Arguments of the runner; ``HOME`` stands for the board's folder.
            reserve: Bytes that must stay free on the board.

        Raises:
            TargetError: The board cannot be reached, its Python is too old, its disk is full, or a file was damaged in
                transit.
        """
        sizes = [f.path.stat().st_size for f in files]
        wanted = [bootstrap.File(f.remote, f.sha256, size)._asdict() for f, size in zip(files, sizes, strict=True)]
        patience = ANSWER_SECONDS + sum(sizes) / _SLOWEST_DISK
        self._write(Path(bootstrap.__file__).read_bytes())
        greeting = self._read_greeting()
        self._answered = True
        self._send({"home": self._profile.home, "files": wanted, "arguments": list(arguments)})
        reply = self._receive(patience)
        self.facts = facts = self._facts(greeting, reply)
        missing = [(files[i].path, sizes[i]) for i in self._missing(reply, len(files))]
        total = sum(size for _, size in missing)
        if missing and total + reserve > facts.free:
            raise TargetError(
                f"{self.name} has only {facts.free / 1e6:.1f} MB free in {facts.home}, and {total / 1e6:.1f} MB "
                f"must be sent there. Free some space, or run: fdd-edge targets clean {self._profile.argument}"
            )
        if missing:
            self._send_files(missing, total)
        reply = self._receive(patience)
        paths = reply.get("paths")
        if not isinstance(paths, list) or len(paths) != len(files) or not all(isinstance(path, str) for path in paths):
            raise self._strange(reply)
        self.paths = paths

    def _facts(self, greeting: Mapping[str, Any], reply: Mapping[str, Any]) -> BoardFacts:
        """Return what a board reported, once it has the right types."""
        words = [greeting.get("python"), greeting.get("machine"), reply.get("home"), reply.get("python")]
        free = reply.get("free")
        if not all(isinstance(word, str) for word in words) or type(free) is not int:
            raise self._strange({**greeting, **reply})
        python, machine, home, interpreter = map(str, words)
        return BoardFacts(python, machine, home, interpreter, free)

    def _missing(self, reply: Mapping[str, Any], n_files: int) -> list[int]:
        """Return the numbers of the files that a board lacks."""
        missing = reply.get("missing")
        if not isinstance(missing, list) or any(type(i) is not int or not 0 <= i < n_files for i in missing):
            raise self._strange(reply)
        return sorted(set(missing))

    def _strange(self, answer: object) -> TargetError:
        return TargetError(f"{self.name} sent an unexpected answer: {str(answer)[:80]!r}.")

    def read_line(self, doing: str, seconds: float) -> bytes:
        """Read one line.

        Args:
            doing: What the board is doing, for messages.
            seconds: How long to wait for it.

        Raises:
            TargetError: The connection ended, or the line is endless or does not come.
        """
        try:
            line = self.lines.read(most=_LINE_BYTES, seconds=seconds)
        except EndlessLineError:
            raise TargetError(
                f"{self.name} sent a line of more than {_LINE_BYTES / 1e6:.0f} MB while {doing}, which fdd-edge never "
                f"does there. Check the output of: ssh {self._host} true"
            ) from None
        except SilenceError:
            raise TargetError(
                f"{self.name} has sent nothing for {seconds / 60:.0f} minutes while {doing}, so it hangs. Restart it."
            ) from None
        if not line:
            raise self.ended(exit_code(self.process), doing)
        return line

    def read_output(self, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return the object that a command of the runner prints.

        Args:
            seconds: How long to wait for it.

        Raises:
            TargetError: The command failed.
        """
        output = self._read_object("answering", seconds)
        if output.get("event") == "error":
            raise self.failed(Failure(output.get("kind", "internal"), str(output.get("message"))), "answering")
        if "message" in output:
            raise TargetError(f"{self.name}: {output['message']}")
        return output

    def ended(self, code: int, doing: str) -> TargetError:
        """Return an error that says why the connection ended."""
        lines = self.stderr.last_lines()
        message = " ".join(lines[-1:]).strip().rstrip(".")
        for cause, fix in _CAUSES.items():
            if code == _SSH_FAILED and any(cause in line.lower() for line in lines):
                return TargetError(f"Cannot connect to {self.name}: {message}. {fix.format(host=self._host)}")
        if code == 127:
            return TargetError(
                f"{self.name} has no {self._profile.python}. Install Python 3.11 or later there, or set python in "
                f"{self._profile.argument}."
            )
        if not self._answered:
            return TargetError(f"Cannot connect to {self.name}: {message or f'ssh ended with exit code {code}'}.")
        if code == _SSH_FAILED or code < 0:
            return TargetError(
                f"The connection to {self.name} was lost while {doing}{f': {message}' if message else ''}. Finished "
                "waves are stored there; run the same command again to resume."
            )
        return TargetError(f"The runner on {self.name} ended with exit code {code} while {doing}: {message}.")

    def failed(self, failure: Failure, doing: str) -> FddError:
        """Return the error for a failure that the board reported, of the user's or of the target's kind."""
        if failure.kind in ("bad_artifact", "bad_request"):
            return FddError(f"{self.name}: {failure.message}")
        if failure.kind == "runtime_missing":
            return TargetError(f"{self.name} lacks a runtime: {failure.message} {self._setup_hint}")
        if failure.kind == "busy":
            return TargetError(f"{self.name} is in use: {failure.message}")
        if failure.kind == "device":
            full = any(word in failure.message.lower() for word in ("no space", "quota"))
            fix = f" Free some space there, or run: fdd-edge targets clean {self._profile.argument}" if full else ""
            return TargetError(f"{self.name} failed while {doing}: {failure.message}.{fix}")
        if failure.kind == "died" and failure.message.isdecimal() and len(failure.message) < 4:
            number = int(failure.message)
            hint = {
                int(signal.SIGKILL): " Linux does this when memory runs out: is the model too large for this board?",
                int(signal.SIGILL): f" Its runtime was compiled for another CPU. {self._setup_hint}",
            }.get(number, "")
            return TargetError(f"The runner on {self.name} was killed by {signal_name(number)} while {doing}.{hint}")
        return TargetError(f"The runner on {self.name} failed while {doing}: {failure.message}")

    @property
    def _setup_hint(self) -> str:
        return f"Install it with: fdd-edge targets setup {self._profile.argument}"

    def _read_greeting(self) -> dict[str, Any]:
        """Skip what a login shell prints; return the board's first message."""
        deadline = time.monotonic() + GREETING_SECONDS
        for _ in range(_BANNER_LINES):
            try:
                line = self.lines.read(most=_LINE_BYTES, seconds=deadline - time.monotonic())
            except SilenceError:
                raise TargetError(
                    f"Cannot connect to {self.name}: no answer within {GREETING_SECONDS:.0f} s. Check that "
                    f"`ssh {self._host} true` returns."
                ) from None
            except EndlessLineError:
                break
            if not line:
                raise self.ended(exit_code(self.process), "connecting")
            _, found, rest = line.decode(errors="replace").partition(bootstrap.MARK)
            if found:
                return self._object(rest)
        raise TargetError(
            f"Cannot connect to {self.name}: its login shell prints more than {_BANNER_LINES} lines, or an endless "
            f"one. Check the output "
            f"of: ssh {self._host} true"
        )

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Return the board's next message about the files; raise what it reports as an error."""
        reply = self._read_object("receiving files", seconds)
        if reply.get("error") == "python":
            raise TargetError(
                f"{self.name}: {reply.get('message')}, but 3.11 or later is needed. Install it there, or set python in "
                f"{self._profile.argument}."
            )
        if "error" in reply:
            raise self.failed(Failure("device", str(reply.get("message"))), "receiving files")
        return reply

    def _read_object(self, doing: str, seconds: float) -> dict[str, Any]:
        return self._object(self.read_line(doing, seconds))

    def _object(self, line: str | bytes) -> dict[str, Any]:
        try:
            message = parse_json(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise TargetError(f"{self.name} sent an unexpected answer: {line[:80]!r}.")
        return message

    def _send_files(self, files: Sequence[tuple[Path, int]], total: int) -> None:
        sent = 0
        kilobytes = -(-total // 1000)
        with progress(f"sending {kilobytes:,} KB to {self._profile.name}", kilobytes) as advance:
            for path, size in files:
                with path.open("rb") as file:
                    left = size
                    while left:
                        chunk = file.read(min(left, _CHUNK))
                        if not chunk:
                            raise FddError(
                                f"{path} became shorter while it was being sent. Try again when it is complete."
                            )
                        self._write(chunk)
                        left -= len(chunk)
                        sent += len(chunk)
                        advance(sent // 1000)

    def _send(self, message: Mapping[str, Json]) -> None:
        self._write(json.dumps(message).encode() + b"\n")

    def _write(self, content: bytes) -> None:
        assert self.process.stdin is not None
        # If the connection has ended, the pipe is broken; reading then reports why.
        with suppress(BrokenPipeError), killing_after(self.process, _CHUNK_SECONDS):
            self.process.stdin.write(content)
            self.process.stdin.flush()


@dataclass(frozen=True)
class _Client:
    """The user's ssh client, with the profile's config if it names one."""

    host: str
    config: str | None

    def command(self, remote: str) -> list[str]:
        # An existing master connection of the user is used, but we never become a master ourselves: other sessions
        # would then end with ours.
        options = {"BatchMode": "yes", "RemoteCommand": "none", "ControlMaster": "no"} | self._timeouts()
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [*self._ssh(), "-T", *flags, "--", self.host, remote]

    def _ssh(self) -> list[str]:
        return ["ssh", *(["-F", str(Path(self.config).expanduser())] if self.config else [])]

    def _timeouts(self) -> dict[str, str]:
        """Return our own timeouts for those that the user's config does not set."""
        shown = subprocess.run([*self._ssh(), "-G", "--", self.host], capture_output=True, text=True, check=False)
        found = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
        options = {}
        if found.get("connecttimeout", "none") in ("none", "0"):
            options["ConnectTimeout"] = str(_CONNECT_SECONDS)
        if found.get("serveraliveinterval", "0") == "0":
            options |= {"ServerAliveInterval": str(_ALIVE_SECONDS), "ServerAliveCountMax": "3"}
        return options


@contextmanager
def connect(profile: Profile) -> Iterator[Board]:
    """Connect to a board until the block ends.

    Raises:
        FddError: This machine has no ssh, or the profile has no host.
    """
    profile = resolve_variables(profile)
    host = str(profile.host)
    if shutil.which("ssh") is None:
        raise FddError(
            "There is no ssh on this machine. Install OpenSSH's client; on Debian: apt install openssh-client"
        )
    source = Path(bootstrap.__file__).read_bytes()
    # Executes our own source, which is sent first; the command itself is the same for every board.
    # -I: a json.py in the board's home must not replace the standard library's.
    remote = f"{_quoted(profile.python)} -I -c 'import sys; exec(sys.stdin.buffer.read({len(source)}))'"
    # ssh is the user's own, with an agent and a proxy that need the user's variables; it opens no stranger's file.
    variables = {k: v for k, v in os.environ.items() if not k.startswith(bootstrap.STEERING_PREFIXES)}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            _Client(host, profile.ssh_config).command(remote),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
            start_new_session=True,
        )

    with owned(start) as process:
        yield Board(profile, host, process)


def _quoted(python: str) -> str:
    """Quote a path for the board's shell, which expands the home folder."""
    return f'"$HOME"/{shlex.quote(python[2:])}' if python.startswith("~/") else shlex.quote(python)


class Answer(NamedTuple):
    """What a command of the runner printed on a board, a JSON object, with the board's name and facts."""

    name: str
    facts: BoardFacts
    output: Mapping[str, Any]


def ask_runner(
    profile: Profile,
    arguments: Sequence[str],
    *,
    files: Mapping[str, Path] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> Answer:
    """Run a command of the runner that prints one JSON object, such as ``info``.

    Args:
        profile: The board.
        arguments: The command and its arguments; ``HOME`` stands for the board's folder.
        files: Files to transfer first, by their path in the board's folder.
        seconds: How long the command may take.

    Raises:
        TargetError: The board cannot be reached, or the command failed.
    """
    runner = runner_archive()
    all_files = {f"{RUNNERS}/{runner.name}": runner} | dict(files or {})
    with connect(profile) as board:
        board.start([_File(remote, path, hash_file(path)) for remote, path in all_files.items()], arguments)
        assert board.facts is not None
        with working(f"waiting for {profile.name}"):
            return Answer(board.name, board.facts, board.read_output(seconds))


def describe_board(profile: Profile) -> tuple[Answer, DeviceInfo]:
    """Return a board's answer to ``info``, and the description in it.

    Raises:
        TargetError: The board cannot be reached, or sends something else.
    """
    answer = ask_runner(profile, ["info"])
    try:
        return answer, DeviceInfo.from_row(answer.output)
    except ValueError as error:
        raise TargetError(f"{answer.name} sent a description that is not one: {error}.") from None


def clean_board(profile: Profile) -> int:
    """Delete what a board stores except its runtime; return the number of bytes freed.

    Raises:
        TargetError: The board cannot be reached, is in use, or sends something else.
    """
    answer = ask_runner(profile, ["clean", "--home", bootstrap.HOME])
    freed = answer.output.get("bytes")
    if type(freed) is not int:
        raise TargetError(f"{answer.name} sent an unexpected answer: {str(answer.output)[:80]!r}.")
    return freed


def _model_files(artifact: Path) -> list[_File]:
    """Return a model's files, the model file first: one file named by its hash, or a folder of that name."""
    sha256, family = hash_model(artifact), device_family(artifact)
    if not family.is_folder:
        return [_File(f"{MODELS}/{sha256}{family.suffix}", artifact, sha256)]
    return [_File(f"{MODELS}/{sha256}/{path.name}", path, hash_file(path)) for path in artifact_files(artifact)]


@contextmanager
def ssh_session(profile: Profile, request: Request) -> Iterator[RunnerSession]:
    """Transfer the runner and a model to a board, and hold a session there."""
    artifact, runner = Path(request.artifact), runner_archive()
    files = [_File(f"{RUNNERS}/{runner.name}", runner, hash_file(runner)), *_model_files(artifact)]
    arguments = ["serve", "--home", bootstrap.HOME]
    arguments += ["--lock-timeout", str(LOCK_TIMEOUT_SECONDS), "--host-timeout", str(HOST_TIMEOUT_SECONDS)]
    with connect(profile) as board:
        board.start(files, arguments, reserve=_RESERVED_BYTES)
        session = RunnerSession(board, board.paths[1])
        with _heartbeat(session):
            session.open(replace(request, artifact=board.paths[1]))
            runtime = device_family(artifact).packages[0]
            version, needed = session.info.runtime_version, RUNTIME_VERSIONS[runtime]
            if version != needed:
                raise TargetError(
                    f"{board.name} has {runtime} {version}, but this version of fdd-edge needs {needed}. Run: "
                    f"fdd-edge targets setup {profile.argument}"
                )
            yield session
            try:
                session.close()
            except TargetError as error:
                warn(str(error))  # all results have arrived, so a board that dies now loses nothing


@contextmanager
def _heartbeat(session: RunnerSession) -> Iterator[None]:
    """Show the runner regularly that its host is alive, even while the host is busy with something else."""
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            session.send_heartbeat()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join(_JOIN_SECONDS)  # it hangs if the board no longer reads
