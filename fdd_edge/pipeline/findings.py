"""What a verification finds, a line for each thing that it looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdd_edge.result_base import Result

__all__ = ["Finding", "Verification"]


@dataclass(frozen=True)
class Finding(Result):
    """What became of one thing.

    Attributes:
        what: Its path inside the folder that is verified.
        holds: Whether it is what it claims to be; None if that cannot be found out here.
        says: Why, in words that follow its path.
        fix: What to do if it does not hold: a sentence.
    """

    what: str
    holds: bool | None
    says: str
    fix: str | None = None


@dataclass(frozen=True)
class Verification(Result):
    """The findings about a folder, up to the first thing that does not hold; iterating over it yields them.

    Attributes:
        path: The folder.
        findings: In the order in which things were looked at.
    """

    path: Path
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether everything that could be looked at holds."""
        return all(finding.holds is not False for finding in self.findings)

    @property
    def unknown(self) -> list[Finding]:
        """What could not be looked at here."""
        return [finding for finding in self.findings if finding.holds is None]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, index: int) -> Finding:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return f"Verification(ok={self.ok}, {len(self)} findings, {len(self.unknown)} unknown)"

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge verify --json`` prints."""
        findings = [finding.to_dict() for finding in self.findings]
        return {"path": str(self.path), "ok": self.ok, "findings": findings}

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [finding.to_dict() for finding in self.findings]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(finding.what, finding.says) for finding in self.findings]
