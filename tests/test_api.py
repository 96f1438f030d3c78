"""The package from Python: arguments, results, and a model held open."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from smoke import Finished

import fdd_edge
from fdd_edge import Result, RunResult, api
from fdd_edge.errors import FddError

QUESTIONS = ["What is 2 + 3?", "Ann has 4 pens and 6 cups. How many?"]
PROBLEMS = [{"question": question, "answer": 5} for question in QUESTIONS]


def children() -> set[str]:
    """Return the ids of this process's children."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split())


def test_every_name_of_the_package_exists() -> None:
    assert {name: getattr(fdd_edge, name) for name in fdd_edge.__all__}
    assert set(api.__all__) <= set(fdd_edge.__all__)
    assert issubclass(fdd_edge.ParityError, fdd_edge.FddError)


def test_importing_the_package_is_instant() -> None:
    heavy = {"torch", "transformers", "numpy", "pydantic", "yaml", "click", "rich"}
    code = f"import sys, fdd_edge; fdd_edge.FddError; print(sorted(set(sys.modules) & {heavy!r}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_question_about_a_file_begins_without_what_finds_students_and_runs(tiny_gguf: Path) -> None:
    """`solve` imported configs, students, data sets and certificates, and took 1.2 times as long to begin."""
    others = ("torch", "config", "curation", "data", "parity", "students", "teachers", "pipeline", "resolve.student")
    program = (
        "import sys\n"
        "from fdd_edge import api\n"
        "api.solve(sys.argv[1], '2 + 3?', max_new_tokens=1)\n"
        f"print([name for name in {others!r} if name in sys.modules or f'fdd_edge.{{name}}' in sys.modules])\n"
    )
    command = [sys.executable, "-c", program, str(tiny_gguf)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_many_questions_share_one_process(tiny_gguf: Path) -> None:
    """`solve` in a loop started a process and read the file for every question."""
    before = children()
    with fdd_edge.load(tiny_gguf, max_new_tokens=6) as model:
        (runner,) = children() - before
        alone = [model.solve(question) for question in QUESTIONS]
        together = model.solve_many(QUESTIONS)
        assert children() - before == {runner}
    assert [one.text for one in together] == [one.text for one in alone]
    assert children() <= before
    with pytest.raises(FddError, match=r"is closed; load it again"):
        model.solve("?")
    model.close()  # a second time is fine
    assert "closed" in repr(model)


def test_an_interrupted_model_ends_at_once(tiny_gguf: Path) -> None:
    """The first Ctrl-C of `solve` was lost while the runner was busy: it was asked for its totals, and waited for."""
    before = children()
    with pytest.raises(KeyboardInterrupt), fdd_edge.load(tiny_gguf, max_new_tokens=2):
        (runner,) = children() - before
        os.kill(int(runner), signal.SIGSTOP)  # it answers nothing any more
        raise KeyboardInterrupt
    assert children() <= before


def test_a_model_whose_answer_was_interrupted_is_closed(tiny_gguf: Path) -> None:
    """The answer to the one question would have been taken for that to the next."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = children()
    model = fdd_edge.load(tiny_gguf, max_new_tokens=2)
    (runner,) = children() - before
    os.kill(int(runner), signal.SIGSTOP)
    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            model.solve("2 and 2?")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert children() <= before
    with pytest.raises(FddError, match="is closed; load it again"):
        model.solve("2 and 2?")


def test_a_held_model_refuses_empty_questions(tiny_gguf: Path) -> None:
    with fdd_edge.load(str(tiny_gguf), max_new_tokens=2) as model:
        with pytest.raises(FddError, match="The question is empty"):
            model.solve(" ")
        with pytest.raises(FddError, match="list of questions"):
            model.complete("2 and 2?")
        assert len(model.complete(["2 and 2?"])) == 1


def test_problems_may_be_a_list_and_paths_may_be_paths(tiny_gguf: Path, tmp_path: Path) -> None:
    """A Path was an AttributeError, a list a TypeError."""
    result = fdd_edge.evaluate(tiny_gguf, PROBLEMS, max_new_tokens=4, output=tmp_path / "out")
    assert (result.n, len(result.rows)) == (2, 2)
    assert {"path": "rows", "limit": None, "n": 2}.items() <= result.data.items()
    assert fdd_edge.evaluate(tiny_gguf, PROBLEMS, limit=1, max_new_tokens=4).n == 1
    kept = [row.problem_id for row in result.rows]
    assert len(set(kept)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, r"limit: must be at least 1, not 0"),
        ({"answer": "letter"}, r"answer must be 'program', 'number' or 'last-number', not 'letter'"),
        ({"max_new_tokens": 0}, r"max_new_tokens: must be at least 1, not 0"),
        ({"batch_size": 1000}, r"batch_size: must be at most 256, not 1000"),
        ({"num_fewshot": -1}, r"num_fewshot must be a non-negative integer, not -1"),
        ({"target": "cuda"}, r"There is no target 'cuda'"),
        ({"prompt": "plian"}, r"The prompt 'plian' is not plain, chat, or an existing file"),
    ],
)
def test_arguments_are_checked_before_anything_starts(arguments: dict[str, Any], message: str, tiny_gguf: Path) -> None:
    """`limit=0` ran all 500 problems, and an unknown `answer` failed in the runner."""
    before = children()
    with pytest.raises(FddError, match=message):
        fdd_edge.evaluate(tiny_gguf, PROBLEMS, **arguments)
    assert children() <= before


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "The list of problems is empty"), ([1], "must be a dict"), ([{"question": "?"}], "answer")],
)
def test_broken_rows_are_named(rows: list[Any], message: str, tiny_gguf: Path) -> None:
    with pytest.raises(FddError, match=message):
        fdd_edge.evaluate(tiny_gguf, rows)


def test_a_row_is_named_by_its_number(tiny_gguf: Path) -> None:
    """The message named a temporary file that was gone."""
    with pytest.raises(FddError, match=r"^problem 2 lacks the field 'answer'"):
        fdd_edge.evaluate(tiny_gguf, [*PROBLEMS[:1], {"question": "?"}])


@pytest.mark.parametrize(
    "call", [lambda gguf: fdd_edge.bench(gguf, threads=-3), lambda gguf: fdd_edge.export(gguf, [], "x")]
)
def test_more_arguments_are_checked(call: Any, tiny_gguf: Path) -> None:
    """They ended in a ProtocolError and in an IndexError."""
    with pytest.raises(FddError, match=r"threads: must be at least 1|Name at least one recipe"):
        call(tiny_gguf)


def test_old_argument_names_work_with_a_warning(tiny_gguf: Path) -> None:
    with pytest.warns(FutureWarning, match="sequences is now called batch_size"):
        result = api.evaluate(tiny_gguf, PROBLEMS, max_new_tokens=2, sequences=1)  # type: ignore[call-arg]
    assert result.n == 2


def test_results_are_frozen_and_show_themselves(tiny_gguf: Path) -> None:
    result = fdd_edge.evaluate(tiny_gguf, PROBLEMS, max_new_tokens=2)
    assert isinstance(result, Result)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.n = 3  # type: ignore[misc]
    assert len(repr(result)) < 120
    assert result.to_dict()["artifact"]["path"] == str(tiny_gguf)
    assert "<table>" in result._repr_html_()
    solution = fdd_edge.solve(tiny_gguf, "<b>2</b> and 2?", max_new_tokens=4)
    assert repr(solution).startswith("Solution(answer=")
    assert "<b>" not in solution._repr_html_()


def test_a_missing_pandas_says_how_to_install_it(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = fdd_edge.evaluate(tiny_gguf, PROBLEMS, max_new_tokens=2)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FddError, match="pip install pandas"):
        result.to_pandas()


def test_one_recipe_may_be_a_string(tiny_student: Any, tmp_path: Path) -> None:
    """It was read as a list of letters: there is no recipe named 'g'."""
    (made,) = fdd_edge.export(tiny_student.folder, "gguf-q8_0", tmp_path / "out", parity=False)
    assert (made.recipe, made.path) == ("gguf-q8_0", tmp_path / "out" / "gguf-q8_0" / "model.gguf")
    assert made.to_dict()["bytes"] == made.bytes


@pytest.mark.slow
def test_a_run_is_opened_with_its_rounds(smoke: Finished) -> None:
    run = fdd_edge.load_run(smoke.out)
    assert [one.number for one in run.rounds] == [0, 1]
    last = run.rounds[-1]
    assert last.accuracies["local", "gguf-q8_0", "valid"] == last.accuracy
    assert sorted(last.artifacts) == ["gguf-f32", "gguf-q4_0", "gguf-q8_0"]
    assert run.best is not None
    assert run.to_dict()["best"] == run.best.number
    assert "accuracy on valid" in run._repr_html_()
    with pytest.raises(FddError, match="is not a run"):
        fdd_edge.load_run(smoke.out / "round-00")


@pytest.mark.slow
def test_a_run_folder_is_resumed_where_it_lies(
    smoke: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a copied run, or one from another folder, a new run began at the config's own output_dir."""
    copied = smoke.copy(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert fdd_edge.run(copied).path == copied
    assert sorted(path.name for path in tmp_path.iterdir()) == [copied.name]


@pytest.mark.slow
def test_a_round_that_does_not_exist_is_not_looked_for_on_the_hub(smoke: Finished, tmp_path: Path) -> None:
    with pytest.raises(FddError, match="is a run without 'round-07'"):
        fdd_edge.export(smoke.out / "round-07", "gguf-q8_0", tmp_path / "out")


@pytest.mark.slow
def test_a_config_may_be_a_dict_and_everything_works_in_a_running_loop(smoke: Finished, tmp_path: Path) -> None:
    """In Jupyter, `run` ended in a RuntimeError of asyncio after all the work."""
    source = {
        "student": {"model_name_or_path": "tiny", "dtype": "float32"},
        "data": {"train": [{"path": "symbolic:train", "limit": 20}], "valid": [{"path": "symbolic:train", "limit": 3}]},
        "training": {"threads": 1, "max_tokens": 500},
        "export": {"recipes": ["gguf-q8_0"]},
        "decoding": {"max_new_tokens": 8, "threads": 1},
        "feedback": {"artifact": "gguf-q8_0", "limit": 4},
        "rounds": 1,
    }

    async def notebook() -> RunResult:
        fdd_edge.evolve(smoke.out / "round-00" / "split", tmp_path / "evolved")
        return fdd_edge.run(source, output=tmp_path / "run", parity=False)

    run = asyncio.run(notebook())
    assert [one.number for one in run.rounds] == [0]
    assert run.path == tmp_path / "run"


def test_doctor_and_ls_are_functions() -> None:
    assert {check.what for check in fdd_edge.doctor()} >= {"python", "cpu", "disk"}
    assert "gguf-q4_0" in fdd_edge.ls().recipes


def test_an_argument_by_both_names_is_an_error(tiny_gguf: Path) -> None:
    """The old name's value silently replaced the new one's."""
    with pytest.raises(TypeError, match=r"^shots is the old name of num_fewshot, which is also given; remove one\.$"):
        fdd_edge.solve(tiny_gguf, "What is 2 + 3?", num_fewshot=1, shots=2)  # type: ignore[call-arg]


def test_options_of_a_data_set_do_not_apply_to_a_list(tiny_gguf: Path) -> None:
    """They were passed over in silence."""
    with pytest.raises(FddError, match="`split` does not apply to a list of problems"):
        fdd_edge.evaluate(tiny_gguf, PROBLEMS, split="test")


def test_what_a_list_skips_is_reported(tiny_gguf: Path) -> None:
    rows: list[dict[str, Any]] = [*PROBLEMS, {"question": "How many?", "answer": "a few"}]
    result = fdd_edge.evaluate(tiny_gguf, rows, max_new_tokens=2)
    assert result.n == 2
    assert result.skipped == [{"set": "rows", "item": "problem 3", "reason": "not numeric: 'a few'"}]


GONE, ROWS = "gone", [{"question": "How many?", "answer": 1, "program": "answer = 1"}]
"""A path that does not exist, and problems that may stand for any."""

CALLS: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
    "run": (fdd_edge.run, {"config": "smoke", "output": GONE}),
    "validate": (fdd_edge.validate, {"config": GONE}),
    "plan": (fdd_edge.plan, {"config": GONE}),
    "load_run": (fdd_edge.load_run, {"path": GONE}),
    "train": (fdd_edge.train, {"config": "smoke", "data": ROWS, "output": GONE, "valid": ROWS}),
    "export": (
        fdd_edge.export,
        {"model": GONE, "recipes": "gguf-q8_0", "output": GONE, "prompts": ROWS, "prompt": "plain"},
    ),
    "certify": (fdd_edge.certify, {"artifact": GONE, "reference": GONE, "target": "local", "output": GONE}),
    "verify": (fdd_edge.verify, {"path": GONE, "reference": GONE}),
    "evaluate": (
        fdd_edge.evaluate,
        {"artifact": GONE, "data": ROWS, "target": "local", "output": GONE, "prompt": "plain"},
    ),
    "evaluate_all": (
        fdd_edge.evaluate_all,
        {"artifacts": GONE, "data": GONE, "target": "local", "output": GONE, "prompt": "plain"},
    ),
    "rows": (
        fdd_edge.rows,
        {"path": GONE, "verdict": "wrong", "label": "lost", "dataset": "valid", "n": 1, "against": GONE},
    ),
    "compare": (lambda path: fdd_edge.compare(path, GONE), {"path": GONE}),
    "report": (fdd_edge.report, {"runs": GONE, "output": GONE, "format": "html"}),
    "split": (fdd_edge.split, {"problems": GONE, "answers": GONE, "output": GONE, "float_answers": GONE}),
    "evolve": (fdd_edge.evolve, {"split": GONE, "output": GONE}),
    "ledger": (fdd_edge.ledger, {"run": GONE}),
    "import_replies": (fdd_edge.import_replies, {"results": GONE}),
    "bench": (fdd_edge.bench, {"artifact": GONE, "target": "local", "prompt": "plain"}),
    "load": (fdd_edge.load, {"model": GONE, "target": "local", "prompt": "plain"}),
    "solve": (fdd_edge.solve, {"model": GONE, "question": "How many?", "target": "local"}),
    "doctor": (fdd_edge.doctor, {"target": "local"}),
    "list_runs": (fdd_edge.list_runs, {"folder": GONE}),
}
"""Every function of the API with the arguments that are paths, names or problems."""


@pytest.mark.parametrize("wrong", [5, b"bytes", [1, 2], [None]], ids=repr)
@pytest.mark.parametrize(("function", "argument"), [(name, key) for name, (_, given) in CALLS.items() for key in given])
def test_an_argument_of_the_wrong_type_is_refused_by_name(
    function: str, argument: str, wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ended in a TypeError from somewhere inside, some after all the work."""
    monkeypatch.chdir(tmp_path)
    call, given = CALLS[function]
    with pytest.raises(FddError):
        call(**given | {argument: wrong})
    assert list(tmp_path.iterdir()) == []


def test_every_function_is_asked_with_wrong_arguments() -> None:
    assert {*CALLS, "ls", "cache_info", "clean_cache"} == set(api.__all__)


@pytest.mark.parametrize("samples", [0, 65, "a", 1.5, True])
def test_a_number_of_samples_is_a_whole_number(samples: object, tiny_gguf: Path) -> None:
    with pytest.raises(FddError, match=r"samples must be an integer from 1 to 64, not"):
        fdd_edge.evaluate(tiny_gguf, ROWS, samples=samples, temperature=0.7)  # type: ignore[arg-type]
    with pytest.raises(FddError, match=r"samples must be an integer from 1 to 64, not"):
        fdd_edge.solve(tiny_gguf, "How many?", samples=samples, temperature=0.7)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [float("inf"), float("nan"), -1.0])
def test_a_temperature_is_a_finite_number(temperature: float, tiny_gguf: Path) -> None:
    with pytest.raises(FddError, match=r"temperature: must be "):
        fdd_edge.evaluate(tiny_gguf, ROWS, samples=2, temperature=temperature)


def test_samples_without_a_temperature_are_refused(tiny_gguf: Path) -> None:
    """They would all be the same reply."""
    said = r"At temperature 0, all 4 replies would be the same; give a temperature"
    with pytest.raises(FddError, match=said):
        fdd_edge.evaluate(tiny_gguf, ROWS, samples=4)
    with pytest.raises(FddError, match=said):
        fdd_edge.solve(tiny_gguf, "How many?", samples=4)


def test_several_samples_are_different_replies_and_the_majority_is_the_answer(tiny_gguf: Path) -> None:
    solution = fdd_edge.solve(
        tiny_gguf, "How many?", prompt="plain", max_new_tokens=8, answer="last-number", samples=6, temperature=2.0
    )
    assert len({reply.text for reply in solution.replies}) > 1
    answers = [reply.answer for reply in solution.replies if reply.answer is not None]
    assert solution.agreed == max(map(answers.count, answers), default=0)
    assert solution.answer == max(answers, key=answers.count, default=None)
    assert solution.to_dict()["samples"] == 6


def test_an_evaluation_with_samples_has_votes_and_another_seed_gives_other_replies(tiny_gguf: Path) -> None:
    def texts(seed: int) -> list[str]:
        result = fdd_edge.evaluate(
            tiny_gguf, ROWS, prompt="plain", max_new_tokens=8, samples=3, temperature=2.0, seed=seed
        )
        assert result.votes is not None
        assert (result.votes.samples, result.votes.problems, result.n) == (3, len(ROWS), 3 * len(ROWS))
        assert result.to_dict()["votes"]["majority"]["correct"] == result.votes.majority.correct
        return [row.text for row in result.rows]

    assert texts(0) == texts(0) != texts(1)


@pytest.mark.parametrize("threads", [0, "2", 1.5, True])
@pytest.mark.parametrize("function", ["train", "export", "certify", "evaluate", "solve"])
def test_threads_are_a_whole_number(function: str, threads: object) -> None:
    call, given = CALLS[function]
    with pytest.raises(FddError, match=r"threads: must be "):
        call(**given | {"threads": threads})


@pytest.mark.parametrize("seed", [-1, "a", 1.5, True])
def test_a_seed_is_a_whole_number(seed: object, tiny_gguf: Path) -> None:
    with pytest.raises(FddError, match=r"seed must be a non-negative integer, not"):
        fdd_edge.evaluate(tiny_gguf, ROWS, seed=seed)  # type: ignore[arg-type]


def test_a_single_override_may_be_a_string(tmp_path: Path) -> None:
    """It was taken for a list of characters: "'k' is not KEY=VALUE"."""
    with pytest.raises(FddError, match=r"keep: "):
        fdd_edge.run("smoke", output=tmp_path / "run", overrides="keep=nothing")
