"""A stage is handed exactly what its fingerprint covers, and nothing that could not be compared later."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fdd_edge.records import Problem, ProblemSet
from fdd_edge.runs import Manifest, Stages
from fdd_edge.runs.fingerprint import Inputs, Json, fingerprint, named_paths, plain


@dataclass(frozen=True)
class Options:
    rate: float = 0.5
    names: tuple[str, ...] = ("a", "b")
    nested: dict[str, int | None] = field(default_factory=dict)


class Pair(NamedTuple):
    left: int
    right: Options


class Location:
    """Where something lies does not matter, only what it is called."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def fingerprint(self) -> Json:
        return {"name": self.name}


class Colour(enum.Enum):
    red = 1


def as_json(options: Options) -> Json:
    return {"rate": options.rate, "names": list(options.names), "nested": dict(options.nested)}


@pytest.mark.parametrize("value", ["text", 3, 0.25, True, None])
def test_json_scalars_stay_as_they_are(value: object) -> None:
    assert plain(value) is value


def test_dataclasses_tuples_and_mappings_become_json() -> None:
    options = Options(nested={"x": 1, "y": None})
    assert plain(options) == as_json(options)
    assert plain(Pair(1, options)) == {"left": 1, "right": as_json(options)}
    assert plain({"a": (1, [Pair(2, Options())])}) == {"a": [1, [{"left": 2, "right": as_json(Options())}]]}
    assert plain({1: "key"}) == {"1": "key"}


def test_a_value_may_say_itself_what_an_output_depends_on() -> None:
    here, there = Location("a", Path("/here")), Location("a", Path("/there"))
    assert plain([here]) == plain([there]) == [{"name": "a"}]
    problem = Problem("p", "How many?", 1, "test")
    one, same, other = ProblemSet([problem]), ProblemSet([problem]), ProblemSet([problem, problem])
    assert plain(one) == plain(same) == one.fingerprint()
    assert plain(one) != plain(other)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", Path("file"), Colour.red, Options, 1 + 2j, [lambda: None], {"a": {3}}]
)
def test_a_value_that_cannot_be_compared_later_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be fingerprinted"):
        plain(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(1, value, {})


def test_a_fingerprint_depends_on_version_options_and_inputs_but_not_on_their_order() -> None:
    base = fingerprint(1, {"a": 1, "b": 2}, {"x": "00", "y": "11"})
    assert fingerprint(1, {"b": 2, "a": 1}, {"y": "11", "x": "00"}) == base
    changed = [
        fingerprint(2, {"a": 1, "b": 2}, {"x": "00", "y": "11"}),
        fingerprint(1, {"a": 1, "b": 3}, {"x": "00", "y": "11"}),
        fingerprint(1, {"a": 1}, {"x": "00", "y": "11"}),
        fingerprint(1, {"a": 1, "b": 2}, {"x": "00", "y": "12"}),
        fingerprint(1, {"a": 1, "b": 2}, {"x": "00"}),
        fingerprint(1, {"a": 1, "b": 2, "x": "00"}, {"y": "11"}),
    ]
    assert len({base, *changed}) == 7
    assert fingerprint(1, [1, 2], {}) != fingerprint(1, [2, 1], {})


def test_nested_inputs_are_named_by_their_place() -> None:
    inputs: Inputs = {
        "split": Path("s"),
        "absent": None,
        "known": [Path("a"), Path("b")],
        "protected": {"valid": Path("v"), "more": {"x": [Path("x")], "none": None}},
        "empty": [],
    }
    assert list(named_paths(inputs)) == [
        ("split", Path("s")),
        ("known/0", Path("a")),
        ("known/1", Path("b")),
        ("protected/valid", Path("v")),
        ("protected/more/x/0", Path("x")),
    ]


class Recorder:
    """A stage that notes what it is handed."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, out: Path, **given: Any) -> None:
        self.calls.append(given)
        (out / "made").write_text("made", encoding="utf-8")


def ensure(root: Path, make: Recorder, inputs: dict[str, Inputs], **options: Any) -> bool:
    stages = Stages(root, Manifest(root / "manifest.json"))
    return stages.ensure(root / "out", make, version=1, inputs=inputs, **options)


def file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stage_is_handed_its_inputs_and_options_and_nothing_else(tmp_path: Path) -> None:
    make, options = Recorder(), Options(rate=0.25)
    inputs: dict[str, Inputs] = {
        "one": file(tmp_path / "one", "1"),
        "none": None,
        "several": {"a": [file(tmp_path / "a", "a")]},
    }
    assert ensure(tmp_path, make, inputs, options=options, seed=7)
    assert make.calls == [{**inputs, "options": options, "seed": 7}]
    entry = Manifest(tmp_path / "manifest.json").stages["out"]
    assert entry.options == {"options": as_json(options), "seed": 7}
    assert sorted(entry.inputs) == ["one", "several/a/0"]


def test_a_changed_option_is_handed_over_and_makes_it_again(tmp_path: Path) -> None:
    make = Recorder()
    for rate, seed, expected in ((0.5, 1, True), (0.5, 1, False), (0.6, 1, True), (0.6, 2, True), (0.6, 2, False)):
        assert ensure(tmp_path, make, {}, options=Options(rate=rate), seed=seed) is expected
    assert [(call["options"].rate, call["seed"]) for call in make.calls] == [(0.5, 1), (0.6, 1), (0.6, 2)]


def test_an_option_that_is_added_or_removed_makes_it_again(tmp_path: Path) -> None:
    make = Recorder()
    assert ensure(tmp_path, make, {}, seed=1)
    assert ensure(tmp_path, make, {}, seed=1, limit=None)
    assert ensure(tmp_path, make, {}, seed=1)
    assert make.calls == [{"seed": 1}, {"seed": 1, "limit": None}, {"seed": 1}]


def test_a_changed_input_is_handed_over_and_makes_it_again(tmp_path: Path) -> None:
    make = Recorder()
    first, second = file(tmp_path / "first", "1"), file(tmp_path / "second", "2")
    same = file(tmp_path / "copy", "1")
    for path, expected in ((first, True), (first, False), (same, False), (second, True)):
        assert ensure(tmp_path, make, {"source": {"x": path}}) is expected
    file(second, "changed")
    assert ensure(tmp_path, make, {"source": {"x": second}})
    assert ensure(tmp_path, make, {"source": {"y": second}}), "another name is another use"
    assert ensure(tmp_path, make, {"source": {"y": second, "z": first}})
    assert [call["source"] for call in make.calls] == [
        {"x": first},
        {"x": second},
        {"x": second},
        {"y": second},
        {"y": second, "z": first},
    ]


def test_an_absent_input_differs_from_a_present_one(tmp_path: Path) -> None:
    make = Recorder()
    assert ensure(tmp_path, make, {"start_from": None})
    assert ensure(tmp_path, make, {"start_from": file(tmp_path / "adapter", "1")})
    assert [call["start_from"] for call in make.calls] == [None, tmp_path / "adapter"]


def test_a_value_that_cannot_be_fingerprinted_never_reaches_a_stage(tmp_path: Path) -> None:
    """It would be read without being part of the fingerprint, so a change to it would go unnoticed."""
    make = Recorder()
    with pytest.raises(TypeError, match="object cannot be fingerprinted"):
        ensure(tmp_path, make, {}, options=object())
    with pytest.raises(TypeError, match="cannot be fingerprinted"):
        ensure(tmp_path, make, {}, path=tmp_path)
    assert make.calls == []
    assert list(tmp_path.iterdir()) == []
