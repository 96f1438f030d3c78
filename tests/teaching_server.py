"""An endpoint whose model writes real problems: those of the symbolic teacher, chosen by the request alone."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import lru_cache
from hashlib import sha256

from fault_server import Body, FaultServer, Question, Served, completion, listen, transient_faults

from fdd_edge.records import Problem
from fdd_edge.teachers.symbolic import generate

_PROBLEMS = 400


@lru_cache
def _problems() -> list[Problem]:
    return generate("train", _PROBLEMS, seed=77)


def text_for(body: Body) -> str:
    """Return a problem with its program."""
    number = int(sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8], 16)
    problem = _problems()[number % _PROBLEMS]
    return f"<question>\n{problem.question}\n</question>\n<program>\n{problem.program}\n</program>"


def written(question: Question) -> Served:
    """Return the reply to a request."""
    message = {"role": "assistant", "content": text_for(question.body)}
    return Served(content=json.dumps(completion(question.body, message=message)).encode())


def with_faults(share: float, seed: int = 0) -> FaultServer:
    """Return an endpoint of which this share of all attempts fails."""
    faults = transient_faults(share, seed, good=written)
    return FaultServer(reply=faults)


async def _serve_forever(endpoint: FaultServer) -> None:
    server = await listen(endpoint)
    print(endpoint.port, flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve_forever(with_faults(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)))
