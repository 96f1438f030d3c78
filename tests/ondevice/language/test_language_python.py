"""What Python itself says of thousands of random programs, and what other versions of Python say of a reply.

``FDD_EDGE_TEST_PROGRAMS`` is the number of programs and of replies, ``FDD_EDGE_TEST_SEED`` where they begin.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from random_programs import random_program
from random_replies import random_reply

from fdd_edge.ondevice import language
from fdd_edge.ondevice.language import Outcome, judge_reply, last_number, marked_number

COUNT = int(os.environ.get("FDD_EDGE_TEST_PROGRAMS", "2000"))
FIRST = int(os.environ.get("FDD_EDGE_TEST_SEED", "0"))

# The programs are this test's own, so that Python may run them.
RUN_AS_PYTHON = r"""
import contextlib, io, json, signal, sys, warnings
warnings.simplefilter("ignore")
def stop(*_): raise TimeoutError
signal.signal(signal.SIGALRM, stop)
told = []
for source in json.load(sys.stdin):
    shown, names, raised = io.StringIO(), {"__name__": "__main__"}, None
    signal.alarm(5)
    try:
        with contextlib.redirect_stdout(shown):
            exec(compile(source, "<program>", "exec"), names)
    except BaseException as error:
        raised = type(error).__name__
    signal.alarm(0)
    answer = names.get("answer")
    told.append([raised, shown.getvalue(), repr(answer) if isinstance(answer, (int, float)) else None])
json.dump(told, sys.stdout)
"""
JUDGE = r"""
import json, sys
sys.path.insert(0, sys.argv[1])
from ondevice.language import judge_reply, last_number, marked_number
judged = [[o.program, repr(o.answer), o.verdict and str(o.verdict), repr(last_number(text)), repr(marked_number(text))]
          for text in json.load(sys.stdin) for o in [judge_reply(text)]]
json.dump(judged, sys.stdout)
"""
NUMBER = re.compile(r"[-+]?[0-9][0-9,_]*(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?(?!\w)")


class Told(NamedTuple):
    """What Python made of a program: the exception, what was printed, and the variable ``answer``."""

    raised: str | None
    shown: str
    answer: str | None

    def numbers(self) -> list[float]:
        shown = [float(text.replace(",", "").replace("_", "")) for text in NUMBER.findall(self.shown)]
        return shown + ([] if self.answer in (None, "True", "False") else [float(str(self.answer))])


def run(code: str, texts: Sequence[str], *arguments: str, python: str = sys.executable) -> Any:
    ran = subprocess.run(
        [python, "-c", code, *arguments],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return json.loads(ran.stdout)


def pythons() -> list[Path]:
    """The Pythons of other versions from 3.11 on that this machine has."""
    places = [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *Path.home().glob(".pyenv/versions/*/bin")]
    found: dict[str, Path] = {}
    for place in places:
        for path in place.glob("python3.*"):
            version = path.name.removeprefix("python3.")
            if version.isdigit() and int(version) >= 11 and int(version) != sys.version_info.minor:
                works = (
                    subprocess.run([path, "-c", "import unicodedata"], capture_output=True, check=False).returncode == 0
                )
                if works:
                    found.setdefault(version, path)
    return sorted(found.values())


def problem_with(told: Told, outcome: Outcome) -> str | None:
    """Say in what the language and Python differ; no answer is always allowed here."""
    if outcome.answer is None:
        return None
    if told.raised is not None:
        return f"Python raises {told.raised}, the language answers {outcome.answer}"
    numbers = told.numbers()
    if numbers and float(outcome.answer) not in numbers:
        return f"Python says {told.shown!r} and {told.answer}, the language {outcome.answer}"
    return None


def test_random_programs_say_what_python_says() -> None:
    programs = [random_program(seed) for seed in range(FIRST, FIRST + COUNT)]
    all_told = [Told(*row) for row in run(RUN_AS_PYTHON, programs)]
    outcomes = [judge_reply(program) for program in programs]
    found = [
        f"seed {FIRST + i}: {problem}\n{programs[i]}"
        for i, pair in enumerate(zip(all_told, outcomes, strict=True))
        # A name on the last line is the answer, but Python shows it only when it is typed in.
        if (problem := problem_with(*pair)) and not programs[i].rpartition("\n")[2].isidentifier()
    ]
    assert not found, "\n\n".join(found[:5])
    compared = sum(o.answer is not None and bool(t.numbers()) for t, o in zip(all_told, outcomes, strict=True))
    assert compared > COUNT // 4, Counter(outcome.detail[:40] for outcome in outcomes).most_common(5)


def test_lines_that_python_runs_have_its_very_answer() -> None:
    """Lines that end in an answer are the language itself: nothing of them may be refused."""
    programs = [random_program(seed, plain=True) for seed in range(FIRST, FIRST + COUNT)]
    for program, row in zip(programs, run(RUN_AS_PYTHON, programs), strict=True):
        told, outcome = Told(*row), judge_reply(program)
        if told.raised or told.answer in ("True", "False", "inf", "-inf", "nan"):
            assert outcome.verdict in ("error", "limit"), program
        elif outcome.verdict != "limit" and "complex" not in outcome.detail and "root" not in outcome.detail:
            assert repr(outcome.answer) == told.answer, program


def test_no_reply_raises() -> None:
    seen: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + 2 * COUNT):
        reply = random_reply(seed)
        outcome = judge_reply(reply)
        assert (outcome.answer is None) == (outcome.verdict is not None), reply
        last_number(reply)
        marked_number(reply)
        seen[str(outcome.verdict)] += 1
    assert len(seen) == 5, seen  # an answer, and each verdict that a finished reply may have


# Forms that one version of Python reads and another does not, or that are to go.
FORMS = [
    'x = 5\nanswer = x\nprint(f"{"a"}")',
    "x = 5\nanswer = x\nprint(f'{x\n}')",
    "x = 5\nanswer = x\nprint(f'{x!r:{\"^\"}{10}}')",
    "x = 5\nanswer = x\nprint(f'{'\\n'}')",
    "x = 5\nanswer = x\nprint(f'''{\nx # five\n}''')",
    "x = 5\nanswer = x\nprint(f'{x:}}}')",
    "x = 5\nanswer = x\nprint(f'{*[x],}')",
    "x = 5\nanswer = x\nprint(t'{x}')",
    "type X = int\nanswer = 5",
    "def f[T](x=5):\n    return x\nprint(f())",
    "class A[T]:\n    pass\nanswer = 5",
    "try:\n    answer = 5\nexcept TypeError, ValueError:\n    pass",
    "answer = 1if 2 else 3",
    "answer = 5 if 0x1for x in y else 3",
    "answer = 1or 2",
    "answer = 5\nprint(f'{1if 2 else 3}')",
    "answer = 5\nprint('\\N{DIGIT ONE}')",
    "x\u30fb = 5\nanswer = x\u30fb",
    "\U00031350 = 5\nanswer = \U00031350",
]


@pytest.mark.parametrize("reply", FORMS)
def test_a_form_of_some_versions_is_python_in_none(reply: str) -> None:
    outcome = judge_reply(reply)
    assert (outcome.verdict, outcome.program) == ("no_program", None)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("answer = 5\nprint('\\d \\$5 \\_')", 5),
        ("answer = 5\nprint(f'\\${answer}')", 5),
        ("'''\\d'''\nanswer = 5", 5),
        ("answer = 5\nprint(r'\\N{DIGIT ONE} \\d')", 5),
        ("answer = 5\nprint(f'{answer!r:}' + f'{{answer}}' + f'{answer == 5}')", 5),
        ("answer = 5\nprint(f'{answer == 5} {answer!r} {answer:.2f}' f\"{'of'}\")", 5),
        ("größe = 5\nanswer = größe", 5),
        ("数 = 5\nanswer = 数", 5),
        ("answer = 0x1f + 1e3 + 1_000 + .5 + 1.", 2032.5),
        ("answer = 0xe+1", 15),
        ("type = 5\nmatch = 2\nanswer = type * match", 10),
    ],
)
def test_what_every_version_reads_is_kept(reply: str, answer: float | None) -> None:
    assert judge_reply(reply).answer == answer


@pytest.mark.skipif(not pythons(), reason="needs another Python from 3.11 on")
@pytest.mark.parametrize("python", pythons(), ids=lambda path: str(path.name))
def test_every_version_of_python_judges_alike(python: Path) -> None:
    lines = Path(__file__).with_name("conformance.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [json.loads(line)["reply"] for line in lines if line] + FORMS
    texts += [random_reply(seed) for seed in range(FIRST, FIRST + COUNT // 2)]
    package = str(Path(language.__file__).parents[2])
    theirs = run(JUDGE, texts, package, python=str(python))
    for text, other, own in zip(texts, theirs, run(JUDGE, texts, package), strict=True):
        assert other == own, text
