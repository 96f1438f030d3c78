"""How fast this machine decodes a model file, measured in a few seconds; run with ``python -m``.

The file need not have a vocabulary, so it can be one of zeros in the shape of a model that does not exist yet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from .device_info import peak_rss_bytes
from .protocol import Decoding, Settings
from .replies import choose_token
from .scoring import lead_of
from .shared_cores import spin_briefly

__all__ = ["CONTEXTS", "PROMPT", "main"]

PROMPT = 48
"""Tokens that are read at a time: a word problem without what all prompts share."""

CONTEXTS = (64, 384)
"""Tokens that a reply goes on from: of a word problem, and of worked examples before it."""

_CELLS = 512
_SECONDS = 0.4
"""Time that each figure is measured for."""

_FEWEST, _MOST = 3, 40


def main(arguments: Sequence[str]) -> None:
    """Print as JSON what a file costs: arguments are its path, threads, and replies that share a batch."""
    path, threads, replies = arguments[0], int(arguments[1]), int(arguments[2])
    spin_briefly()
    began = time.perf_counter()
    from .attention_trial import choose_attention
    from .llamacpp import open_model

    stream = np.random.default_rng(0)
    with open_model(path, threads) as model:
        loaded = time.perf_counter() - began
        decoding = Decoding(batch_size=replies, threads=threads, wave=replies)
        attention = choose_attention(model, Settings(decoding, choose_attention=True))
        context = model.open_context(_CELLS, replies, threads, "f16", flash=attention.flash)
        context.read(0, 0, [0])

        def read() -> None:
            context.cut(0, 0)
            context.read(0, 0, [0] * PROMPT)

        def step(count: int, at: int) -> None:
            for sequence in range(count):
                context.cut(sequence, at)
            for row in context.step([0] * count, [at] * count):
                choose_token(row, 0.0, stream)

        prompt, together = _seconds(read), []
        alone = _seconds(lambda: step(1, PROMPT))
        for before, at in pairwise((PROMPT, *CONTEXTS)):
            context.cut(0, before)
            context.read(0, before, [0] * (at - before))
            for sequence in range(1, replies):
                context.cut(sequence, 0)
                context.copy(0, sequence)
            together.append(_seconds(partial(step, replies, at)))
        context.cut(0, PROMPT)
        row = context.step([0], [PROMPT])[0].copy()
        context.close()
    found = {
        "load_seconds": loaded,
        "prompt_token_seconds": prompt / PROMPT,
        "alone_seconds": alone,
        "together_seconds": together,
        "row_seconds": _seconds(lambda: lead_of(row)),
        "peak_rss_bytes": peak_rss_bytes(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _seconds(work: Callable[[], object]) -> float:
    """Return how long something takes: the shortest of several times, because others may use the machine meanwhile."""
    shortest, began, times = float("inf"), time.perf_counter(), 0
    while times < _FEWEST or (times < _MOST and time.perf_counter() - began < _SECONDS):
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
        times += 1
    return shortest


if __name__ == "__main__":
    main(sys.argv[1:])
