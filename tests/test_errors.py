"""What a caller can fix reaches them as an ``FddError``, also what the runner's code noticed first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fdd_edge
from fdd_edge.errors import FddError
from fdd_edge.ondevice.protocol import ProtocolError, RunnerError
from fdd_edge.operations.evaluation_rows import read_rows

PROBLEMS = [{"question": "What is 2 + 3?", "answer": 5}]

Call = Callable[[Path, Path], Any]


def broken_rows(gguf: Path, tmp_path: Path, row: object) -> Any:
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return fdd_edge.split(problems, tmp_path / "answers", tmp_path / "split")


def file_with(tmp_path: Path, content: bytes, name: str = "broken.gguf") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


CALLS: dict[str, Call] = {
    "a row without its fields": lambda gguf, tmp: broken_rows(gguf, tmp, {"problem_id": "problems-1"}),
    "a row with an unknown verdict": lambda gguf, tmp: broken_rows(
        gguf,
        tmp,
        {
            "problem_id": "problems-1",
            "sample": 0,
            "text": "",
            "program": None,
            "answer": None,
            "verdict": "maybe",
            "n_prompt_tokens": 1,
            "n_tokens": 1,
            "prompt_ids_sha": "0",
        },
    ),
    "not a model": lambda gguf, tmp: fdd_edge.load(file_with(tmp, b"not a model")),
    "half a model": lambda gguf, tmp: fdd_edge.evaluate(
        file_with(tmp, gguf.read_bytes()[: gguf.stat().st_size // 2]), PROBLEMS
    ),
    "not a graph": lambda gguf, tmp: fdd_edge.bench(file_with(tmp, b"not a graph", "model.onnx")),
    "a prompt without its question": lambda gguf, tmp: fdd_edge.solve(
        gguf, "What is 2 + 3?", prompt=str(file_with(tmp, b"Solve it.", "prompt.txt"))
    ),
    "too many threads": lambda gguf, tmp: fdd_edge.bench(gguf, threads=100_000),
    "a batch that is too large": lambda gguf, tmp: fdd_edge.load(gguf, batch_size=100_000),
    "a number that is a text": lambda gguf, tmp: fdd_edge.load(gguf, max_new_tokens="many"),  # type: ignore[arg-type]
    "too many examples": lambda gguf, tmp: fdd_edge.load(gguf, num_fewshot=1_000),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_it_is_an_fdd_error(call: Call, tiny_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(FddError) as caught:
        call(tiny_gguf, tmp_path)
    assert not isinstance(caught.value, ProtocolError | RunnerError)
    assert str(caught.value)


def test_damaged_rows_are_named_with_their_folder(tmp_path: Path) -> None:
    """They ended in a ProtocolError wherever rows are read but not split."""
    (tmp_path / "rows.jsonl").write_text('{"problem_id": "p"}\n')
    with pytest.raises(FddError, match=r"is not an evaluation \(a completion lacks the field 'sample'\)"):
        read_rows(tmp_path)
