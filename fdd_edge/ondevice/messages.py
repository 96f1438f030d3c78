"""What a host and the runner on a device say to each other; ``protocol`` writes and reads it as lines of JSON.

The host sends one request, then waves and texts to score one by one, then ``{"event": "end"}`` or the end of its
stream. The runner answers with events: ``ready``, any number of ``progress``, one ``wave`` for each wave, one
``scores`` for each scored text, and ``done``; or ``error``.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, NamedTuple, Self

from .telemetry import Conditions
from .verdicts import Verdict

__all__ = [
    "Command",
    "Completion",
    "End",
    "Event",
    "Failure",
    "FailureKind",
    "Progress",
    "ProtocolError",
    "Request",
    "RunnerError",
    "Score",
    "Scores",
    "Settings",
    "Shot",
    "SpecialIds",
    "TargetInfo",
    "Task",
    "Timing",
    "Totals",
    "Wave",
    "WaveResult",
    "plan_waves",
    "prompt_ids_sha",
]

FailureKind = Literal["bad_artifact", "bad_request", "runtime_missing", "busy", "device", "died", "internal"]
"""Whose fault it is: the file's, the request's, the installation's, another runner's, the device's (a full disk), or
the runner's own, which may have died of it."""


class ProtocolError(ValueError):
    """A line is not what this version of the protocol says."""


class RunnerError(Exception):
    """What the runner tells the host when it cannot go on.

    Attributes:
        kind: Whose fault it is.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind


@dataclass(frozen=True)
class Settings:
    """How problems are decoded; together with the file and the waves they decide every row.

    Attributes:
        max_new_tokens: Tokens of a reply, at most.
        sequences: Problems decoded together in one batch.
        threads: Threads of the runtime, for prompts and replies alike.
        temperature: 0 takes the likeliest token; above, tokens are drawn.
        seed: Where drawing starts; each problem and sample has its own stream.
        kv: Number format of the key-value cache; f32 also keeps attention in f32, for comparing with other runtimes.
        answer: ``program`` runs the reply as a program, ``number`` takes its last number.
        stop: A reply ends before the first of these texts.
        return_ids: Whether completions carry token ids.
    """

    max_new_tokens: int = 256
    sequences: int = 16
    threads: int = 1
    temperature: float = 0.0
    seed: int = 0
    kv: Literal["f16", "f32"] = "f16"
    answer: Literal["program", "number"] = "program"
    stop: tuple[str, ...] = ()
    return_ids: bool = False

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "sequences", "threads"):
            if getattr(self, name) < 1:
                raise ProtocolError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.temperature >= 0:
            raise ProtocolError(f"temperature must not be negative, it is {self.temperature}")
        if self.kv not in ("f16", "f32"):
            raise ProtocolError(f"kv must be f16 or f32, not {self.kv!r}")
        if self.answer not in ("program", "number"):
            raise ProtocolError(f"answer must be program or number, not {self.answer!r}")
        if not all(self.stop):
            raise ProtocolError("a stop text must not be empty")


class Shot(NamedTuple):
    """A worked example that goes before the question."""

    question: str
    reply: str


@dataclass(frozen=True)
class Request:
    """The host's first line: which file to load, and how to ask it.

    Attributes:
        artifact: Path of the model file on the device.
        settings: How to decode.
        prompt: A template with ``{question}``, the word ``chat``, or None for the file's own template.
        shots: Worked examples.
        afresh: A board answers no wave from those it has kept, and keeps none: for measuring what a wave costs.
    """

    artifact: str
    settings: Settings = Settings()
    prompt: str | None = None
    shots: tuple[Shot, ...] = ()
    afresh: bool = False


@dataclass(frozen=True)
class Task:
    """One question to answer; ``sample`` counts the replies drawn for the same problem."""

    problem_id: str
    sample: int
    question: str


@dataclass(frozen=True)
class Wave:
    """The unit of work, of resume and of sharing: tasks that are decoded from an empty cache."""

    index: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Score:
    """Another runtime's prompt and reply, to be read by this one: what would it have written at each position?

    Every layer is given what the other runtime has, not what this one made of the layer before, so that a fault
    shows in its own layer only: the template gets the question, the tokenizer the text, the weights the ids.

    Attributes:
        problem_id: Echoed in the answer.
        question: For the template of this side.
        text: The prompt as the other side renders it, for the tokenizer of this side.
        prompt_ids: The other side's ids of it.
        reply_ids: What it wrote; may be empty, then nothing is decoded.
        rows: Positions in the reply whose logits are wanted whole; 0 is what follows the prompt.
    """

    problem_id: str
    question: str
    text: str
    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class End:
    """The host has no more waves."""


@dataclass(frozen=True)
class Completion:
    """What the model replied to one task, judged as far as a device can judge it.

    Attributes:
        problem_id: The task's problem.
        sample: The task's sample.
        text: The reply, without the stop text.
        program: Its program in normal form; None where nothing parses or numbers are asked for.
        answer: The number it gives; None where it gives none.
        verdict: Why there is no answer; None when it ran, until the host has compared it with the gold answer.
        n_prompt_tokens: Tokens of the prompt.
        n_tokens: Tokens generated, with the one that ended the reply.
        prompt_ids_sha: First 16 hex digits of the sha256 of the prompt's ids, as little-endian int32.
        prompt_ids: The prompt's token ids, if they were asked for.
        ids: The generated token ids, if they were asked for.
        extra: Fields this version does not know; kept when the record is written again.
    """

    problem_id: str
    sample: int
    text: str
    program: str | None
    answer: int | float | None
    verdict: Verdict | None
    n_prompt_tokens: int
    n_tokens: int
    prompt_ids_sha: str
    prompt_ids: tuple[int, ...] | None = None
    ids: tuple[int, ...] | None = None

    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a completion from a JSON object; unknown fields go to ``extra``.

        Raises:
            ProtocolError: A field is missing, or the verdict is none that exists.
        """
        known = {f.name: f for f in fields(cls) if f.name != "extra"}
        for name, f in known.items():
            if name not in row and f.default is MISSING:
                raise ProtocolError(f"a completion lacks the field {name!r}")
        values: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known
        }
        if values["verdict"] is not None:
            try:
                values["verdict"] = Verdict(values["verdict"])
            except ValueError:
                raise ProtocolError(f"there is no verdict {values['verdict']!r}") from None
        return cls(**values, extra={name: v for name, v in row.items() if name not in known})

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object of this record; ids that were not asked for are left out."""
        row = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        return {k: v for k, v in row.items() if v is not None or k not in ("ids", "prompt_ids")} | dict(self.extra)


@dataclass(frozen=True)
class Scores:
    """What this runtime makes of a text that another one wrote.

    Attributes:
        problem_id: That of the question.
        prompt: This side's prompt for it.
        prompt_ids: This side's ids of its own prompt.
        text_ids: This side's ids of the other side's prompt.
        best: This side's likeliest token at each position of the reply.
        leads: By how many logits it beats the next one; 0 where that is no number.
        logits: The wanted rows, float32, little-endian, in base64; see ``rows.decode_rows``.
        unreadable: Why this file cannot be fed the other side's ids; empty where it can. Nothing is scored then.
    """

    problem_id: str
    prompt: str
    prompt_ids: tuple[int, ...]
    text_ids: tuple[int, ...]
    best: tuple[int, ...]
    leads: tuple[float, ...]
    logits: str
    unreadable: str = ""


@dataclass(frozen=True)
class Timing:
    """What a wave cost.

    Attributes:
        seconds: From its first token to its last.
        prompt_tokens: Prompt tokens decoded; a common beginning counts once.
        decode_tokens: Tokens generated.
        prompt_seconds: Of ``seconds``, those in which prompts were read, up to each one's last token.
        first_token_seconds: From the wave's start to its first generated token; None where none was generated.
        peak_rss_bytes: The most memory the runner has held until the wave's end.
        conditions: Temperature, clock, throttling and energy, where the device shows them.
    """

    seconds: float
    prompt_tokens: int
    decode_tokens: int
    prompt_seconds: float
    first_token_seconds: float | None
    peak_rss_bytes: int
    conditions: Conditions


@dataclass(frozen=True)
class SpecialIds:
    """The ids that begin and end a text, as a vocabulary has them.

    Attributes:
        bos: Begins a text; None if there is none.
        eos: Ends a text; None if there is none.
        stops: Every id that ends a reply, sorted.
        adds_bos: Whether a prompt is begun with ``bos``.
    """

    bos: int | None
    eos: int | None
    stops: tuple[int, ...]
    adds_bos: bool


@dataclass(frozen=True)
class TargetInfo:
    """What the runner says of itself, the device and the file once the file is loaded (``ready``).

    ``prompt`` is the template in use, rendered; ``system_info`` is the runtime's own line about its build; the times of
    an ``emulated`` device are not the board's, however it is reached.
    """

    protocol: int
    runtime: str
    runtime_version: str
    system_info: str
    python: str
    machine: str
    board: str | None
    cpu: str
    cpu_features: tuple[str, ...]
    emulated: bool
    model: str
    n_params: int
    n_ctx_train: int
    special: SpecialIds
    prompt: str
    load_seconds: float


@dataclass(frozen=True)
class Progress:
    """Problems of the current wave that are finished."""

    index: int
    finished: int


@dataclass(frozen=True)
class WaveResult:
    """A finished wave: its completions in the order of its tasks."""

    index: int
    completions: tuple[Completion, ...]
    timing: Timing


@dataclass(frozen=True)
class Totals:
    """What the whole session cost (``done``)."""

    waves: int
    problems: int
    prompt_tokens: int
    decode_tokens: int
    seconds: float
    load_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Failure:
    """The runner cannot go on, and says why (``error``)."""

    kind: FailureKind
    message: str


Command = Wave | Score | End
Event = TargetInfo | Progress | WaveResult | Scores | Totals | Failure


def prompt_ids_sha(ids: Sequence[int]) -> str:
    """Return the first 16 hex digits of the sha256 over the ids as little-endian int32."""
    return hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()[:16]


def plan_waves(tasks: Sequence[Task], size: int = 64) -> list[Wave]:
    """Cut tasks into waves of ``size``, in their order; the last may be shorter.

    Raises:
        ValueError: ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"a wave must hold at least one task, not {size}")
    return [Wave(i, tuple(tasks[at : at + size])) for i, at in enumerate(range(0, len(tasks), size))]
