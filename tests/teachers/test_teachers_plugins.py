"""Teachers of other packages, named as ``module:Class``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.ondevice.language import run_program
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Draft, load_teacher, load_writer

TEACHER = '''
from fdd_edge.teachers import Declined, Draft


class Doubler:
    """Doubles numbers."""

    name = "doubler"
    writes_problems = True

    def __init__(self, factor=2):
        self.factor = factor

    async def rationale(self, problems):
        return [Declined(problem.id, self.name, "not_a_double") for problem in problems]

    async def complexify(self, problems, *, per_problem, seed):
        return [[Draft(f"What is {self.factor} * {p.answer}?", f"answer = {self.factor} * {p.answer}",
                       self.factor * p.answer)] for p in problems]

    similar = complexify


class Reader(Doubler):
    name, writes_problems = "reader", False


class NeedsKey(Doubler):
    def __init__(self, key):
        self.key = key


class NotAsync(Doubler):
    def rationale(self, problems):
        return []


class Nothing:
    name = "nothing"


tripler = Doubler(3)
'''


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, text: str = TEACHER) -> None:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    return write


def fault(name: str) -> str:
    with pytest.raises(FddError) as caught:
        load_teacher(name)
    return str(caught.value)


@pytest.mark.parametrize(("attribute", "factor"), [("Doubler", 2), ("tripler", 3)])
def test_a_class_or_an_object_of_another_package_is_a_teacher(
    attribute: str, factor: int, write_module: Callable[..., None]
) -> None:
    write_module("plugin_teacher")
    teacher = load_writer(f"plugin_teacher:{attribute}")
    problem = Problem("p", "What is 3?", 3, "test")
    assert asyncio.run(teacher.rationale([problem])) == [Declined("p", "doubler", "not_a_double")]
    assert asyncio.run(teacher.similar([problem], per_problem=1, seed=0)) == [
        [Draft(f"What is {factor} * 3?", f"answer = {factor} * 3", factor * 3)]
    ]


def test_a_teacher_that_writes_no_problems_is_not_a_writer(write_module: Callable[..., None]) -> None:
    write_module("plugin_reader")
    assert load_teacher("plugin_reader:Reader").name == "reader"
    with pytest.raises(FddError, match="'plugin_reader:Reader' writes programs but no new problems; these do: symbo"):
        load_writer("plugin_reader:Reader")


def test_a_module_that_does_not_exist() -> None:
    assert fault("no_such_package.teachers:Mine") == (
        "The teacher 'no_such_package.teachers:Mine' cannot be loaded: there is no module 'no_such_package'. "
        "Install the package that contains it, or set PYTHONPATH to the folder it is in."
    )


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("plugin_dependency", "import no_such_dependency\n", "ModuleNotFoundError: No module named 'no_such_dependenc"),
        ("plugin_syntax", "def x(:\n", "SyntaxError: "),
    ],
)
def test_a_module_that_cannot_be_imported(name: str, text: str, why: str, write_module: Callable[..., None]) -> None:
    write_module(name, text)
    start = f"The teacher '{name}:Mine' cannot be loaded: importing {name} failed with {why}"
    assert fault(f"{name}:Mine").startswith(start)


def test_an_attribute_that_does_not_exist(write_module: Callable[..., None]) -> None:
    write_module("plugin_typo")
    assert fault("plugin_typo:Dubler") == (
        "The teacher 'plugin_typo:Dubler' cannot be loaded: the module plugin_typo has no 'Dubler'. "
        "Did you mean 'Doubler'?"
    )


def test_an_object_that_is_not_a_teacher_is_refused_with_what_one_needs(write_module: Callable[..., None]) -> None:
    write_module("plugin_wrong")
    needed = (
        "A teacher has name and writes_problems, and the async methods rationale, complexify and similar; "
        "see docs/plugins.md."
    )
    assert fault("plugin_wrong:Nothing") == (
        "'plugin_wrong:Nothing' is not a teacher: it has no writes_problems, rationale, complexify, similar. " + needed
    )
    assert fault("plugin_wrong:NotAsync") == (
        "'plugin_wrong:NotAsync' is not a teacher: rationale must be declared with async def. " + needed
    )
    assert fault("plugin_wrong:NeedsKey") == (
        "The teacher 'plugin_wrong:NeedsKey' cannot be constructed without arguments: missing a required argument: "
        "'key'. Give every argument a default, or name an object of the class instead."
    )


@pytest.mark.parametrize("name", ["plugin:", ":Mine", "my-package:Mine", "a:b:c", "a..b:C"])
def test_a_name_that_is_not_module_and_attribute(name: str) -> None:
    assert fault(name) == (
        f"{name!r} does not name a teacher; write module:attribute, such as mypackage.mymodule:MyClass."
    )


def test_the_example_of_the_docs_works(write_module: Callable[..., None]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class SumTeacher" in block)
    write_module("sums", example)
    teacher = load_writer("sums:SumTeacher")
    sum_, story = Problem("p", "What is 3 + 4?", 7, "test"), Problem("q", "Tom has 3 figs.", 3, "test")
    assert asyncio.run(teacher.rationale([sum_, story])) == [
        "answer = 3 + 4",
        Declined("q", "sums", "not_a_sum"),
    ]
    for write in (teacher.complexify, teacher.similar):
        (drafts,) = asyncio.run(write([sum_], per_problem=2, seed=0))
        assert not isinstance(drafts, Declined)
        assert [run_program(draft.program) for draft in drafts] == [draft.answer for draft in drafts]
        assert len(drafts) == 2
