"""Requests as files, in the format of OpenAI's batch API: for half the price, for a cluster, or for another machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fdd_edge.errors import FddError, WaitingError
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.runs.stage_files import BatchFolder
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request
from fdd_edge.teachers.language_model._response import usable
from fdd_edge.teachers.language_model._spending import total
from fdd_edge.teachers.language_model.prices import most_of, price_of
from fdd_edge.teachers.language_model.spending_limit import SpendingLimit
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions
from fdd_edge.teachers.ledger import Ledger, key_of

__all__ = ["BatchFiles"]


@dataclass(frozen=True)
class BatchFiles:
    """Answers requests from the ledger; those that it does not hold go into a file, and the work waits.

    Attributes:
        options: Who is to answer.
        ledger: Where replies are kept, and imported to.
        folder: Where the files are written.
        title: How the names of the files begin.
        budget: What the run may spend.
    """

    options: EndpointOptions
    ledger: Ledger
    folder: Path
    title: str
    budget: SpendingLimit

    async def complete(self, requests: Sequence[Request]) -> list[Answered | CallFault]:
        """Return one result per request, in the same order.

        Raises:
            WaitingError: Some have no reply yet; names the file that they are in.
            BudgetError: The budget does not pay for them, and for those of the run that wait already.
        """
        address = self.options.address
        whole = [replace(request, body=self.options.request_body(request.body)) for request in requests]
        found = await self.ledger.find(address, whole)
        missing = {key_of(address, one): one for one, known in zip(whole, found, strict=True) if known is None}
        if missing:
            quote = price_of(self.options)
            waiting = await self.ledger.waiting_bodies() | {key: one.body for key, one in missing.items()}
            await self.budget.reserve(total(most_of(body, quote) for body in waiting.values()))
            await self.ledger.wait(address, self.options.model, list(missing.values()), quote)
            raise self._waiting(self._write(missing), len(missing))
        return [usable(answered) for answered in found if answered is not None]

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many draws earlier rounds of the run asked for; see ``Completer``."""
        return await self.ledger.draws_so_far(purpose, problem_ids)

    def _write(self, requests: Mapping[str, Request]) -> Path:
        """Write the file of open requests; the same ones are always in the same file.

        An earlier file that holds all of them is deleted, so that nobody sends, and pays, both.
        """
        digest = hashlib.sha256(json.dumps(sorted(requests)).encode()).hexdigest()
        files = BatchFolder(self.folder)
        path = files.requests(self.title, digest[:8])
        self.folder.mkdir(parents=True, exist_ok=True)
        write_jsonl(
            path,
            (
                {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
                for key, request in requests.items()
            ),
        )
        for earlier in files.all_of(self.title):
            if earlier != path and _keys_in(earlier) >= requests.keys():
                earlier.unlink()
        return path

    def _waiting(self, path: Path, n: int) -> WaitingError:
        requests, wait = ("request", "waits") if n == 1 else ("requests", "wait")
        return WaitingError(
            [f"{n} {requests} to {self.options.model} {wait} for replies: {path}"],
            "Let a batch service answer each file, or "
            f"`vllm run-batch -i FILE -o RESULTS.jsonl --model {self.options.model}`; then go on with:\n"
            "  fdd-edge ledger import RESULTS.jsonl\n"
            "and the same command again.",
        )


def _keys_in(path: Path) -> set[object]:
    """Return the keys of the requests in a file; none if somebody has changed it."""
    try:
        return {row.get("custom_id") for _, row in read_jsonl(path)}
    except FddError:
        return set()
