"""A model file that answers a teacher's requests: decoded by our own runner in batches, on any target."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.ondevice.protocol import Completion, Decoding, Settings, Task, plan_waves
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.teacher_file import ModelFile
from fdd_edge.progress import progress
from fdd_edge.runs.fingerprint import Json, plain
from fdd_edge.targets import load_profile, open_session, resolve_threads
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request, Usage
from fdd_edge.teachers.language_model.teacher_options import GgufOptions
from fdd_edge.teachers.ledger import Asker, Ledger, key_of

__all__ = ["GgufCompleter", "open_gguf_completer"]

_WAVE = 64

_STOP = ("</program>",)
"""Ends the frame that is asked for; small models go on with further problems up to ``max_tokens``."""


@dataclass(frozen=True)
class GgufCompleter:
    """Answers requests by decoding; replies are kept in the ledger like those of an endpoint, at no cost.

    Attributes:
        file: The model file.
        options: How it decodes.
        ledger: Where replies are kept.
    """

    file: ModelFile
    options: GgufOptions
    ledger: Ledger

    async def complete(self, requests: Sequence[Request]) -> list[Answered | CallFault]:
        """Return one reply per request, in the same order; those that the ledger knows are not decoded again.

        Raises:
            FddError: The file is broken or has no chat template.
            TargetError: The target failed.
        """
        whole = [self._whole(request) for request in requests]
        found = await self.ledger.find(self.file.address, whole)
        replies: dict[str, Answered | CallFault] = {
            key_of(self.file.address, one): known for one, known in zip(whole, found, strict=True) if known
        }
        missing = {key: one for one in whole if (key := key_of(self.file.address, one)) not in replies}
        for key, answered in self._decode(missing):
            attempt = await self.ledger.reserve(self.file.address, self.file.name, missing[key])
            await self.ledger.sent(attempt)
            if isinstance(answered, CallFault):
                await self.ledger.failed(attempt, answered)
            else:
                await self.ledger.done(attempt, answered, cost=0.0, price_source="own machine")
            replies[key] = answered
        return [replies[key_of(self.file.address, one)] for one in whole]

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many draws earlier rounds of the run asked for; see ``Completer``."""
        return await self.ledger.draws_so_far(purpose, problem_ids)

    def _whole(self, request: Request) -> Request:
        body = {**request.body, **_sampling(self.options)}
        return Request(body, request.purpose, request.problem_id, request.draw)

    def _decode(self, requests: Mapping[str, Request]) -> Iterator[tuple[str, Answered | CallFault]]:
        """Yield the key and the reply of each request, or why there is none."""
        if not requests:
            return
        options, profile = self.options, load_profile(self.options.target)
        threads = resolve_threads(profile, None)
        decoding = Decoding(options.max_tokens, options.batch_size, threads, options.temperature, _WAVE)
        # A request's random stream depends on its key alone, whatever it is decoded with.
        tasks = [Task(key, 0, _text(request)) for key, request in requests.items()]
        settings = Settings(decoding, answer="number", stop=_STOP)
        with (
            progress(f"{self.file.name} writes", len(tasks), "replies") as advance,
            open_session(profile, self.file.path, settings=settings, prompt="chat") as session,
        ):
            for result in session.complete(plan_waves(tasks, _WAVE), advance):
                each = result.timing.seconds / len(result.completions)
                for completion in result.completions:
                    yield completion.problem_id, self._answered(completion, each)

    def _answered(self, completion: Completion, seconds: float) -> Answered | CallFault:
        if completion.verdict is Verdict.limit and not completion.n_tokens:
            return CallFault("too_long", completion.detail or "the prompt is too long")
        reason = "length" if completion.verdict is Verdict.unfinished else "stop"
        usage = Usage(completion.n_prompt_tokens, 0, completion.n_tokens)
        return Answered(completion.text, reason, usage, self.file.name, seconds)


@asynccontextmanager
async def open_gguf_completer(
    file: ModelFile, options: GgufOptions, ledger: Path, asker: Asker
) -> AsyncIterator[GgufCompleter]:
    """Open the ledger for a model file's replies."""
    async with Ledger(ledger, asker) as opened:
        yield GgufCompleter(file, options, opened)


def _sampling(options: GgufOptions) -> dict[str, Json]:
    return {
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "stop": list(_STOP),
        "target": options.target,
    }


def _text(request: Request) -> str:
    """Return the messages as one: chat templates of small models often have no place for a system message."""
    messages = plain(request.body["messages"])
    assert isinstance(messages, list)
    return "\n\n".join(str(message["content"]) for message in messages)
