"""An endpoint on loopback that speaks as much of OpenAI's protocol as a teacher needs, and fails where it is told to.

What goes wrong is a pure function of the request's body, its draw and the number of the attempt, so a run with faults
can be compared with one without, and repeated. Run as a program it serves a benchmark from a process of its own, and
prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

Body = Mapping[str, Any]


class Served(NamedTuple):
    """What a fault does to a reply: another status, headers or content, or a connection that ends in the middle."""

    status: int = 200
    content: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    cut_to: int | None = None
    """Send so many bytes of the content and close the connection."""
    kind: str = "application/json"


class Question(NamedTuple):
    """One request, as the faults see it."""

    body: Body
    attempt: int
    authorization: str


Fault = Callable[[Question], Served]


def text_for(body: Body) -> str:
    """Return the reply to a body: a program in the tagged frame, which depends on nothing else."""
    number = int(sha256(_canonical(body)).hexdigest()[:6], 16)
    question = f"<question>\nHow many apples are {number} and 1 more?\n</question>"
    return f"{question}\n<program>\nanswer = {number} + 1\n</program>"


def completion(body: Body, **changes: Any) -> dict[str, Any]:
    """Return a whole reply; ``changes`` replace keys of its only choice, or ``usage``."""
    usage = {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text_for(body)}}
    reply = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{body.get('model')}-2026-01-01",
        "usage": changes.pop("usage", usage),
        "choices": [choice | changes],
    }
    return {key: value for key, value in reply.items() if value is not None}


def error(status: int, message: str, *, code: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> Served:
    """Return an error in OpenAI's format."""
    return Served(status, _json({"error": {"message": message, "type": "error", "code": code}}), headers)


def good(question: Question) -> Served:
    """Return the reply itself."""
    return Served(content=_json(completion(question.body)))


def _echo(question: Question) -> Served:
    key = question.authorization.removeprefix("Bearer ")
    escaped = "".join(f"\\u{ord(character):04x}" for character in key)
    message = (
        f"internal error for key {key}, for {quote(key, safe='')}, for {key[:4]}... and for {question.authorization}"
    )
    content = f'{{"error": {{"message": {json.dumps(message)[:-1]} and {escaped}"}}}}'
    return Served(500, content.encode())


FAULTS: dict[str, Fault] = {
    "rate_limited": lambda question: error(429, "slow down"),
    "rate_limited_retry_after": lambda question: error(429, "slow down", headers=[("Retry-After", "7")]),
    "server_error": lambda question: error(500, "the server is unwell"),
    "loading": lambda question: error(503, "Loading model"),
    "reset": lambda question: Served(cut_to=0),
    "cut_body": lambda question: Served(content=_json(completion(question.body)), cut_to=60),
    "cut_json": lambda question: Served(content=_json(completion(question.body))[:-20]),
    "no_choices": lambda question: Served(content=_json(completion(question.body) | {"choices": []})),
    "error_in_200": lambda question: Served(content=_json({"error": {"message": "upstream failed", "code": 502}})),
    "echo": _echo,
    "no_usage": lambda question: Served(content=_json(completion(question.body, usage=None))),
    "length": lambda question: Served(content=_json(completion(question.body, finish_reason="length"))),
    "filtered": lambda question: Served(content=_json(completion(question.body, finish_reason="content_filter"))),
    "refused": lambda question: Served(
        content=_json(completion(question.body, message={"role": "assistant", "content": None, "refusal": "I won't."}))
    ),
}
TRANSIENT = ("rate_limited", "rate_limited_retry_after", "server_error", "reset", "cut_body", "cut_json", "no_choices")
"""Faults after which a later attempt succeeds."""


def transient_faults(share: float, seed: int = 0, good: Fault = good) -> Fault:
    """Return a function that lets this share of all attempts fail, by body and number of the attempt."""

    def choose(question: Question) -> Served:
        digest = sha256(_canonical(question.body) + f"{seed} {question.attempt}".encode()).digest()
        if int.from_bytes(digest[:4], "big") >= share * 2**32:
            return good(question)
        return FAULTS[TRANSIENT[digest[4] % len(TRANSIENT)]](question)

    return choose


@dataclass
class FaultServer:
    """What is served, and what was asked.

    Attributes:
        reply: What a request gets; ``FAULTS``, ``good`` or a function of the test's own.
        models: What the list of models names; None if there is no such list.
        key: The key that opens it; None if anybody may ask.
        latency: Seconds until a reply.
        asked: The bodies that came, in order.
        most_in_flight: How many requests were waiting for a reply at most.
    """

    port: int = 0
    reply: Fault = good
    models: Sequence[str] | None = ("tiny", "large")
    key: str | None = None
    latency: float = 0.0
    path: str = "/v1"
    asked: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    attempts: Counter[bytes] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def answer(self, method: str, path: str, headers: dict[str, str], content: bytes) -> Served:
        """Answer one request."""
        self.headers.append(headers)
        authorization = headers.get("authorization", "")
        if self.key is not None and authorization != f"Bearer {self.key}":
            return error(401, f"Incorrect API key provided: {authorization.removeprefix('Bearer ')}.")
        if (method, path) == ("GET", f"{self.path}/models") and self.models is not None:
            return Served(content=_json({"object": "list", "data": [{"id": name} for name in self.models]}))
        if (method, path) != ("POST", f"{self.path}/chat/completions"):
            return Served(404, b"404 page not found", kind="text/plain")
        body = json.loads(content)
        self.asked.append(body)
        if self.models is not None and body["model"] not in self.models:
            return error(404, f"The model `{body['model']}` does not exist", code="model_not_found")
        key = _canonical(body)
        self.attempts[key] += 1
        return self.reply(Question(body, self.attempts[key] - 1, authorization))


class _Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, endpoint: FaultServer) -> None:
        self._endpoint = endpoint
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        if len(rest) < size:
            return
        self._received = rest[size:]
        method, path, _ = first.split(" ")
        endpoint = self._endpoint
        endpoint.in_flight += 1
        endpoint.most_in_flight = max(endpoint.most_in_flight, endpoint.in_flight)
        served = endpoint.answer(method, path, headers, rest[:size])
        if endpoint.latency:
            asyncio.get_running_loop().call_later(endpoint.latency, self._send, served)
        else:
            # Everybody who is on the way arrives first, so that a test sees how many are in flight.
            asyncio.get_running_loop().call_soon(self._send, served)

    def _send(self, served: Served) -> None:
        self._endpoint.in_flight -= 1
        if served.cut_to == 0:
            self._transport.abort()
            return
        lines = [
            f"HTTP/1.1 {served.status} -",
            f"Content-Length: {len(served.content)}",
            f"Content-Type: {served.kind}",
        ]
        lines += [f"{name}: {value}" for name, value in served.headers]
        content = served.content[: served.cut_to]
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        if served.cut_to is not None:
            self._transport.close()


@contextmanager
def serve(**settings: Any) -> Iterator[FaultServer]:
    """Serve an endpoint on a free port of the loopback, in a thread, while the block runs."""
    endpoint = FaultServer(**settings)
    started = threading.Event()
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_until_complete(listen(endpoint))
        started.set()
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def listen(endpoint: FaultServer) -> asyncio.Server:
    """Listen on ``endpoint.port``, or on a free one."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(endpoint), "127.0.0.1", endpoint.port, backlog=1024)
    endpoint.port = server.sockets[0].getsockname()[1]
    return server


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _canonical(body: Body) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


async def _serve_forever(endpoint: FaultServer) -> None:
    server = await listen(endpoint)
    print(endpoint.port, flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.25, help="seconds until a reply (default: %(default)s)")
    asyncio.run(_serve_forever(FaultServer(latency=parser.parse_args().latency, models=None)))
