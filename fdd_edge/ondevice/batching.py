"""Continuous batching: the tasks of a wave share batches, and a finished task makes room for the next.

A runtime's results may depend on what shares a batch. Therefore everything that decides this is a function of the
wave alone: the size of the cache, the order of refilling, and the pieces in which a prompt is fed. Decoding a wave
again gives the same rows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from . import device_info
from .language import Outcome
from .prompt import Prompt
from .protocol import Completion, RunnerError, Settings, Task, Timing, Wave, WaveResult, prompt_ids_sha
from .replies import Reply, choose_token, judge, random_stream
from .runtime import Context, Model
from .telemetry import Meter
from .verdicts import Verdict

__all__ = ["Decoder"]

_CELL_BLOCK = 256
"""llama.cpp rounds the cache size up to this. Asking for whole blocks lets waves of similar size share a context."""


@dataclass
class _Job:
    """A task in progress: the id to feed next, its position, and the reply so far."""

    task: Task
    prompt_ids: list[int]
    reply: Reply
    stream: np.random.Generator
    next_id: int = -1
    position: int = -1


@dataclass
class _Clock:
    """Measures where the time of a wave goes."""

    start: float = field(default_factory=time.perf_counter)
    prompt_seconds: float = 0.0
    first_token_seconds: float | None = None

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    @contextmanager
    def reading_prompt(self) -> Iterator[None]:
        """Count the time of the block as spent on prompts."""
        start = self.seconds
        yield
        self.prompt_seconds += self.seconds - start


class Decoder:
    """Decodes waves with one model, and holds the context that consecutive waves of similar size share."""

    def __init__(self, model: Model, prompt: Prompt, settings: Settings, *, flash: bool = False) -> None:
        """Take a model and how to decode with it; ``flash`` says whether by flash attention."""
        self._model = model
        self._prompt = prompt
        self._settings = settings
        self._flash = flash
        self._context: Context | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context:
            self._context.close()

    def run(self, wave: Wave, on_progress: Callable[[int], None] = lambda finished: None) -> WaveResult:
        """Decode one wave.

        Args:
            wave: The tasks, which are started in this order.
            on_progress: Called with the number of finished tasks after every step.

        Raises:
            RunnerError: The runtime failed, or the model's logits are not finite.
        """
        clock, meter = _Clock(), Meter()
        jobs = [self._job(task) for task in wave.tasks]
        fitting = [job for job in jobs if not self._is_too_long(job)]
        n_prompt = self._decode(fitting, on_progress, len(jobs) - len(fitting), clock) if fitting else 0
        timing = Timing(
            seconds=clock.seconds,
            prompt_tokens=n_prompt,
            decode_tokens=sum(len(job.reply.ids) for job in jobs),
            prompt_seconds=clock.prompt_seconds,
            first_token_seconds=clock.first_token_seconds,
            peak_rss_bytes=device_info.peak_rss_bytes(),
            conditions=meter.read(),
        )
        return WaveResult(wave.index, tuple(self._completion(job) for job in jobs), timing)

    def _job(self, task: Task) -> _Job:
        ids = self._model.tokenize(self._prompt.render(task.question))
        if not ids:
            raise RunnerError("bad_request", f"The prompt of problem {task.problem_id} is empty.")
        budget = min(self._settings.decoding.max_new_tokens, self._model.n_ctx_train - len(ids))
        reply = Reply(self._model, budget, self._settings.stop, self._prompt.next_example)
        return _Job(task, ids, reply, random_stream(self._settings.seed, task.problem_id, task.sample))

    def _is_too_long(self, job: _Job) -> bool:
        return len(job.prompt_ids) >= self._model.n_ctx_train

    def _decode(self, jobs: Sequence[_Job], on_progress: Callable[[int], None], n_finished: int, clock: _Clock) -> int:
        """Decode all jobs; return the number of prompt tokens that were decoded."""
        shared = 0 if self._model.keeps_state else _common_ids(jobs)
        n_sequences = min(self._settings.decoding.batch_size, len(jobs))
        context = self._open(jobs, n_sequences)
        if shared:
            with clock.reading_prompt():
                context.read(0, 0, jobs[0].prompt_ids[:shared])
            for sequence in range(1, n_sequences):
                context.copy(0, sequence)
        waiting = deque(jobs)
        running: list[_Job] = []  # a job's index here is its sequence in the context
        while waiting or running:
            while waiting and len(running) < n_sequences:
                running.append(waiting.popleft())
                self._read_prompt(context, len(running) - 1, running[-1], shared, clock)
            self._step(context, running)
            if clock.first_token_seconds is None:
                clock.first_token_seconds = clock.seconds
            # From the last to the first, so that a job that moves into a gap has already been checked.
            for sequence in reversed(range(len(running))):
                if not running[sequence].reply.done:
                    continue
                n_finished += 1
                if waiting:
                    context.cut(sequence, shared)
                    running[sequence] = waiting.popleft()
                    self._read_prompt(context, sequence, running[sequence], shared, clock)
                    continue
                last = running.pop()
                if sequence < len(running):
                    context.copy(len(running), sequence)
                    running[sequence] = last
            on_progress(n_finished)
        return shared + sum(len(job.prompt_ids) - shared for job in jobs)

    def _open(self, jobs: Iterable[_Job], n_sequences: int) -> Context:
        """Return an empty context in which every sequence has room for the wave's longest task."""
        longest_prompt = max(len(job.prompt_ids) for job in jobs)
        longest = min(longest_prompt + self._settings.decoding.max_new_tokens, self._model.n_ctx_train)
        shape = (-(-longest // _CELL_BLOCK) * _CELL_BLOCK, n_sequences)
        if self._context is None or self._context.shape != shape:
            if self._context:
                self._context.close()
            threads, kv = self._settings.threads, self._settings.kv
            self._context = self._model.open_context(*shape, threads, kv, flash=self._flash)
        self._context.clear()
        return self._context

    def _read_prompt(self, context: Context, sequence: int, job: _Job, shared: int, clock: _Clock) -> None:
        """Feed a prompt except its last id, which the next step feeds to get its logits."""
        with clock.reading_prompt():
            context.read(sequence, shared, job.prompt_ids[shared:-1])
        job.next_id, job.position = job.prompt_ids[-1], len(job.prompt_ids) - 1

    def _step(self, context: Context, running: Sequence[_Job]) -> None:
        """Add one token to every running reply."""
        rows = context.step([job.next_id for job in running], [job.position for job in running])
        for job, logits in zip(running, rows, strict=True):
            try:
                job.next_id = choose_token(logits, self._settings.decoding.temperature, job.stream)
            except FloatingPointError as error:
                message = f"{self._model.path} gives invalid results on this CPU: {error}."
                raise RunnerError("bad_artifact", message) from None
            job.reply.add(job.next_id)
            job.position += 1

    def _completion(self, job: _Job) -> Completion:
        if self._is_too_long(job):
            outcome = Outcome(None, None, Verdict.limit, "the prompt is longer than the model's context")
        else:
            outcome = judge(job.reply.text, unfinished=job.reply.unfinished, answer=self._settings.answer)
        keep_ids = self._settings.return_ids
        return Completion(
            problem_id=job.task.problem_id,
            sample=job.task.sample,
            text=job.reply.text,
            program=outcome.program,
            answer=outcome.answer,
            verdict=outcome.verdict,
            n_prompt_tokens=len(job.prompt_ids),
            n_tokens=len(job.reply.ids),
            prompt_ids_sha=prompt_ids_sha(job.prompt_ids),
            prompt_ids=tuple(job.prompt_ids) if keep_ids else None,
            ids=tuple(job.reply.ids) if keep_ids else None,
            detail=outcome.detail or None,
        )


def _common_ids(jobs: Sequence[_Job]) -> int:
    """Return how many leading ids all prompts share, leaving at least one id of each prompt to decode."""
    if len(jobs) == 1:
        return 0
    # The smallest and the largest list differ earliest, so comparing these two suffices.
    prompts = [job.prompt_ids for job in jobs]
    low, high = min(prompts), max(prompts)
    shared = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return min(shared, min(map(len, prompts)) - 1)
