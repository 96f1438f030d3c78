"""The teachers that a config names, ready to be asked: built-in ones, those of other packages, models and banks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fdd_edge.errors import FddError, MissingExtraError, did_you_mean
from fdd_edge.ondevice.model_files import hash_model
from fdd_edge.operations.gguf_completer import ModelFile, open_gguf_completer
from fdd_edge.resolve.bank import open_bank
from fdd_edge.runs.fingerprint import Json, plain
from fdd_edge.runs.hashing import HashCache
from fdd_edge.students.locate import locate
from fdd_edge.targets import load_profile
from fdd_edge.teachers import TEACHERS, Stocked, Teacher, load_teacher, load_writer
from fdd_edge.teachers.language_model._calls import Completer
from fdd_edge.teachers.language_model._spending import Spend
from fdd_edge.teachers.language_model.batch_files import BatchFiles
from fdd_edge.teachers.language_model.model_teacher import LanguageModelTeacher
from fdd_edge.teachers.language_model.prices import price_of
from fdd_edge.teachers.language_model.spending_limit import BudgetOptions, SpendingLimit
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, GgufOptions, RecordedOptions
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger import Asker, Ledger
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, rows_of_run, write_copy

__all__ = ["Calls", "NamedTeacher", "TeacherModel", "name_teacher", "write_calls"]

TeacherModel = EndpointOptions | GgufOptions | RecordedOptions


@dataclass(frozen=True)
class Calls:
    """On whose behalf language models are asked, and what that may cost; no output depends on it.

    Attributes:
        run: The id of the run.
        ledger: The database of all calls.
        budget: What the run may spend.
        batches: The folder for the files of batches.
    """

    run: str
    ledger: Path
    budget: BudgetOptions = field(default_factory=BudgetOptions)
    batches: Path = Path("batches")

    def spent(self) -> Spend:
        """Return what the run has spent so far."""
        paid = [row for row in rows_of_run(self.ledger, self.run) if row.paid]
        tokens = sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in paid)
        return Spend(len(paid), tokens, sum(row.cost or 0.0 for row in paid))


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher as a config names it.

    Attributes:
        name: A built-in name, ``module:Class``, or a name of ``teacher.models``.
        model: What the name stands for, if it is one of ``teacher.models``.
        prompts: What a language model is asked.
        draws: How many independent solutions of a problem it writes.
        calls: On whose behalf; None for teachers that make no calls.
    """

    name: str
    model: TeacherModel | None = None
    prompts: TeacherPrompts = field(default_factory=read_prompts)
    draws: int = 1
    calls: Calls | None = None

    def fingerprint(self) -> Json:
        """Return what its output depends on."""
        if self.model is None:
            return self.name
        if isinstance(self.model, RecordedOptions):
            return {"name": self.name, "bank": HashCache().of(self.model.path)}
        asked: dict[str, Json] = {"name": self.name, "prompts": self.prompts.fingerprint(), "draws": self.draws}
        if isinstance(self.model, GgufOptions):
            return asked | {"model": find_teacher_file(self.model).sha256, "options": plain(self.model)}
        return asked | self.model.fingerprint()

    @property
    def has_stock(self) -> bool:
        """Whether it must know what a run has, because it gives each problem out once."""
        if self.model is None:
            return isinstance(load_teacher(self.name), Stocked)
        return isinstance(self.model, RecordedOptions)

    @property
    def is_asked(self) -> bool:
        """Whether it is asked by calls, which a ledger holds."""
        return isinstance(self.model, EndpointOptions | GgufOptions)

    def open(self, round_number: int, *, failures: Mapping[str, str] | None = None) -> Teacher:
        """Return the teacher, for one round.

        Args:
            round_number: The round that asks.
            failures: Wrong programs of the student by problem id, which a language model is shown.
        """
        if self.model is None:
            return load_teacher(self.name)
        if isinstance(self.model, RecordedOptions):
            return open_bank(self.model.path, self.name)
        assert self.calls is not None
        asker = Asker(self.calls.run, round_number, self.name)
        opened: Callable[[], AbstractAsyncContextManager[Completer]] = (
            partial(_endpoint, self.model, asker, self.calls)
            if isinstance(self.model, EndpointOptions)
            else partial(open_gguf_completer, find_teacher_file(self.model), self.model, self.calls.ledger, asker)
        )
        return LanguageModelTeacher(
            self.name,
            opened,
            _body,
            self.prompts,
            self.draws,
            failures or {},
        )

    def rows(self, round_number: int) -> list[LedgerRow]:
        """Return what the ledger holds about its calls in one round."""
        if not self.is_asked or self.calls is None:
            return []
        rows = rows_of_run(self.calls.ledger, self.calls.run)
        return [row for row in rows if (row.round, row.teacher) == (round_number, self.name)]


def name_teacher(
    name: str,
    models: Mapping[str, TeacherModel],
    *,
    writer: bool = False,
    prompts: TeacherPrompts | None = None,
    draws: int = 1,
    calls: Calls | None = None,
) -> NamedTeacher:
    """Return the teacher of a name, after checking that it can be asked.

    Args:
        name: A built-in name, ``module:Class``, or a key of ``models``.
        models: ``teacher.models`` of a config.
        writer: Whether it must write new problems.
        prompts: What language models are asked; default: the packaged texts.
        draws: As for ``NamedTeacher``.
        calls: As for ``NamedTeacher``.

    Raises:
        FddError: There is no such teacher, it writes no problems, its file does not exist, or a budget has no price.
        MissingExtraError: A package that it needs is not installed.
    """
    model = models.get(name)
    if model is None:
        if name not in TEACHERS and ":" not in name and models:
            known = [*sorted(TEACHERS), *models]
            raise FddError(f"There is no teacher named {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")
        load_writer(name) if writer else load_teacher(name)
    elif isinstance(model, RecordedOptions):
        _require("bm25s")
        open_bank(model.path, name)
    elif isinstance(model, GgufOptions):
        load_profile(model.target)
        find_teacher_file(model)
    else:
        if model.batch is None:
            _require("openai")
        if calls is not None:
            _check_budget(name, model, calls.budget)
    return NamedTeacher(name, model, prompts or read_prompts(), draws, calls)


def write_calls(path: Path, teachers: Sequence[NamedTeacher], round_number: int) -> None:
    """Write a copy of what the ledger holds about a stage's calls; no file if no teacher is asked by calls."""
    if any(teacher.is_asked for teacher in teachers):
        write_copy(path, [row for teacher in teachers for row in teacher.rows(round_number)])


def find_teacher_file(options: GgufOptions) -> ModelFile:
    """Find the model file of a teacher; one of the hub is downloaded.

    Raises:
        FddError: There is none, or it is not a GGUF file.
    """
    source = locate(options.gguf, options.revision)
    if source.kind != "gguf":
        raise FddError(f"{options.gguf} is not a GGUF file, which a teacher under `gguf` must be.")
    return ModelFile(source.weights, hash_model(source.weights), Path(options.gguf).name)


def _check_budget(name: str, model: EndpointOptions, budget: BudgetOptions) -> None:
    """Refuse a budget that cannot be kept.

    Raises:
        FddError: A budget of money without a price, or of tokens without a limit for one reply.
    """
    if budget.cost is not None and price_of(model) is None:
        raise FddError(
            f"teacher.budget.cost needs a price, and none is known for {model.model!r} at {model.address}; set "
            f"teacher.models.{name}.price: {{input: ..., output: ...}}, per 1,000,000 tokens."
        )
    body = model.request_body({})
    is_limited = body.get("max_tokens") or body.get("max_completion_tokens")
    if (budget.cost is not None or budget.tokens is not None) and not is_limited:
        raise FddError(
            f"teacher.budget needs to know how long a reply may be; set teacher.models.{name}.max_tokens, or "
            "extra_body: {max_completion_tokens: ...}."
        )


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(package, "teacher")


def _body(messages: Sequence[Mapping[str, str]]) -> dict[str, Json]:
    return {"messages": [dict(message) for message in messages]}


@asynccontextmanager
async def _endpoint(options: EndpointOptions, asker: Asker, calls: Calls) -> AsyncIterator[Completer]:
    async with Ledger(calls.ledger, asker) as ledger:
        if options.batch == "file":
            yield BatchFiles(options, ledger, calls.batches, f"round-{asker.round:02}-{asker.teacher}")
            return
        from fdd_edge.teachers.language_model.endpoint import Endpoint

        budget = SpendingLimit(calls.budget, calls.spent())
        async with Endpoint(options, ledger, budget=budget) as endpoint:
            yield endpoint
