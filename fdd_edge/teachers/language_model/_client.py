"""One attempt at one call over HTTP: a reply, or a fault that says whether to try again. No other module knows openai.

openai names the headers. Calls go through an HTTP client of our own, not through ``chat.completions.create``: it takes
2.5 ms of CPU per call, three times as much as the rest: a hundred calls in flight then wait for Python. It also reads
and decompresses whatever comes, without a limit. Each call in flight has a client with one connection: a pool of them
looks at each for every call.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import httpx2
import openai

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.teachers.language_model._calls import Answered
from fdd_edge.teachers.language_model._faults import AttemptFault, fault_of_status, one_line, shortened
from fdd_edge.teachers.language_model._response import read_response
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions

__all__ = ["Client"]

_LARGEST_REPLY = 16 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024
"""Of a longer one only the beginning is read."""
_LONGEST_ECHO = 64 * 1024
"""Characters that are kept of a reply with the key in it: to look for all of its parts takes time for each."""
_CONNECT_S = 15.0
_IDLE_S = 60.0
_MOST_MODELS = 10_000


class _Received(NamedTuple):
    """A response; ``content`` is None if it is too large."""

    status: int
    headers: Mapping[str, str]
    content: bytes | None


class Client:
    """An open connection to an endpoint; to be used inside the event loop that opened it."""

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self._key = options.api_key
        tls = httpx2.create_ssl_context()
        self._connections = [_connection(options, tls) for _ in range(options.max_concurrency)]
        self._free = list(self._connections)
        self._for_models = _connection(options, tls)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"fdd-edge openai/{openai.__version__}",
        }
        if self._key is not None:
            named = openai.AsyncOpenAI(
                api_key=self._key.reveal(), base_url=options.address, http_client=self._for_models
            )
            self._headers |= named.auth_headers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in (*self._connections, self._for_models):
            await connection.aclose()

    async def attempt(self, body: Mapping[str, Any]) -> Answered | AttemptFault:
        """Send a request once and return its reply, or what went wrong; texts are free of the key."""
        content = json.dumps(body).encode()
        connection = self._free.pop()
        started = time.monotonic()
        try:
            received = await self._send(connection, "POST", "/chat/completions", content, self._options.timeout)
        finally:
            self._free.append(connection)
        if isinstance(received, AttemptFault):
            return received
        return self._read(received, time.monotonic() - started)

    async def list_models(self, timeout: float = _CONNECT_S) -> list[str] | AttemptFault:
        """Return the names of the endpoint's models, or why there are none: many endpoints do not say."""
        received = await self._send(self._for_models, "GET", "/models", None, min(self._options.timeout, timeout))
        if isinstance(received, AttemptFault):
            return received
        try:
            data = parse_json(received.content or b"")
        except ValueError:
            data = None
        if received.status != 200:
            return self._without_key_in(_fault_of(received, data))
        models = data.get("data") if isinstance(data, Mapping) else None
        if not isinstance(models, list):
            return AttemptFault("no_list", "it answers with something that is not a list of models", status=200)
        named = [model for model in models[:_MOST_MODELS] if isinstance(model, Mapping)]
        if any(model.get("owned_by") == "llamacpp" for model in named):
            return []  # llama-server answers by any name
        names = [model.get("id") for model in named]
        return [one_line(self._scrub(name), 80) for name in names if isinstance(name, str)]

    async def _send(
        self, connection: httpx2.AsyncClient, method: str, path: str, content: bytes | None, timeout: float
    ) -> _Received | AttemptFault:
        """Send a request and return the response, or that there was none."""
        try:
            async with asyncio.timeout(timeout):
                url = httpx2.URL(f"{self._options.address}{path}")
                request = connection.build_request(method, url, content=content, headers=self._headers)
                response = await connection.send(request, stream=True)
                try:
                    return await _receive(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return AttemptFault("timeout", f"no whole reply in {timeout:g} s", retryable=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            return AttemptFault("unreachable", self._scrub(_cause(error)), retryable=True)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            return AttemptFault("reset", self._scrub(_cause(error)), retryable=True)

    def _read(self, received: _Received, latency: float) -> Answered | AttemptFault:
        if received.content is None:
            detail = f"a reply of more than {_LARGEST_REPLY >> 20} MiB"
            return AttemptFault("too_large", detail, status=received.status)
        try:
            data = parse_json(received.content)
        except ValueError:
            data = None
        if received.status != 200:
            return self._without_key_in(_fault_of(received, data))
        outcome = _not_json(received.content) if data is None else read_response(data, latency)
        return self._without_key_in(outcome) if isinstance(outcome, AttemptFault) else self._without_key(outcome)

    def _scrub(self, text: str) -> str:
        """Return one line of a text without the key: first scrubbed, so that the end of the line cuts no key in two."""
        text = shortened(text)
        return one_line(text if self._key is None else self._key.scrub(text))

    def _without_key_in(self, fault: AttemptFault) -> AttemptFault:
        return fault._replace(detail=self._scrub(fault.detail))

    def _without_key(self, answered: Answered) -> Answered:
        """Keep a key out of ledgers that a strange endpoint writes into its reply."""
        key = self._key
        if key is None:
            return answered
        texts = (answered.text, answered.finish_reason, answered.model)
        text, finish_reason, model = (
            key.scrub_reply(text[:_LONGEST_ECHO]) if key.may_be_in(text) else text for text in texts
        )
        return answered._replace(text=text, finish_reason=finish_reason, model=model)


def _connection(options: EndpointOptions, tls: Any) -> httpx2.AsyncClient:
    """Return a client with one connection, which is opened when it is first needed."""
    return httpx2.AsyncClient(
        verify=tls,
        # What goes to this machine goes through no proxy, and a redirect would take the problems elsewhere.
        trust_env=not options.is_local,
        follow_redirects=False,
        timeout=httpx2.Timeout(None, connect=_CONNECT_S),
        limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_S),
    )


async def _receive(response: httpx2.Response) -> _Received:
    """Read a response, as much of it as is of use."""
    is_error = response.status_code != 200
    largest = _LARGEST_ERROR if is_error else _LARGEST_REPLY
    received, size = [], 0
    async for part in response.aiter_raw():
        received.append(part)
        size += len(part)
        if size > largest:
            break
    content = _plain(b"".join(received), response.headers.get("content-encoding", ""), largest + 1)
    is_too_large = size > largest or len(content) > largest
    if is_error:
        return _Received(response.status_code, response.headers, content[:largest])
    return _Received(response.status_code, response.headers, None if is_too_large else content)


def _plain(content: bytes, encoding: str, most: int) -> bytes:
    """Undo a compression that was not asked for, up to a size: a few KB can hold gigabytes. Empty if that fails."""
    if encoding.strip().lower() in ("", "identity"):
        return content
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, most)
    except zlib.error:
        return b""


def _fault_of(received: _Received, data: Any) -> AttemptFault:
    text = (received.content or b"").decode(errors="replace")
    return fault_of_status(received.status, data, text, received.headers)


def _not_json(content: bytes) -> AttemptFault:
    """Return the fault of a reply that is not JSON: cut off, or that of something that is not such an endpoint."""
    start = content.lstrip()[:1]
    if start in (b"{", b""):
        return AttemptFault("cut_reply", "the reply is not whole", retryable=True, status=200)
    text = content[:2000].decode(errors="replace")
    return AttemptFault("no_chat", f"it answers with something that is not JSON: {text}", status=200)


def _cause(error: BaseException) -> str:
    """Return what the system said, which the HTTP libraries hide behind errors of their own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return str(error) or type(error).__name__
