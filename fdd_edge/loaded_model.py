"""A model that is held open on a target: many questions, one process."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import without_bom
from fdd_edge.ondevice.protocol import Completion, Task, plan_waves
from fdd_edge.operations.asking import Asking
from fdd_edge.progress import working
from fdd_edge.results import Solution
from fdd_edge.targets import TargetRuntime, open_session
from fdd_edge.visible import visible

__all__ = ["Model"]


class Model:
    """A model file that is loaded on a target, until ``close`` is called or a ``with`` block ends."""

    def __init__(self, artifact: Path, *, runtime: TargetRuntime, asking: Asking) -> None:
        """Load the file.

        Raises:
            FddError: The file is broken, or it cannot be asked this way.
            TargetError: The target failed.
        """
        self.artifact = artifact
        self.target = runtime.profile.name
        self._wave = asking.decoding.wave
        self._samples = asking.num_return_sequences
        self._max_new_tokens = asking.decoding.max_new_tokens
        self._stack = ExitStack()
        self._session = self._stack.enter_context(
            open_session(
                runtime.profile,
                artifact,
                settings=asking.settings(runtime),
                prompt=asking.prompt,
                examples=asking.examples,
            )
        )
        self._close = weakref.finalize(self, self._stack.close)

    def solve(self, question: str) -> Solution:
        """Answer one question.

        Raises:
            FddError: The question is empty, or the model is closed.
            TargetError: The target failed.
        """
        return self.solve_many([question])[0]

    def solve_many(self, questions: Sequence[str]) -> list[Solution]:
        """Answer questions in batches; the solutions are in their order."""
        k = self._samples
        replies = self.complete(questions)
        return [
            Solution.of(replies[i * k : (i + 1) * k], question, max_new_tokens=self._max_new_tokens)
            for i, question in enumerate(questions)
        ]

    def complete(self, questions: Sequence[str]) -> list[Completion]:
        """Return the raw replies to questions: the rows of an evaluation, with token counts and verdicts.

        With several samples, all those to the first question come first.

        ``solve_many`` gives the same as solutions, each with its reply as ``completion``.
        """
        if not self._close.alive:
            raise FddError(f"{self.artifact} is closed; load it again with fdd_edge.load.")
        if isinstance(questions, str) or not all(isinstance(question, str) for question in questions):
            raise FddError("Pass a list of questions, each a string.")
        if not all(without_bom(question).strip() for question in questions):
            raise FddError("The question is empty.")
        asked = [Task(f"question-{i}", k, text) for i, text in enumerate(questions) for k in range(self._samples)]
        waves = plan_waves(asked, self._wave)
        try:
            # The last result of a wave counts.
            with working(f"{self.artifact.name} on {self.target}"):
                results = {result.index: result for result in self._session.complete(waves)}
        except FddError:
            raise
        except BaseException as error:
            # Interrupted: the runner is busy with a question whose answer nobody wants, and would not hear of the end.
            self._end(type(error), error, error.__traceback__)
            raise
        return [completion for index in sorted(results) for completion in results[index].completions]

    def close(self) -> None:
        """End the process that holds the model; calling it twice is fine."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(kind, error, trace)

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process; after an error at once, without waiting for what it is doing."""
        if self._close.detach() is not None:
            self._stack.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        state = "" if self._close.alive else ", closed"
        return f"Model({str(self.artifact)!r} on {visible(self.target)}{state})"
