"""One attempt at one call over HTTP: a reply, or a fault that says whether to try again. No other module knows openai.

openai names the address and the headers and lists the models. Calls go through the HTTP client that it was given, not
through ``chat.completions.create``, which takes 2.5 ms of CPU per call, three times as much as the rest: a hundred
calls in flight then wait for Python. Connections are divided among several small pools, because a pool looks at each of
its connections for every call.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx2
import openai

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.teachers.language_model._calls import Answered
from fdd_edge.teachers.language_model._faults import AttemptFault, fault_of_status, one_line
from fdd_edge.teachers.language_model._response import read_response
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions

__all__ = ["Client"]

_PER_POOL = 8
_LARGEST_REPLY = 16 * 1024 * 1024
_CONNECT_S = 15.0
_IDLE_S = 60.0
_MOST_MODELS = 10_000


class Client:
    """An open connection to an endpoint; to be used inside the event loop that opened it."""

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self._key = options.api_key
        pools = -(-options.max_concurrency // _PER_POOL)
        tls = httpx2.create_ssl_context()
        self._pools = [_open_pool(options, tls) for _ in range(pools)]
        self._free = [pool for _ in range(_PER_POOL) for pool in self._pools]
        key = None if self._key is None else self._key.reveal()
        self._openai = openai.AsyncOpenAI(
            api_key=key or "none", base_url=options.address, max_retries=0, http_client=self._pools[0]
        )
        self._url = httpx2.URL(f"{options.address}/chat/completions")
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"fdd-edge openai/{openai.__version__}",
        } | (self._openai.auth_headers if key is not None else {})
        # openai also finds headers in the environment, which are for another address.
        omitted = openai.Omit()
        own = {"Authorization": self._headers.get("Authorization", omitted)}
        self._list_headers = own | {"OpenAI-Organization": omitted, "OpenAI-Project": omitted}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools:
            await pool.aclose()

    async def attempt(self, body: Mapping[str, Any]) -> Answered | AttemptFault:
        """Send a request once and return its reply, or what went wrong; texts are free of the key."""
        content = json.dumps(body).encode()
        pool = self._free.pop()
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._options.timeout):
                status, headers, reply = await self._post(pool, content)
        except TimeoutError:
            return AttemptFault("timeout", f"no whole reply in {self._options.timeout:g} s", retryable=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            return AttemptFault("unreachable", self._scrub(_cause(error)), retryable=True)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            return AttemptFault("reset", self._scrub(_cause(error)), retryable=True)
        finally:
            self._free.append(pool)
        return self._read(status, headers, reply, time.monotonic() - started)

    async def list_models(self) -> list[str] | None:
        """Return the names of the endpoint's models, or None if it does not say."""
        names: list[str] = []
        try:
            async with asyncio.timeout(min(self._options.timeout, _CONNECT_S)):
                async for model in self._openai.models.list(extra_headers=self._list_headers):
                    names.append(one_line(self._scrub(str(model.id)), 80))
                    if len(names) == _MOST_MODELS:
                        break
        except Exception:  # the list only makes a sentence better, and openai fails in many ways on a strange one
            return None
        return names

    async def _post(self, pool: httpx2.AsyncClient, content: bytes) -> tuple[int, Mapping[str, str], bytes | None]:
        """Return status, headers and content of the reply; None if it is too large."""
        request = pool.build_request("POST", self._url, content=content, headers=self._headers)
        response = await pool.send(request, stream=True)
        received, size = [], 0
        try:
            async for part in response.aiter_bytes():
                received.append(part)
                size += len(part)
                if size > _LARGEST_REPLY:
                    return response.status_code, response.headers, None
        finally:
            await response.aclose()
        return response.status_code, response.headers, b"".join(received)

    def _read(
        self, status: int, headers: Mapping[str, str], content: bytes | None, latency: float
    ) -> Answered | AttemptFault:
        if content is None:
            return AttemptFault("too_large", f"a reply of more than {_LARGEST_REPLY >> 20} MiB", status=status)
        try:
            data = parse_json(content)
        except ValueError:
            data = None
        if status != 200:
            text = content.decode(errors="replace")
            fault: Answered | AttemptFault = fault_of_status(status, data, text, headers)
        elif data is None:
            fault = _not_json(content)
        else:
            fault = read_response(data, latency)
        if isinstance(fault, AttemptFault):
            return fault._replace(detail=self._scrub(fault.detail))
        return self._without_key(fault)

    def _scrub(self, text: str) -> str:
        """Return one line of a text without the key: first scrubbed, so that the end of the line cuts no key in two."""
        return one_line(text if self._key is None else self._key.scrub(text))

    def _without_key(self, answered: Answered) -> Answered:
        """Keep a key out of ledgers that a strange endpoint writes into its reply."""
        key = self._key
        if key is None or not any(
            key.reveal() in part for part in (answered.text, answered.finish_reason, answered.model)
        ):
            return answered
        return answered._replace(
            text=key.scrub(answered.text),
            finish_reason=key.scrub(answered.finish_reason),
            model=key.scrub(answered.model),
        )


def _open_pool(options: EndpointOptions, tls: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        verify=tls,
        # What goes to this machine goes through no proxy, and a redirect would take the problems elsewhere.
        trust_env=not options.is_local,
        follow_redirects=False,
        timeout=httpx2.Timeout(None, connect=_CONNECT_S),
        limits=httpx2.Limits(max_connections=_PER_POOL, max_keepalive_connections=_PER_POOL, keepalive_expiry=_IDLE_S),
    )


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
