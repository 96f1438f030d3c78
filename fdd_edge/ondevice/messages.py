"""The messages between a host and the runner on a device; ``protocol`` encodes them as lines of JSON.

The host sends a request, then waves and texts to score one by one, and finally ``{"event": "end"}`` or the end of its
stream. The runner answers with events: ``ready``, any number of ``progress``, one ``wave`` per wave, one ``scores`` per
scored text, and ``done``; or ``error``.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple, Self

from .field_types import ANY_NUMBER, bounds
from .options import option, out_of_range
from .telemetry import Conditions
from .verdicts import ANSWER_RULES, AnswerRule, Verdict

__all__ = [
    "Command",
    "Completion",
    "Decoding",
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

_SECONDS = 1e9
"""Thirty years: longer than any piece of work, and short enough that sums and rates stay finite."""
_BYTES = 2**50
_TOKEN = 2**31 - 1
"""The highest id of a token: ids are int32."""
_LEAD = 1e39
"""More than the difference of any two numbers in float32."""

FailureKind = Literal["bad_artifact", "bad_request", "runtime_missing", "busy", "device", "died", "internal"]
"""What is at fault: the model file, the request, the installation, another runner that is using the board, the device
(such as a full disk), or the runner itself (``died``: it was killed by a signal)."""


class ProtocolError(ValueError):
    """A line does not conform to this version of the protocol."""


class RunnerError(Exception):
    """The runner cannot continue; the host is sent this as a ``Failure``.

    Attributes:
        kind: What is at fault.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind


@dataclass(frozen=True)
class Decoding:
    """How replies are decoded; the one definition for the wire, configs and fingerprints."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_new_tokens: int = option(200, "maximum tokens per reply", ge=1)
    batch_size: int = option(16, "number of sequences that share a batch", ge=1, le=256)  # LLAMA_MAX_SEQ of llama.cpp
    threads: int | None = option(
        None,
        "threads of the runtime; default: one per physical core; `threads` in the target's profile takes precedence",
        ge=1,
        le=512,
    )
    temperature: float = option(0.0, "sampling temperature; 0 decodes greedily", ge=0, le=100)
    wave: int = option(64, "number of replies that are decoded, resumed and shared between boards as one unit", ge=1)
    flash_attention: bool | None = option(
        None, "whether llama.cpp uses flash attention; default: whichever is faster on the target, by a measurement"
    )

    def __post_init__(self) -> None:
        if fault := out_of_range(self):
            raise ProtocolError(fault)

    def fingerprint(self) -> dict[str, int | float | bool | None]:
        """Return what replies depend on, without the attention if it is the standard one: so it was before."""
        row = asdict(self)
        return row if self.flash_attention else {k: v for k, v in row.items() if k != "flash_attention"}


@dataclass(frozen=True)
class Settings:
    """How a runner handles tasks. Together with the model file and the waves, these settings determine every row.

    Attributes:
        decoding: How replies are decoded; ``threads`` must be a number here.
        seed: Seed for sampling; each problem and sample has its own random stream.
        kv: Number format of the key-value cache; f32 also keeps attention in f32, for comparing with other runtimes.
        answer: ``program`` runs the reply as a program, ``number`` takes the number that it marks as its answer or
            else its last one, ``last-number`` always the last one.
        stop: A reply ends before the first of these texts.
        return_ids: Whether completions include token ids.
        choose_attention: Whether the device measures which attention is faster, if ``flash_attention`` is None; else
            that means llama.cpp's standard one.
    """

    decoding: Decoding = Decoding(threads=1)
    seed: int = 0
    kv: Literal["f16", "f32"] = "f16"
    answer: AnswerRule = "program"
    stop: tuple[str, ...] = ()
    return_ids: bool = False
    choose_attention: bool = False

    def __post_init__(self) -> None:
        if self.decoding.threads is None:
            raise ProtocolError("threads must be resolved to a number before a request is sent")
        if self.kv not in ("f16", "f32"):
            raise ProtocolError(f"kv must be f16 or f32, not {self.kv!r}")
        if self.answer not in ANSWER_RULES:
            raise ProtocolError(f"answer must be program, number or last-number, not {self.answer!r}")
        if not all(self.stop):
            raise ProtocolError("a stop text must not be empty")

    @property
    def threads(self) -> int:
        """Threads of the runtime, for prompts and replies alike."""
        assert self.decoding.threads is not None
        return self.decoding.threads


class Shot(NamedTuple):
    """A worked example, placed before the question."""

    question: str
    reply: str


@dataclass(frozen=True)
class Request:
    """The host's first message: which model file to load, and how to decode with it.

    Attributes:
        artifact: Path of the model file on the device.
        settings: How to decode.
        prompt: A template with ``{question}``, ``chat``, or None for the template stored in the file.
        shots: Worked examples.
        fresh: Decode every wave, even if the board has a stored result, and store none; for measuring.
        rendered_at: The local time that a chat template is given, as ISO 8601, so that all runners of an evaluation,
            and those that resume it, render one prompt; None for the device's clock.
    """

    artifact: str
    settings: Settings = Settings()
    prompt: str | None = None
    shots: tuple[Shot, ...] = ()
    fresh: bool = False
    rendered_at: str | None = None


@dataclass(frozen=True)
class Task:
    """One question to answer; ``sample`` numbers the replies to the same problem."""

    problem_id: str
    sample: int
    question: str


@dataclass(frozen=True)
class Wave:
    """Tasks that are decoded together, from an empty cache: the unit of work, resuming and sharing between boards."""

    index: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Score:
    """The prompt and reply of another runtime, to be scored by this one: what would it have written at each position?

    Each layer gets the other runtime's input, not the output of this runtime's layer before it, so that a difference
    shows only in the layer that causes it: the template gets the question, the tokenizer the text, the weights the ids.

    Attributes:
        problem_id: Repeated in the answer.
        question: Input of this runtime's template.
        text: The prompt as the other runtime renders it; input of this runtime's tokenizer.
        prompt_ids: The other runtime's ids of the prompt.
        reply_ids: The other runtime's reply; if it is empty, nothing is decoded.
        rows: Positions in the reply whose logits are returned; position 0 follows the prompt.
    """

    problem_id: str
    question: str
    text: str
    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class End:
    """The host has no more commands."""


@dataclass(frozen=True)
class Completion:
    """The model's reply to one task, judged as far as the device can.

    Attributes:
        problem_id: The task's problem.
        sample: The task's sample.
        text: The reply, without the stop text.
        program: Its program in normal form; None if nothing parses or ``answer`` is ``number``.
        answer: The number that it gives, or None.
        verdict: Why there is no answer; None if there is one, until the host has compared it with the gold answer.
        n_prompt_tokens: Tokens of the prompt.
        n_tokens: Generated tokens, including the one that ended the reply.
        prompt_ids_sha: First 16 hex digits of the sha256 of the prompt's ids, as little-endian int32.
        prompt_ids: The prompt's token ids, if requested.
        ids: The generated token ids, if requested.
        detail: What exactly was wrong, such as the line of a program that is outside the language; None if nothing.
        extra: Fields that this version does not know; kept when the row is written again.
    """

    problem_id: str
    sample: int
    text: str
    program: str | None
    answer: int | float | None = field(metadata=ANY_NUMBER)  # the host computes it again
    verdict: Verdict | None
    n_prompt_tokens: int = field(metadata=bounds(ge=0, le=_TOKEN))
    n_tokens: int = field(metadata=bounds(ge=0, le=_TOKEN))
    prompt_ids_sha: str
    prompt_ids: tuple[int, ...] | None = field(default=None, metadata=bounds(ge=0, le=_TOKEN))
    ids: tuple[int, ...] | None = field(default=None, metadata=bounds(ge=0, le=_TOKEN))
    detail: str | None = None

    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a completion from a JSON object; unknown fields go to ``extra``.

        Raises:
            ProtocolError: A field is missing, or the verdict is unknown.
        """
        known = {f.name: f for f in fields(cls) if f.name != "extra"}
        for name, f in known.items():
            if name not in row and f.default is MISSING:
                raise ProtocolError(f"a completion lacks the field {name!r}")
        values: dict[str, Any] = {  # as read from JSON
            name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known
        }
        if values["verdict"] is not None:
            try:
                values["verdict"] = Verdict(values["verdict"])
            except ValueError:
                raise ProtocolError(f"there is no verdict {repr(values['verdict'])[:80]}") from None
        return cls(**values, extra={name: v for name, v in row.items() if name not in known})

    def to_row(self) -> dict[str, Any]:
        """Return this completion as a JSON object; ids that were not requested and an absent detail are left out."""
        row = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        optional = ("ids", "prompt_ids", "detail")
        return {k: v for k, v in row.items() if v is not None or k not in optional} | dict(self.extra)


@dataclass(frozen=True)
class Scores:
    """How this runtime scores a text that another one wrote.

    Attributes:
        problem_id: The problem of the text.
        prompt: This runtime's prompt for the question.
        prompt_ids: This runtime's ids of its own prompt.
        text_ids: This runtime's ids of the other runtime's prompt.
        best: This runtime's likeliest token at each position of the reply.
        leads: By how much its logit exceeds the second highest; 0 if that is not a finite number.
        logits: The requested rows, float32, little-endian, in base64; see ``logits_codec.decode_rows``.
        unreadable: Why this model cannot read the other runtime's ids, so that nothing is scored; empty if it can.
    """

    problem_id: str
    prompt: str
    prompt_ids: tuple[int, ...] = field(metadata=bounds(ge=0, le=_TOKEN))
    text_ids: tuple[int, ...] = field(metadata=bounds(ge=0, le=_TOKEN))
    best: tuple[int, ...] = field(metadata=bounds(ge=0, le=_TOKEN))
    leads: tuple[float, ...] = field(metadata=bounds(ge=0, le=_LEAD))
    logits: str
    unreadable: str = ""


@dataclass(frozen=True)
class Timing:
    """What a wave cost.

    Attributes:
        seconds: From the start of the wave to its end.
        prompt_tokens: Prompt tokens that were decoded; a common prefix counts once.
        decode_tokens: Generated tokens.
        prompt_seconds: The part of ``seconds`` spent on prompts, up to the last token of each.
        first_token_seconds: From the start of the wave to its first generated token; None if none was generated.
        peak_rss_bytes: Peak memory of the runner up to the end of the wave.
        conditions: Temperature, clock, throttling and energy, if the device shows them.
    """

    seconds: float = field(metadata=bounds(ge=0, le=_SECONDS))
    prompt_tokens: int = field(metadata=bounds(ge=0))
    decode_tokens: int = field(metadata=bounds(ge=0))
    prompt_seconds: float = field(metadata=bounds(ge=0, le=_SECONDS))
    first_token_seconds: float | None = field(metadata=bounds(ge=0, le=_SECONDS))
    peak_rss_bytes: int = field(metadata=bounds(ge=0, le=_BYTES))
    conditions: Conditions


@dataclass(frozen=True)
class SpecialIds:
    """The ids of a vocabulary that begin and end a text.

    Attributes:
        bos: Begins a text; None if there is none.
        eos: Ends a text; None if there is none.
        eos_ids: All ids that end a reply, sorted.
        adds_bos: Whether ``bos`` is prepended to a prompt.
    """

    bos: int | None
    eos: int | None
    eos_ids: tuple[int, ...]
    adds_bos: bool


@dataclass(frozen=True)
class TargetInfo:
    """Describes the runner, the device and the model once the model is loaded (``ready``).

    ``prompt`` is the template in use, and ``rendered_at`` the time that a chat template was told; ``system_info`` is
    the runtime's own description of its build; times measured on an ``emulated`` device are not the board's.
    ``flash_attention`` says how waves are decoded. If the device was to choose, the two times are those of a token for
    each reply of a batch, by which it chose.
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
    n_params: int = field(metadata=bounds(ge=0))
    n_ctx_train: int = field(metadata=bounds(ge=0))
    special: SpecialIds
    prompt: str
    load_seconds: float = field(metadata=bounds(ge=0, le=_SECONDS))
    rendered_at: str | None = None
    flash_attention: bool = False
    standard_step_seconds: float | None = field(default=None, metadata=bounds(ge=0, le=_SECONDS))
    flash_step_seconds: float | None = field(default=None, metadata=bounds(ge=0, le=_SECONDS))

    def __post_init__(self) -> None:
        if self.rendered_at is not None:
            try:
                datetime.fromisoformat(self.rendered_at)
            except (TypeError, ValueError):
                raise ProtocolError(f"rendered_at must be a time in ISO 8601, not {self.rendered_at!r}") from None


@dataclass(frozen=True)
class Progress:
    """Number of finished problems of the current wave."""

    index: int
    finished: int = field(metadata=bounds(ge=0))


@dataclass(frozen=True)
class WaveResult:
    """A finished wave, with its completions in the order of its tasks."""

    index: int
    completions: tuple[Completion, ...]
    timing: Timing


@dataclass(frozen=True)
class Totals:
    """What the whole session cost (``done``)."""

    waves: int = field(metadata=bounds(ge=0))
    problems: int = field(metadata=bounds(ge=0))
    prompt_tokens: int = field(metadata=bounds(ge=0))
    decode_tokens: int = field(metadata=bounds(ge=0))
    seconds: float = field(metadata=bounds(ge=0, le=_SECONDS))
    load_seconds: float = field(metadata=bounds(ge=0, le=_SECONDS))
    peak_rss_bytes: int = field(metadata=bounds(ge=0, le=_BYTES))


@dataclass(frozen=True)
class Failure:
    """The runner cannot continue, and why (``error``)."""

    kind: FailureKind
    message: str


Command = Wave | Score | End
Event = TargetInfo | Progress | WaveResult | Scores | Totals | Failure


def prompt_ids_sha(ids: Sequence[int]) -> str:
    """Return the first 16 hex digits of the sha256 over the ids as little-endian int32."""
    return hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()[:16]


def plan_waves(tasks: Sequence[Task], size: int = Decoding.wave) -> list[Wave]:
    """Split tasks into waves of ``size`` in their order; the last may be shorter.

    Raises:
        ValueError: ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"a wave must hold at least one task, not {size}")
    return [Wave(i, tuple(tasks[at : at + size])) for i, at in enumerate(range(0, len(tasks), size))]
