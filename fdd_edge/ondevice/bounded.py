"""A function in a child process of its own: what it works on, a template or a tokenizer, may be a stranger's.

Neither Jinja nor a tokenizer can be bounded from inside: one expression makes a text of gigabytes, and a regular
expression may try every way to split a text. A child can be killed, and what it took is free again. It is forked, which
takes a few milliseconds, and it starts with everything that its parent has read.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from time import process_time
from typing import IO, Any, NoReturn, Self

__all__ = ["BoundedError", "BoundedFunction", "bounded_map"]

SECONDS = 10
"""CPU time of one call. An honest template takes a thousandth of a second, and a hundred times that on a slow board."""

SHARE = 0.2
"""CPU time that each call adds to what all calls of a child may take together: a thousand prompts that take 9 s each
would hold a command for hours. An honest one leaves nearly all of it."""

MEMORY = 512 << 20
"""Bytes that a child may have in addition to what its parent has; honest ones need less than ten megabytes."""

RESULT = 32 << 20
"""Bytes of one result, as JSON. No context has room for a hundredth of that."""

_PATIENCE = 20
"""How many times as long as its CPU time a call may last: a busy board gives a process little of it."""

_NO_MEMORY = (signal.SIGABRT, signal.SIGKILL)
"""How a child ends that gets no memory: C++ and Rust abort, and a full machine kills."""

_QUIET = {"TOKENIZERS_PARALLELISM": "false"}
"""``tokenizers`` would wait for threads that did not survive the fork, and warn about it; this stops both."""


class BoundedError(Exception):
    """A call failed; the message says why.

    Attributes:
        over_limit: Whether it took too much or crashed; the message is then a verb, such as ``takes more than 10 s``.
    """

    def __init__(self, why: str, *, over_limit: bool) -> None:
        super().__init__(why)
        self.over_limit = over_limit


class BoundedFunction:
    """A function that runs in a child process. Close it when done; a call that was over a limit has closed it."""

    def __init__(self, function: Callable[[Any], Any], *, memory: int = MEMORY, seconds: int | None = None) -> None:
        """Fork the child.

        Args:
            function: Takes and returns what JSON can represent. It sees the memory of this process as it is now.
            memory: Bytes that the child may have in addition to it.
            seconds: CPU time of one call, if it may take more than ``SECONDS``.
        """
        self._seconds = seconds or SECONDS
        self._too_large = f"takes more than {memory >> 20} MB of memory"
        requests, send = os.pipe()
        receive, replies = os.pipe()
        with _ready_to_fork():
            self._pid = os.fork()
        if self._pid == 0:
            _serve(function, memory, self._seconds, requests, replies)
        os.close(requests)
        os.close(replies)
        self._send, self._receive = os.fdopen(send, "wb"), os.fdopen(receive, "rb")
        self._end = weakref.finalize(self, _end, self._pid, self._send, self._receive)
        self._fault: BoundedError | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, item: Any) -> Any:
        """Return the function's result.

        Raises:
            BoundedError: The function raised an exception, or took more than a limit; so does every later call then.
        """
        with self._lock:
            if self._fault is None:
                reply = self._ask(item)
                if reply is not None:
                    if "failed" in reply:
                        raise BoundedError(reply["failed"], over_limit=False)
                    return reply["result"]
            assert self._fault is not None
            raise self._fault

    def close(self) -> None:
        """End the child."""
        self._end()

    def _ask(self, item: Any) -> dict[str, Any] | None:
        """Return the child's reply; None if it has none, and ``_fault`` then says why."""
        with suppress(BrokenPipeError):  # it is dead, which reading shows
            self._send.write(json.dumps(item).encode() + b"\n")
            self._send.flush()
        # The reply is written when it is complete, so only its first byte has to be waited for.
        waited = bool(select.select([self._receive], [], [], self._seconds * _PATIENCE)[0])
        line = self._receive.readline() if waited else b""
        if line.endswith(b"\n"):
            reply: dict[str, Any] = json.loads(line)
            if "over" not in reply:
                return reply
            why = reply["over"] or self._too_large
        else:
            why = self._how_it_ended() if waited else f"does not end within {self._seconds * _PATIENCE} s"
        self.close()
        self._fault = BoundedError(why, over_limit=True)
        return None

    def _how_it_ended(self) -> str:
        """Return what the child did that closed its pipe."""
        with suppress(ChildProcessError):
            number = -os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            if number == signal.SIGXCPU:
                return f"takes more than {self._seconds} s of CPU time"
            if number in _NO_MEMORY or number <= 0:
                return self._too_large
        return "crashes"


def bounded_map(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return a function's results for items, all in one child.

    Raises:
        BoundedError: As a call of ``BoundedFunction``.
    """
    with BoundedFunction(function) as bounded:
        return [bounded(item) for item in items]


@contextmanager
def _ready_to_fork() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _QUIET}
    os.environ.update(_QUIET)
    try:
        with warnings.catch_warnings():
            # Python warns about threads, whose locks the child could wait for: it uses no lock but the allocator's.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(function: Callable[[Any], Any], memory: int, seconds: int, requests: int, replies: int) -> NoReturn:
    """Answer requests until their pipe is closed; the child's whole life."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU):
            signal.signal(number, signal.SIG_DFL)
        os.environ.update(_QUIET)
        # The parent's files are closed, so that no pipe of it stays open if it dies; nobody reads what is printed.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for source, place in ((requests, 0), (replies, 1), (nowhere, 2)):
            os.dup2(source, place)
        os.closerange(3, 4096)
        _limit_memory(memory)
        with os.fdopen(0, "rb") as lines:
            for calls, line in enumerate(iter(lines.readline, b""), start=1):
                _limit_time(calls, seconds)
                _write_all(1, _reply(function, line))
    finally:
        os._exit(0)


def _reply(function: Callable[[Any], Any], line: bytes) -> bytes:
    try:
        reply = json.dumps({"result": function(json.loads(line))}).encode()
    except MemoryError:
        return b'{"over": ""}\n'
    except BaseException as error:  # what Rust panics with is no Exception
        text = (str(error).strip() or type(error).__name__)[:2000]
        return json.dumps({"failed": text.rstrip(".")}).encode() + b"\n"
    if len(reply) > RESULT:
        reply = json.dumps({"over": f"makes more than {RESULT >> 20} MB"}).encode()
    return reply + b"\n"


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _limit_memory(memory: int) -> None:
    """Allow so much more than there is; only Linux says how much that is, and only there it is enforced."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        wanted = pages * resource.getpagesize() + memory
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY or wanted < most:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def _limit_time(calls: int, seconds: int) -> None:
    """Give a call its CPU time, given its number."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = min(ceil(process_time()), ceil(SHARE * (calls - 1))) + seconds
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_CPU, (wanted, most))


def _end(pid: int, send: IO[bytes], receive: IO[bytes]) -> None:
    """Kill a child; it only computes, so nothing is lost."""
    for pipe in (send, receive):
        with suppress(BrokenPipeError):
            pipe.close()
    with suppress(ProcessLookupError, ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == 0:  # otherwise its id may be another process's by now
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
