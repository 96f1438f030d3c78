"""Requests per second to a teacher's endpoint: ours, with the ledger on disk, beside the bare client and threads.

The endpoint is a server of ours in a process of its own that replies after 250 ms, so that with N calls in flight 4 N
requests a second are the most there can be. Each side first opens its connections with N requests that do not count.
``CPU`` is that of this process per request, whoever else uses the machine. Run it with:

    python benchmarks/teacher.py [--in-flight 32 128]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.teachers.language_model._calls import Request
from fdd_edge.teachers.language_model.endpoint import Endpoint
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions
from fdd_edge.teachers.ledger import Asker, Ledger

SERVER = Path(__file__).parents[1] / "tests" / "fault_server.py"
LATENCY_S = 0.25
SECONDS = 5
"""How long a side would take if it were ideal."""

System = "You write short programs for math problems. " * 20
Body = dict[str, Any]


class Result(NamedTuple):
    """What a side needed for its requests."""

    seconds: float
    cpu_seconds: float
    requests: int


Measured = Callable[[str, int, int], Result]


def bodies(n: int) -> list[Body]:
    """Return requests as long as a teacher's, no two of which are the same."""
    number = next(_ROUNDS)
    user = [f"Round {number}, problem {i}: how many apples are {i} and 1 more?" for i in range(n)]
    return [
        {
            "model": "tiny",
            "messages": [{"role": "system", "content": System}, {"role": "user", "content": question}],
            "temperature": 0.7,
            "max_tokens": 512,
        }
        for question in user
    ]


_ROUNDS = itertools.count()


@contextmanager
def serving() -> Iterator[str]:
    """Serve in another process; yield the address."""
    command = [sys.executable, str(SERVER), "--latency", str(LATENCY_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def ours(url: str, in_flight: int, requests: int) -> Result:
    """Ask through ``Endpoint``, which writes each attempt to a ledger on disk three times."""
    options = EndpointOptions(url, "tiny", max_concurrency=in_flight)

    async def run() -> Result:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                Ledger(Path(folder) / "calls.sqlite", Asker("run", 0, "mini")) as ledger,
                Endpoint(options, ledger) as endpoint,
            ):

                async def ask(given: Sequence[Body]) -> None:
                    await endpoint.complete([Request(body, "rationale", str(i)) for i, body in enumerate(given)])

                return await timed(ask, in_flight, requests)

    return asyncio.run(run())


def bare_client(url: str, in_flight: int, requests: int) -> Result:
    """Ask through openai's own client, as its documentation shows it, with its retries off."""
    import openai

    async def run() -> Result:
        async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:

            async def ask(given: Sequence[Body]) -> None:
                waiting = iter(given)

                async def work() -> None:
                    for body in waiting:
                        reply = await client.chat.completions.create(**body)
                        assert reply.choices[0].message.content

                await asyncio.gather(*(work() for _ in range(in_flight)))

            return await timed(ask, in_flight, requests)

    return asyncio.run(run())


def threads(url: str, in_flight: int, requests: int) -> Result:
    """Ask through the standard library, with a thread and a connection per call in flight."""
    host = url.removeprefix("http://").removesuffix("/v1")
    free: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
    for _ in range(in_flight):
        free.put(http.client.HTTPConnection(host, timeout=60))

    def one(body: Body) -> None:
        connection = free.get()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]
        free.put(connection)

    with ThreadPoolExecutor(in_flight) as pool:

        async def ask(given: Sequence[Body]) -> None:
            list(pool.map(one, given))

        return asyncio.run(timed(ask, in_flight, requests))


async def timed(ask: Callable[[Sequence[Body]], Awaitable[None]], in_flight: int, requests: int) -> Result:
    """Ask once to open the connections, then measure."""
    await ask(bodies(in_flight))
    given = bodies(requests)
    started, cpu = time.perf_counter(), time.process_time()
    await ask(given)
    return Result(time.perf_counter() - started, time.process_time() - cpu, requests)


SIDES: dict[str, Measured] = {
    "fdd-edge, with ledger": ours,
    "openai's client": bare_client,
    "threads, http.client": threads,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[32, 128], help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=1, help="take the best of this many (default: %(default)s)")
    options = parser.parse_args()
    print(f"a server that replies after {1000 * LATENCY_S:.0f} ms\n")
    print(f"{'in flight':>9}  {'':22} {'requests/s':>10} {'of the ideal':>12} {'CPU/request':>12}")
    with serving() as url:
        for in_flight in options.in_flight:
            ideal = in_flight / LATENCY_S
            for name, measure in SIDES.items():
                results = [measure(url, in_flight, round(ideal * SECONDS)) for _ in range(options.repeats)]
                best = min(results, key=lambda result: result.seconds)
                rate, cpu = best.requests / best.seconds, 1000 * best.cpu_seconds / best.requests
                print(f"{in_flight:9}  {name:22} {rate:10.0f} {100 * rate / ideal:10.0f} % {cpu:9.2f} ms", flush=True)


if __name__ == "__main__":
    main()
