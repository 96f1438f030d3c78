"""The cross-check with lm-evaluation-harness: both are asked the same, both replies end at the same text."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.evaluation import ScoredReply
from fdd_edge.ondevice.judging import judge

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cross_check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))  # as when the script itself is run
    return import_module("benchmarks.cross_check")


@pytest.fixture
def word_problems() -> ModuleType:
    return import_module("benchmarks.lm_eval.word_problems")


def row(text: str, *, unfinished: bool = False, gold: int = 7) -> ScoredReply:
    """Return a reply as ``fdd-edge eval --answer number`` stores it."""
    found = judge(text, unfinished=unfinished, answer="number")
    completion = ScoredReply(
        "p", 0, text, found.program, found.answer, found.verdict, 9, 200, "0" * 16, question="How many?", gold=gold
    )
    return completion.judged()


def test_the_tasks_end_replies_as_the_benchmark_says(cross_check: ModuleType) -> None:
    task = (ROOT / "benchmarks" / "lm_eval" / "_word_problems.yaml").read_text(encoding="utf-8")
    assert re.findall(r"until: (.*)", task) == [json.dumps([cross_check.STOP])]
    assert re.findall(r"max_gen_toks: (.*)", task) == [str(cross_check.TOKENS)]
    asked = re.findall(r"doc_to_text: (.*)", task)[0]
    prompt = (ROOT / "benchmarks" / "lm_eval" / "prompt.txt").read_text(encoding="utf-8")
    assert json.loads(asked).replace("{{question}}", "{question}") == prompt


@pytest.mark.parametrize(
    ("text", "unfinished", "reply", "flags"),
    [
        # Right, stopped, unfinished, right if it is read.
        (" 3 + 4 = 7", False, " 3 + 4 = 7", (True, False, False, True)),
        (" 7\nQuestion: What is 8?\nAnswer: 8", False, " 7\n", (True, True, False, True)),
        (" 7\nQuestion: What is 8?\nAnswer: 8", True, " 7\n", (True, True, False, True)),
        (" 5\nQuestion: What is 7?\nAnswer: 7", True, " 5\n", (False, True, False, False)),
        (" it is 7, so", True, " it is 7, so", (False, False, True, True)),
        (" it is 8, so", True, " it is 8, so", (False, False, True, False)),
        ("Question: 7", True, "", (False, True, False, False)),
    ],
)
def test_a_reply_ends_where_the_harness_ends_it_and_is_judged_again(
    cross_check: ModuleType, text: str, unfinished: bool, reply: str, flags: tuple[bool, ...]
) -> None:
    """Ours went on with further questions to the limit, and counted as not solved whatever it had answered."""
    item = cross_check.ours_at_the_stop(row(text, unfinished=unfinished))
    assert item.question == "How many?"
    assert item.reply == reply
    assert (item.is_right, item.is_stopped, item.is_unfinished, item.is_right_if_read) == flags


def theirs(cross_check: ModuleType, reply: str, right: bool) -> Any:
    return cross_check.Item("How many?", reply, right)


def test_each_kind_of_disagreement_is_counted_apart(cross_check: ModuleType) -> None:
    """Replies that were cut counted as read differently: one rule was compared with another."""
    pairs = [
        (row(" 7"), theirs(cross_check, " 7", True)),
        (row(" 7\nQuestion: 9", unfinished=True), theirs(cross_check, " 7", True)),
        (row(" it is 7, so", unfinished=True), theirs(cross_check, " it is 7, so", True)),
        (row(" it is 8, so", unfinished=True), theirs(cross_check, " it is 7, so", True)),
        (row(" 8"), theirs(cross_check, " 7", True)),
        (row(" The answer is 7. 8 were there."), theirs(cross_check, " The answer is 7. 8 were there.", False)),
        (row(" 8"), theirs(cross_check, " 9", False)),
    ]
    ours = [cross_check.ours_at_the_stop(one) for one, _ in pairs]
    table, *listed = cross_check.compare("mine", ours, [other for _, other in pairs])
    # Problems; right, ours and the harness's; same reply; cut at the next question, at the limit; the three kinds.
    assert table == "| mine | 7 | 3 | 5 | 4 | 1 | 2 | 1 | 2 | 1 |"
    assert [re.match(r"- mine (\d), ([a-z ]+), right for ([a-z -]+):", line).groups() for line in listed] == [  # type: ignore[union-attr]
        ("2", "cut at the limit", "the harness"),
        ("3", "another reply", "the harness"),
        ("4", "another reply", "the harness"),
        ("5", "read differently", "fdd-edge"),
    ]


def test_questions_are_compared_as_they_were_asked(cross_check: ModuleType) -> None:
    """White space was collapsed before, so that other prompts passed for the same ones."""
    ours = [cross_check.Item("How  many?", "7", True)]
    with pytest.raises(FddError, match="mine: the two asked different problems"):
        cross_check.compare("mine", ours, [cross_check.Item("How many?", "7", True)])


def test_what_the_harness_logged_is_read_in_the_order_of_the_problems(cross_check: ModuleType, tmp_path: Path) -> None:
    logged = [
        {"doc_id": n, "doc": {"question": f"{n}?"}, "resps": [[f" {n}\nQuestion: 5"]], "solved": n % 2} for n in (1, 0)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in logged), encoding="utf-8")
    assert cross_check.read_samples(path) == [
        cross_check.Item("0?", " 0\n", False),
        cross_check.Item("1?", " 1\n", True),
    ]


FILES = {
    "gsm8k": (
        "gsm8k.jsonl",
        '{"question": " Ann has 3  pens.\\nHow  many? ", "answer": "1 + 2 = 3\\n#### 3"}\n'
        '{"question": "Bob?", "answer": "#### 1,200"}\n',
    ),
    "svamp": (
        "svamp.json",
        '[{"ID": "1", "Body": " Ann has 3  pens", "Question": "How  many ?", "Answer": 3.0},'
        ' {"ID": "2", "Body": "Ann has 3 pens.", "Question": "How many?", "Answer": 4.5}]',
    ),
    "asdiv": (
        "asdiv.xml",
        "<?xml version='1.0'?><Machine-Reading-Corpus-File><ProblemSet>"
        "<Problem ID='1' Grade='1'><Body>Ann has 3\n pens.</Body><Question>How many?</Question>"
        "<Solution-Type>Sum</Solution-Type><Answer>3 (pens)</Answer><Formula>1+2=3</Formula></Problem>"
        "<Problem ID='2' Grade='1'><Body>Ann has 3 pens.</Body><Question>Whose are they?</Question>"
        "<Solution-Type>None</Solution-Type><Answer>Ann's</Answer><Formula></Formula></Problem>"
        "</ProblemSet></Machine-Reading-Corpus-File>",
    ),
    "multiarith": (
        "multiarith.json",
        '[{"iIndex": 1, "sQuestion": " Ann has 3  pens. How many? ", "lSolutions": [3.0], "lEquations": ["X=1+2"]}]',
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_harness_asks_what_our_readers_ask(word_problems: ModuleType, name: str, tmp_path: Path) -> None:
    """It asked 163 of 660 questions of GSM8K with other white space, so with another prompt."""
    file, text = FILES[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    ours = [(one.question, one.answer) for one in read_dataset(tmp_path / file, name=name).problems]
    assert [(one["question"], one["answer"]) for one in word_problems.rows_of(name, text)] == ours
    assert ours


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3.0), (" 1,200 ", 1200.0), ("3 (pens)", 3.0), (".5", 0.5), ("-2", -2.0), ("3 pens", None), ("", None)],
)
def test_a_number_is_read_with_its_unit_in_brackets(word_problems: ModuleType, text: str, number: float | None) -> None:
    assert word_problems.one_number(text) == number


@pytest.mark.parametrize(
    ("found", "solved"), [("7", 1), ("$7.", 1), ("7.0005", 1), ("7.01", 0), ("8", 0), ("[invalid]", 0), ("1.2.3", 0)]
)
def test_the_last_number_is_scored(word_problems: ModuleType, found: str, solved: int) -> None:
    assert word_problems.process_results({"answer": 7.0}, [found]) == {"solved": solved}
