"""The bounds of a parity certificate: how far an artifact may be from its float model (docs/parity.md).

A recipe states them and a certificate repeats them. Pydantic reads descriptions and ranges from the fields' metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

__all__ = ["Bounds"]


def _error(description: str) -> dict[str, str | int]:
    """Return the metadata of an error, which must be positive."""
    return {"description": description, "gt": 0}


def _share(description: str) -> dict[str, str | int]:
    """Return the metadata of a share, between 0 and 1."""
    return {"description": description, "ge": 0, "le": 1}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How far an artifact may be from the float model it was made from; the values come from good files."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    tensors: float = field(metadata=_error("relative L2 error of any quantized tensor, dequantized"))
    own_weights: float = field(
        default=0.1,
        metadata=_error(
            "median relative L2 error of a row of logits, compared with the float model under the file's own weights"
        ),
    )
    logits_median: float = field(metadata=_error("median relative L2 error of a row of logits about its mean"))
    logits_p99: float = field(metadata=_error("99th percentile of the same error"))
    kl_mean: float = field(metadata=_error("mean KL divergence of the next token, in nats"))
    greedy: float = field(metadata=_share("share of positions at which the most likely token is the reference's"))
    stops: float = field(
        metadata=_share(
            "share of the reference's stops at which the file stops too; 1 also forbids any stop where the reference "
            "continues"
        )
    )
    clear_lead: float = field(
        metadata={
            "description": "lead of the reference's most likely token, in logits, from which a position counts for "
            "`greedy` and `stops`; 0 counts every position",
            "ge": 0,
        }
    )
    answers: float | None = field(
        default=None, metadata=_share("share of prompts with the reference's answer; default: only reported")
    )
