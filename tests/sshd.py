"""A real OpenSSH server on loopback, with its own keys, that stands in for a board."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def require_sshd() -> str:
    """Return the server's path; if it is missing, skip the test, or fail if tests of boards are required."""
    if SSHD is None or shutil.which("ssh") is None:
        skip("needs OpenSSH's client and server: apt install openssh-client openssh-server")
    return SSHD


def is_required() -> bool:
    """Return whether tests of boards must not be skipped."""
    return os.environ.get("FDD_EDGE_TEST_SSH") == "required"


def skip(reason: str) -> NoReturn:
    """Skip a test of boards, or fail if these tests are required."""
    (pytest.fail if is_required() else pytest.skip)(reason)


@dataclass
class Server:
    """A running server.

    Attributes:
        process: The server process, whose group includes all connections.
        port: The port on which it listens.
        config: Config for the ssh client, in which the server is called ``board``.
        folder: Contains keys, configs and the log.
    """

    process: subprocess.Popen[bytes]
    port: int
    config: Path
    folder: Path

    def profile(self, folder: Path, **keys: object) -> dict[str, object]:
        """Return the profile of a board behind this server, with its own folder and this Python's packages."""
        base = {"transport": "ssh", "host": "board", "ssh_config": str(self.config), "threads": 1}
        return base | {"python": sys.executable, "home": str(folder)} | keys

    def connections(self) -> list[int]:
        """Return the ids of the processes of all connections."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
        parents = {pid: parent for pid, parent in (map(int, line.split()) for line in listed.stdout.splitlines())}
        found, grown = {self.process.pid}, True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            found, grown = found | more, bool(more)
        return sorted(found - {self.process.pid})

    def cut(self, *, connections_only: bool = False) -> None:
        """End every connection at the server's end: with everything that runs there, as a reboot does, or only sshd."""
        for pid in self.connections():
            with suppress(ProcessLookupError, FileNotFoundError):
                if not connections_only or Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server and all its connections."""
        self.cut()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@contextmanager
def serve(folder: Path, *, before: Sequence[str] = (), environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a server until the block ends.

    Args:
        folder: A new folder for keys and configs.
        before: A command to start the server with, such as ``unshare``.
        environment: Environment variables of all sessions.
    """
    sshd = require_sshd()
    folder.mkdir(parents=True)
    host_key = make_key(folder / "host")
    make_key(folder / "user")
    (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
    port = free_port()
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "HostKey": str(host_key),
        "PidFile": str(folder / "sshd.pid"),
        "AuthorizedKeysFile": str(folder / "authorized_keys"),
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
    }
    lines = [f"{key} {value}" for key, value in settings.items()]
    lines += [f"SetEnv {key}={value}" for key, value in (environment or {}).items()]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)  # needed by a server that runs as root
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*before, sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, start_new_session=True
        )
    server = Server(process, port, write_client_config(folder, port), folder)
    try:
        wait_until_it_listens(server)
        yield server
    finally:
        server.stop()


def write_client_config(folder: Path, port: int) -> Path:
    host_key = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n")
    config = folder / "client_config"
    config.write_text(
        "Host board\n"
        "  HostName 127.0.0.1\n"
        f"  Port {port}\n"
        f"  IdentityFile {folder / 'user'}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n"
        "  GlobalKnownHostsFile none\n"
    )
    return config


def wait_until_it_listens(server: Server) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        if server.process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError((server.folder / "log").read_text())
