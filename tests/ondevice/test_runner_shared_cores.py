"""Cores that other programs use too: how threads wait, how many there are, and that neither changes a result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from fdd_edge.ondevice.shared_cores import ThreadChoice, shares_cores, spin_briefly

SHOWN = "GOMP_SPINCOUNT = '2000'"
"""What GNU OpenMP prints when it is loaded, if it is asked to."""

pytestmark = pytest.mark.skipif(not shares_cores(), reason="needs: an x86 CPU")


def used(choice: ThreadChoice, seconds: float, got: Callable[[int], float]) -> list[int]:
    """Return the numbers of threads that are used, in calls of 0.1 s in which ``got`` cores run them."""
    numbers = []
    for _ in range(round(seconds / 0.1)):
        numbers.append(choice.threads)
        choice.note(0.1, 0.1 * got(choice.threads))
    return numbers


def test_threads_that_run_are_kept() -> None:
    assert set(used(ThreadChoice(8), 10, lambda threads: 0.95 * threads)) == {8}


def test_threads_that_wait_for_one_another_become_fewer_and_come_back() -> None:
    """With a busy loop on each of two cores, two threads decoded a token in 3.4 s of processor time, one in 7 ms."""
    choice = ThreadChoice(2)
    busy = used(choice, 30, lambda threads: min(threads, 1.0))
    assert busy[:2] == [2, 1]
    tried = busy[1:].count(2)
    assert 10 <= tried <= 20  # less and less often, up to every two seconds
    free = used(choice, 30, float)
    assert set(free[25:]) == {2}
    assert choice.note(0.1, 0.1)  # at once, and not after two seconds
    assert used(choice, 0.6, float)[:4] == [1, 1, 1, 2]


def test_some_free_cores_are_found() -> None:
    choice = ThreadChoice(16)
    settled = used(choice, 60, lambda threads: threads if threads <= 6 else 5.0)[-200:]
    assert sum(number in (5, 6) for number in settled) > 170


def test_a_call_that_is_too_short_says_nothing() -> None:
    choice = ThreadChoice(2)
    assert not any(choice.note(0.001, 0.0) for _ in range(40))
    assert choice.note(0.02, 0.0)


def test_what_the_user_has_set_stays() -> None:
    given = {"OMP_WAIT_POLICY": "active"}
    spin_briefly(given)
    assert given == {"OMP_WAIT_POLICY": "active"}
    empty: dict[str, str] = {}
    spin_briefly(empty)
    assert empty == {"GOMP_SPINCOUNT": "2000"}


def shown(*command: str) -> str:
    """Return what GNU OpenMP prints of its settings in a Python process of its own."""
    unset = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    environment = unset | {"OMP_DISPLAY_ENV": "verbose"}
    ran = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)
    return ran.stderr


def test_the_command_line_spins_briefly_and_a_program_that_uses_the_package_as_it_did() -> None:
    """A training of 1.2 s a step took 27 s. The process of a program that imports fdd_edge is not ours."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    command = "import sys; sys.argv = ['fdd-edge', 'ls']; from fdd_edge.cli import main; main(); import torch"
    assert SHOWN in shown("-c", command)
    program = "import fdd_edge; fdd_edge.ls(); import torch"
    assert "GOMP_SPINCOUNT" in shown("-c", program)
    assert SHOWN not in shown("-c", program)


def test_a_runner_spins_briefly(tiny_gguf: Path) -> None:
    pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
    told = shown("-m", "fdd_edge.ondevice", "solve", str(tiny_gguf), "2 + 3?", "--max-new-tokens", "2")
    if "GOMP_SPINCOUNT" not in told:
        pytest.skip("needs: llama.cpp with GNU OpenMP")
    assert SHOWN in told


@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q4_0", "q4_k_m"])
@pytest.mark.parametrize(("kv", "flash"), [("f16", False), ("f16", True), ("f32", False)])
def test_logits_are_the_same_bits_with_any_number_of_threads(
    kind: str, kv: Literal["f16", "f32"], flash: bool, tiny_gguf: Path, tmp_path: Path
) -> None:
    """Threads are chosen while a wave is decoded, so rows must not depend on them."""
    pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
    from fdd_edge.artifacts.gguf.quantize import quantize_gguf
    from fdd_edge.ondevice.llamacpp import Model

    file = tiny_gguf
    if kind != "f32":
        file = tmp_path / "quantized.gguf"
        quantize_gguf(tiny_gguf, file, kind, recipe=f"gguf-{kind}")
    found = []
    with Model(str(file)) as model:
        prompt = model.tokenize("Ann has 4 pens and 6 cups. How many things does she have?")
        for threads in (1, 2, 3, 7):
            context = model.open_context(256, 5, threads, kv, flash=flash)
            context._choice = None  # the very number
            for sequence in range(5):
                context.read(sequence, 0, prompt[sequence:])
            ends = [len(prompt) - sequence for sequence in range(5)]
            rows = [context.step([9] * 5, ends).copy(), context.step([9], [ends[0] + 1]).copy()]
            found.append(np.concatenate([*rows, context.follow(ends[0] + 2, prompt)]))
            context.close()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


class _FewerThreads(ThreadChoice):
    """As if all cores but one were busy."""

    def note(self, seconds: float, cpu_seconds: float) -> bool:
        del seconds, cpu_seconds
        return False


@pytest.mark.parametrize("sequences", [1, 4])
@pytest.mark.parametrize("flash", [False, True])
def test_after_a_long_prompt_a_busy_machine_gives_the_same_bits(sequences: int, flash: bool, tiny_gguf: Path) -> None:
    """Found when flash attention became a choice: each thread sums a part of what a single token attends to."""
    pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
    from fdd_edge.ondevice.llamacpp import Model

    found = []
    with Model(str(tiny_gguf)) as model:
        for choice in (None, _FewerThreads(1)):
            context = model.open_context(512, sequences, 3, "f16", flash=flash)
            context._choice = choice
            for sequence in range(sequences):
                context.read(sequence, 0, [7] * (300 + sequence))
            ends = [300 + sequence for sequence in range(sequences)]
            found.append([context.step([9] * sequences, ends).copy(), context.follow(301, [5, 6, 7, 8]).copy()])
            context.close()
    for free, busy in zip(*found, strict=True):
        np.testing.assert_array_equal(busy, free)
