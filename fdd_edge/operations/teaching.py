"""The teachers that a config names, ready to be asked: built-in ones, those of other packages, models and banks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fdd_edge.errors import FddError, MissingExtraError, did_you_mean
from fdd_edge.event_loop import run_to_end
from fdd_edge.operations.gguf_completer import open_gguf_completer
from fdd_edge.operations.teacher_file import (
    OF_MODEL_FILES,
    ModelFile,
    check_teacher_file,
    fetch_teacher_file,
    find_teacher_file,
    local_teacher_file,
)
from fdd_edge.records import Problem
from fdd_edge.resolve.bank import check_bank, open_bank
from fdd_edge.runs.fingerprint import Json, plain
from fdd_edge.runs.hashing import HashCache
from fdd_edge.targets import load_profile
from fdd_edge.teachers import TEACHERS, Stocked, Teacher, load_teacher, load_writer
from fdd_edge.teachers.language_model._calls import Completer
from fdd_edge.teachers.language_model._spending import Spend, total
from fdd_edge.teachers.language_model.batch_files import BatchFiles
from fdd_edge.teachers.language_model.endpoint_check import check_endpoint
from fdd_edge.teachers.language_model.model_teacher import LanguageModelTeacher
from fdd_edge.teachers.language_model.prices import most_of, price_of
from fdd_edge.teachers.language_model.spending_limit import BudgetOptions, SpendingLimit
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, GgufOptions, RecordedOptions
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger import Asker, Ledger
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, rows_of_run, write_copy

__all__ = ["Calls", "NamedTeacher", "TeacherModel", "check_endpoints", "fetch_teacher", "name_teacher", "write_calls"]

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
        """Return what the run has spent so far; what a model file wrote on a machine of one's own costs nothing."""
        rows = rows_of_run(self.ledger, self.run)
        return total(row.spend for row in rows if not row.base_url.startswith(OF_MODEL_FILES))

    def rows(self, round_number: int) -> list[LedgerRow]:
        """Return what the ledger holds about the run's calls in one round so far."""
        return [row for row in rows_of_run(self.ledger, self.run) if row.round == round_number]


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher as a config names it.

    Attributes:
        name: A built-in name, ``module:Class``, or a name of ``teacher.models``.
        model: What the name stands for, if it is one of ``teacher.models``.
        prompts: What a language model is asked.
        draws: How many independent solutions of a problem it writes.
        calls: On whose behalf; None for teachers that make no calls.
        file: Its model file, if it is one and has been found.
    """

    name: str
    model: TeacherModel | None = None
    prompts: TeacherPrompts = field(default_factory=read_prompts)
    draws: int = 1
    calls: Calls | None = None
    file: Path | None = None

    def fingerprint(self) -> Json:
        """Return what its output depends on."""
        if self.model is None:
            return self.name
        if isinstance(self.model, RecordedOptions):
            return {"name": self.name, "bank": HashCache().of(self.model.path)}
        asked: dict[str, Json] = {"name": self.name, "prompts": self.prompts.fingerprint(), "draws": self.draws}
        if isinstance(self.model, GgufOptions):
            options = plain(self.model)
            assert isinstance(options, dict)
            del options["revision"]  # the hash says more
            return asked | {"model": self._model_file(self.model).sha256, "options": options}
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
            else partial(open_gguf_completer, self._model_file(self.model), self.model, self.calls.ledger, asker)
        )
        return LanguageModelTeacher(
            self.name,
            opened,
            _body,
            self.prompts,
            self.draws,
            failures or {},
        )

    def _model_file(self, options: GgufOptions) -> ModelFile:
        return find_teacher_file(options, self.file)


def name_teacher(
    name: str,
    models: Mapping[str, TeacherModel],
    *,
    writer: bool = False,
    prompts: TeacherPrompts | None = None,
    draws: int = 1,
    calls: Calls | None = None,
) -> NamedTeacher:
    """Return the teacher of a name, after checking that it can be asked; nothing is downloaded, see ``fetch_teacher``.

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
    model, prompts, file = models.get(name), prompts or read_prompts(), None
    if model is None:
        if name not in TEACHERS and ":" not in name and models:
            known = [*sorted(TEACHERS), *models]
            raise FddError(f"There is no teacher named {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")
        load_writer(name) if writer else load_teacher(name)
    elif isinstance(model, RecordedOptions):
        _require("bm25s")
        check_bank(model.path, name)
    elif isinstance(model, GgufOptions):
        load_profile(model.target)
        file = local_teacher_file(model)
        if file is not None:
            check_teacher_file(file)
    else:
        if model.batch is None:
            _require("openai")
        if calls is not None:
            _check_budget(name, model, calls.budget, prompts)
    return NamedTeacher(name, model, prompts, draws, calls, file)


def fetch_teacher(teacher: NamedTeacher, commits: MutableMapping[str, str]) -> NamedTeacher:
    """Return a teacher whose model file is on this machine: one on the hub is downloaded, and checked then.

    Args:
        teacher: Any teacher.
        commits: Known commits, see ``hub.find``.

    Raises:
        FddError: The file cannot be downloaded, or not be asked in a chat.
    """
    if not isinstance(teacher.model, GgufOptions) or teacher.file is not None:
        return teacher
    file = fetch_teacher_file(teacher.model, commits)
    check_teacher_file(file)
    return replace(teacher, file=file)


def check_endpoints(teachers: Iterable[NamedTeacher]) -> None:
    """Ask the endpoints of teachers for their models, before hours of work that would end at the first call.

    Raises:
        EndpointError: One cannot be reached, or does not accept its key.
    """
    checked: list[TeacherModel] = []
    for teacher in teachers:
        model = teacher.model
        if isinstance(model, EndpointOptions) and model.batch is None and model not in checked:
            checked.append(model)
            run_to_end(check_endpoint(model))


def write_calls(path: Path, calls: Calls | None, round_number: int) -> None:
    """Write a copy of what the ledger holds about a round so far; no file if no language model was asked."""
    if calls is not None and (rows := calls.rows(round_number)):
        write_copy(path, rows)


def _check_budget(name: str, model: EndpointOptions, budget: BudgetOptions, prompts: TeacherPrompts) -> None:
    """Refuse a budget that cannot be kept.

    Raises:
        FddError: A budget of money without a price, of tokens without a limit for one reply, or of less than one call.
    """
    quote = None if budget.cost is None else price_of(model)
    if budget.cost is not None and quote is None:
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
    asked = prompts.messages("rationale", Problem("", "", 0, name))
    if sentence := budget.too_small_for(most_of(model.request_body(_body(asked)), quote)):
        raise FddError(sentence)


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(package, "teacher")


def _body(messages: Sequence[Mapping[str, str]]) -> dict[str, Json]:
    return {"messages": [dict(message) for message in messages]}


@asynccontextmanager
async def _endpoint(options: EndpointOptions, asker: Asker, calls: Calls) -> AsyncIterator[Completer]:
    async with Ledger(calls.ledger, asker) as ledger:
        budget = SpendingLimit(calls.budget, calls.spent())
        if options.batch == "file":
            yield BatchFiles(options, ledger, calls.batches, f"round-{asker.round:02}-{asker.teacher}", budget)
            return
        from fdd_edge.teachers.language_model.endpoint import Endpoint

        async with Endpoint(options, ledger, budget=budget) as endpoint:
            yield endpoint
