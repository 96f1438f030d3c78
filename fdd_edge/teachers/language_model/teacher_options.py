"""The options of teachers that are language models: the one definition for the config and for those who ask them.

pydantic reads bounds and descriptions from each field's ``metadata``. Checks that bounds cannot express raise a
``ValueError`` when such an object is built, which pydantic reports with the path of the section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit

from fdd_edge.ondevice.options import option
from fdd_edge.runs.fingerprint import Json, plain
from fdd_edge.teachers.language_model._calls import Usage
from fdd_edge.teachers.language_model.secret import Secret

__all__ = ["EndpointOptions", "GgufOptions", "Price", "RecordedOptions"]

_MILLION = 1_000_000
_HIGHEST_PRICE, _LOWEST_PRICE = 1000.0, 0.001
"""Of a million tokens; lower ones, other than 0, are mostly those of one token, as OpenRouter lists them."""

_TOO_MUCH = ("/chat/completions", "/completions", "/chat", "/responses", "/models", "/embeddings", "/messages")
"""Paths of single calls, which users copy along with the address."""

_OURS = ("messages", "model", "n", "stream")
"""Keys of a request that ``extra_body`` must not change."""

_NAMES_A_KEY = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|secret|password|authorization|bearer|(?:access|auth)[_-]?token|credentials?)$",
    re.IGNORECASE,
)
"""How secrets are called; requests are written down as they are, so they must not hold any."""


@dataclass(frozen=True)
class Price:
    """What a million tokens cost, in any one currency."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    input: float = field(metadata={"description": "price of a million input tokens", "ge": 0})
    output: float = field(metadata={"description": "price of a million output tokens", "ge": 0})
    cached_input: float | None = option(
        None, "price of a million input tokens that the provider had stored; default: as input", ge=0
    )

    def __post_init__(self) -> None:
        """Ask about a price that is probably in another unit."""
        for name in ("input", "output", "cached_input"):
            value = getattr(self, name)
            if value is None or value == 0 or _LOWEST_PRICE <= value <= _HIGHEST_PRICE:
                continue
            is_low = value < _LOWEST_PRICE
            raise ValueError(
                f"{name} is {value:g}; is that the price of {'one token' if is_low else 'a million tokens'}? It is "
                f"{'less' if is_low else 'more'} than any model costs; write prices per 1,000,000 tokens"
            )

    def cost(self, usage: Usage) -> float:
        """Return what a call has cost."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        cached = min(usage.cached_input, usage.input)
        paid = (usage.input - cached) * self.input + cached * cached_price + usage.output * self.output
        return paid / _MILLION


@dataclass(frozen=True)
class EndpointOptions:
    """A model behind an OpenAI-compatible endpoint."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    base_url: str = field(
        metadata={"description": "address up to and without /chat/completions, such as https://api.openai.com/v1"}
    )
    model: str = field(metadata={"description": "the model, as the endpoint names it", "min_length": 1})
    api_key: Secret | None = option(None, "the key, as ${NAME} of an environment variable")
    max_concurrency: int = option(32, "calls in flight at most; fewer while the endpoint asks for that", ge=1, le=1024)
    timeout: float = option(120.0, "seconds until a call without a whole reply is tried again", gt=0)
    temperature: float | None = option(0.7, "temperature of sampling; null leaves it out of the request", ge=0)
    max_tokens: int | None = option(1024, "tokens of a reply at most; null leaves it out of the request", ge=1)
    extra_body: Mapping[str, Any] = field(
        default_factory=dict, metadata={"description": "further keys of the request, such as reasoning_effort"}
    )
    price: Price | None = option(
        None, "{input, output, cached_input} per million tokens; default: of genai-prices, if it knows the model"
    )
    batch: Literal["file"] | None = option(
        None, "file: write requests to files in OpenAI's batch format, and wait for `fdd-edge ledger import`"
    )
    insecure: bool = option(False, "allow http:// to another machine, which sends the key and the problems unencrypted")

    def __post_init__(self) -> None:
        """Check what bounds cannot express; no message contains the address, which may hold a key."""
        if fault := _address_fault(self.base_url, self.insecure):
            raise ValueError(fault)
        if taken := [key for key in _OURS if key in self.extra_body]:
            raise ValueError(f"extra_body must not contain {', '.join(taken)}")
        if name := next((name for name in _names(self.extra_body) if _NAMES_A_KEY.search(name)), None):
            raise ValueError(
                f"extra_body must not hold a key ({name}), because requests are written to the ledger; the key goes "
                "into api_key: ${NAME}"
            )

    @property
    def address(self) -> str:
        """The address as it stands in ledgers and messages."""
        return self.base_url.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return _is_local(urlsplit(self.base_url).hostname or "")

    def fingerprint(self) -> dict[str, Json]:
        """Return what replies depend on."""
        return {"base_url": self.address, "body": plain(self.request_body({}))}

    def request_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a whole request: a body with messages, completed by the options that it does not set itself."""
        options = {"model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens}
        return {key: value for key, value in options.items() if value is not None} | {**self.extra_body, **body}


@dataclass(frozen=True)
class GgufOptions:
    """A model file that our own runner decodes."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    gguf: str = field(
        metadata={
            "description": "a .gguf file of a chat model, package:NAME, or a hub id: OWNER/NAME/FILE.gguf, or "
            "OWNER/NAME of a repository with only one",
            "min_length": 1,
        }
    )
    revision: str | None = option(None, "branch, tag or commit of a hub id")
    target: str = option("local", "target that decodes it")
    batch_size: int = option(16, "replies decoded at a time", ge=1)
    temperature: float = option(0.7, "temperature of sampling", ge=0)
    max_tokens: int = option(512, "tokens of a reply at most", ge=1)


@dataclass(frozen=True)
class RecordedOptions:
    """A bank of problems with programs."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    recorded: str = field(metadata={"description": "a JSON Lines file of problems with programs", "min_length": 1})

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.recorded).expanduser()


def _names(value: object) -> Iterator[str]:
    """Yield every key of nested mappings."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names(item)


def _address_fault(url: str, insecure: bool) -> str | None:
    """Return what is wrong with an address, or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "base_url is not an address; write one such as https://api.openai.com/v1"
    if parts.scheme not in ("https", "http") or not host or any(not "!" <= letter <= "~" for letter in url):
        return "base_url must be an address such as https://api.openai.com/v1 or http://localhost:8000/v1"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "base_url must not contain a user, a password, `?` or `#`; the key goes into api_key: ${NAME}"
    path = parts.path.rstrip("/")
    if extra := next((end for end in _TOO_MUCH if path.endswith(end)), None):
        return f"base_url has a path too much; leave out {extra}: {_shortened(parts, extra)}"
    if parts.scheme == "http" and not insecure and not _is_local(host):
        return (
            f"base_url is http:// to another machine ({host}), so that anyone in between can read the key and the "
            "problems; use https://, or allow it with insecure: true"
        )
    return None


def _shortened(parts: SplitResult, extra: str) -> str:
    return parts._replace(path=parts.path.rstrip("/").removesuffix(extra)).geturl()


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
