"""What every result can do: ``to_dict``, ``to_pandas``, and a table in notebooks.

Every function of ``api.py`` but ``load`` returns one. A package that measures or checks something defines its own, such
as ``parity.Certificate``; those that a function of the API puts together are in ``results.py``.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.visible import visible

__all__ = ["Result"]

_LONGEST_CELL = 200


class Result:
    """A result; subclasses are frozen dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; where a subclass says so, it is what the command prints with ``--json``."""
        return {f.name: _as_json(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]  # a dataclass

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame: a row for each part of the result, or a single row.

        Raises:
            FddError: pandas is not installed.
        """
        try:
            import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ModuleNotFoundError:
            raise FddError("pandas is not installed. Install it with: pip install pandas") from None
        return pandas.DataFrame(list(self._table_rows()))

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the DataFrame; a result with parts overrides this."""
        return [self.to_dict()]

    def _shown(self) -> Iterable[tuple[str, object]]:
        """Return what a notebook shows: names and values."""
        return self.to_dict().items()

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = (f"<tr><th>{_cell(k)}</th><td>{_cell(_brief(v))}</td></tr>" for k, v in self._shown())
        return f"<table>{''.join(rows)}</table>"


def _as_json(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _as_json(asdict(value))
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_json(item) for item in value]
    return value


def _cell(text: str) -> str:
    return html.escape(visible(text))


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."
