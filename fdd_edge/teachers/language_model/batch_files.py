"""Requests as files, in the format of OpenAI's batch API: for half the price, for a cluster, or for another machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fdd_edge.errors import WaitingError
from fdd_edge.records import write_jsonl
from fdd_edge.runs.stage_files import BatchFolder
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Purpose, Request
from fdd_edge.teachers.language_model._response import usable
from fdd_edge.teachers.language_model.prices import price_of
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
    """

    options: EndpointOptions
    ledger: Ledger
    folder: Path
    title: str

    async def complete(self, requests: Sequence[Request]) -> list[Answered | CallFault]:
        """Return one result per request, in the same order.

        Raises:
            WaitingError: Some have no reply yet; names the file that they are in.
        """
        address = self.options.address
        whole = [replace(request, body=self.options.request_body(request.body)) for request in requests]
        found = await self.ledger.find(address, whole)
        missing = {key_of(address, one): one for one, known in zip(whole, found, strict=True) if known is None}
        if missing:
            await self.ledger.wait(address, self.options.model, list(missing.values()), price_of(self.options))
            raise WaitingError(self._message(self._write(missing), len(missing)))
        return [usable(answered) for answered in found if answered is not None]

    async def draws_so_far(self, purpose: Purpose, problem_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many draws earlier rounds of the run asked for; see ``Completer``."""
        return await self.ledger.draws_so_far(purpose, problem_ids)

    def _write(self, requests: Mapping[str, Request]) -> Path:
        """Write the file of open requests; the same ones are always in the same file."""
        digest = hashlib.sha256(json.dumps(sorted(requests)).encode()).hexdigest()
        path = BatchFolder(self.folder).requests(self.title, digest[:8])
        self.folder.mkdir(parents=True, exist_ok=True)
        write_jsonl(
            path,
            (
                {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
                for key, request in requests.items()
            ),
        )
        return path

    def _message(self, path: Path, n: int) -> str:
        requests, wait = ("request", "waits") if n == 1 else ("requests", "wait")
        return (
            f"{n} {requests} to {self.options.model} {wait} for replies: {path}. Let a batch service answer them, or "
            f"`vllm run-batch -i {path.name} -o RESULTS.jsonl --model {self.options.model}`; then go on with:\n"
            "  fdd-edge ledger import RESULTS.jsonl\n"
            "and the same command again."
        )
