"""A run that was killed, ran out of disk, lost its runner, or was damaged ends like one that was left alone.

``--faults N`` (default 3; ``make stress`` takes 30) says how many faults of each kind there are. Their stages are drawn
by a fixed seed: every kind of stage comes before any comes twice, and every stage before one does. Up to three faults
happen to the run of ``small.yaml``, which has the same kinds of stages as the smoke run; more happen to the smoke run.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from commands import Ran, fdd_edge
from shared import Shared
from smoke import digests
from warm import WarmPython

from fdd_edge.runs import Manifest

pytestmark = pytest.mark.slow

FEW = 3
DRIVER, SMALL = Path(__file__).with_name("faults.py"), Path(__file__).with_name("small.yaml")
RESUME = "Finished work is kept; the same command resumes from there."

Keys = dict[str, Any]


class Whole(NamedTuple):
    """A finished run that nothing happened to: its folder, and its command without the folder."""

    out: Path
    command: tuple[str, ...]

    def stages(self) -> list[str]:
        return list(Manifest(self.out / "manifest.json").stages)

    def with_faults(self, out: Path, faults: Sequence[Keys]) -> list[str]:
        """Return the arguments of Python that start or resume this run in another folder, with faults."""
        return [str(DRIVER), json.dumps(faults), *self.command, "-o", str(out)]


@pytest.fixture(scope="session")
def faults(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--faults"))


@pytest.fixture(scope="session")
def one_round(faults: int, warm: WarmPython, shared: Shared, request: pytest.FixtureRequest) -> Whole:
    """The run for faults to which a second round adds nothing."""
    if faults > FEW:
        return Whole(request.getfixturevalue("smoke").out, ("run", "smoke"))
    request.getfixturevalue("tiny_student")
    command = ("run", str(SMALL), "--rounds", "1")

    def make(folder: Path) -> None:
        ran = warm.run(["-m", "fdd_edge", *command, "-o", folder / "run"])
        assert ran.returncode == 0, ran.stderr

    return Whole(shared.folder("one-round", make) / "run", command)


@pytest.fixture(scope="session")
def two_rounds(one_round: Whole, faults: int, warm: WarmPython, shared: Shared) -> Whole:
    if faults > FEW:
        return one_round
    command = ("run", str(SMALL), "--rounds", "2")

    def make(folder: Path) -> None:
        out = shutil.copytree(one_round.out, folder / "run", symlinks=True)
        ran = warm.run(["-m", "fdd_edge", *command, "-o", out])
        assert ran.returncode == 0, ran.stderr

    return Whole(shared.folder("two-rounds", make) / "run", command)


Hurt = Callable[[Whole, Path, Sequence[Keys]], Ran]


@pytest.fixture
def hurt(warm: WarmPython) -> Hurt:
    """Start or resume a run in a folder, and let faults happen to it."""
    return lambda whole, out, faults: warm.run(whole.with_faults(out, faults))


def kind_of(stage: str) -> str:
    """Return a stage without its round, and without which of the quantized files it is of."""
    return re.sub(r"gguf-q\w+", "gguf-q", re.sub(r"^round-\d+", "round", stage))


def draw(whole: Whole, n: int, *, seed: int, wanted: Callable[[str], bool] = lambda stage: True) -> list[str]:
    """Return n stages of the run in its order: every kind before any comes twice, every stage before one does."""
    rng = random.Random(seed)
    stages = [stage for stage in whole.stages() if wanted(stage)]
    turns: dict[str, int] = {}
    shuffled: list[tuple[int, int, str]] = []
    for stage in rng.sample(stages, len(stages)):
        turns[kind_of(stage)] = turns.get(kind_of(stage), -1) + 1
        shuffled.append((turns[kind_of(stage)], len(shuffled), stage))
    order = [stage for _, _, stage in sorted(shuffled)]
    drawn = sorted((order[number % len(order)] for number in range(n)), key=stages.index)
    assert len({kind_of(stage) for stage in drawn}) == min(n, len(turns))
    return drawn


def moment_in(stage: str, whole: Whole, rng: random.Random) -> str | float:
    """Return when in a stage something happens: half of the times in the midst of the work."""
    seconds = Manifest(whole.out / "manifest.json").stages[stage].seconds
    return rng.choice(("begun", "written", "placed")) if rng.random() < 0.5 else rng.uniform(0, seconds)


def assert_whole(out: Path, whole: Whole) -> None:
    """What is in its place is what it should be, and nothing is there that should not."""
    assert digests(out).items() <= digests(whole.out).items()


def assert_ends_equal(out: Path, whole: Whole) -> None:
    ran = fdd_edge(*whole.command, "-o", out)
    assert ran.returncode == 0, ran.stderr
    assert digests(out) == digests(whole.out)
    assert [p for p in out.rglob(".*") if p.name != ".gitattributes"] == []


def assert_one_sentence(ran: Ran, code: int, *parts: str) -> None:
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    last = ran.stderr.splitlines()[-1]
    for part in parts:
        assert part in last, ran.stderr


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line past pytest: a long test says how far it is."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")
            sys.stdout.flush()

    return write


def happened(ran: Ran, fault: str) -> str:
    """Return the line by which a fault says where it happened."""
    lines = [line for line in ran.stderr.splitlines() if line.startswith(f"{fault} in ")]
    assert lines, ran.stderr
    return lines[0]


def test_killed_in_stage_after_stage(
    two_rounds: Whole, faults: int, hurt: Hurt, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """Each kill hits a later stage than the one before, so every one is followed by a resume through its own stage."""
    out, rng = tmp_path / "run", random.Random(7)
    for stage in draw(two_rounds, faults, seed=7):
        ran = hurt(
            two_rounds,
            out,
            [{"fault": "signal", "number": 9, "stage": stage, "moment": moment_in(stage, two_rounds, rng)}],
        )
        tell(f"SIGKILL, a {happened(ran, 'signal')}")
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        assert_whole(out, two_rounds)
    assert_ends_equal(out, two_rounds)


def test_asked_to_stop_it_says_how_to_go_on(
    one_round: Whole, faults: int, hurt: Hurt, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    out, rng = tmp_path / "run", random.Random(8)
    for turn, stage in enumerate(draw(one_round, faults, seed=8)):
        number = (signal.SIGTERM, signal.SIGINT)[turn % 2]
        ran = hurt(
            one_round,
            out,
            [{"fault": "signal", "number": number, "stage": stage, "moment": moment_in(stage, one_round, rng)}],
        )
        tell(f"{number.name}, a {happened(ran, 'signal')}")
        assert_one_sentence(ran, 130, "Interrupted.", RESUME)
        assert_whole(out, one_round)
    assert_ends_equal(out, one_round)


def test_a_disk_that_is_full_at_any_stage(
    one_round: Whole, faults: int, hurt: Hurt, small_disk: Path, tell: Callable[[str], None]
) -> None:
    """The stage finds room for a part of what it writes; once there is room again, the same command goes on."""
    out, filler, rng = small_disk / "run", small_disk / "filler", random.Random(9)
    for stage in draw(one_round, faults, seed=9):
        made = one_round.out / stage
        files = [made] if made.is_file() else [p for p in made.rglob("*") if p.is_file()]
        room = int(rng.uniform(0, 0.9) * sum(p.stat().st_size for p in files))
        ran = hurt(one_round, out, [{"fault": "full", "stage": stage, "filler": str(filler), "room": room}])
        tell(f"{happened(ran, 'full')}: {ran.stderr.splitlines()[-1]}")
        assert_one_sentence(ran, 2, "No space left on device", "Free some space; finished work is kept")
        assert_whole(out, one_round)
        filler.unlink()
    assert_ends_equal(out, one_round)


def test_a_runner_that_dies_of_a_signal(
    one_round: Whole, faults: int, hurt: Hurt, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """The fault is the target's; the waves it had finished stay."""
    out, rng = tmp_path / "run", random.Random(10)
    with_runner = re.compile(r"/eval/|/parity/gguf")
    for stage in draw(one_round, faults, seed=10, wanted=lambda stage: with_runner.search(stage) is not None):
        number = rng.choice([signal.SIGSEGV, signal.SIGKILL, signal.SIGBUS, signal.SIGILL])
        job = rng.randrange(3) if stage.endswith("/pool") else 0
        ran = hurt(one_round, out, [{"fault": "runner", "stage": stage, "number": number, "job": job}])
        tell(f"runner in {stage}: {ran.stderr.splitlines()[-1]}")
        assert_one_sentence(ran, 6, number.name)
        assert_whole(out, one_round)
    assert_ends_equal(out, one_round)


def damage(output: Path, rng: random.Random) -> str:
    """Do to an output what a bad disk or a careless hand does; return what."""
    files = [output] if output.is_file() else sorted(p for p in output.rglob("*") if p.is_file())
    path = max(files, key=lambda p: p.stat().st_size)
    content = path.read_bytes()
    what = rng.choice(["a byte turned", "cut short", "gone"])
    match what:
        case "a byte turned":
            at = rng.randrange(len(content))
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        case "cut short":
            path.write_bytes(content[: rng.randrange(len(content))])
        case _:
            path.unlink()
    return what


def test_outputs_damaged_between_two_runs_are_found_and_made_again(
    two_rounds: Whole, faults: int, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    out, rng = Path(shutil.copytree(two_rounds.out, tmp_path / "run", symlinks=True)), random.Random(11)
    hit = draw(two_rounds, faults, seed=11, wanted=lambda stage: (two_rounds.out / stage).exists())
    done = {stage: damage(out / stage, rng) for stage in hit}
    for stage, what in done.items():
        tell(f"damage in {stage}: {what}")
    before = Manifest(out / "manifest.json").stages
    ran = fdd_edge(*two_rounds.command, "-o", out)
    assert ran.returncode == 0, ran.stderr
    for stage in hit:
        assert f"{stage} is made again" in ran.stderr, stage
        assert (out / stage).is_file() == (two_rounds.out / stage).is_file(), stage
    assert digests(out) == digests(two_rounds.out)
    again = Manifest(out / "manifest.json").stages
    timed = re.compile(r"/eval/|/parity/|/adapter$")
    assert {n: e.output_sha256 for n, e in again.items() if not timed.search(n)} == {
        n: e.output_sha256 for n, e in before.items() if not timed.search(n)
    }
    for number in (0, 1):
        weights = f"round-{number:02d}/adapter/adapter_model.safetensors"
        assert (out / weights).read_bytes() == (two_rounds.out / weights).read_bytes()


def test_a_second_process_on_the_run_is_turned_away(
    one_round: Whole, faults: int, hurt: Hurt, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """It names the first, and the first does not notice."""
    out, report = tmp_path / "run", tmp_path / "report"
    hit = draw(one_round, faults, seed=12)
    ran = hurt(one_round, out, [{"fault": "second", "stage": stage, "report": str(report)} for stage in hit])
    assert ran.returncode == 0, ran.stderr
    second = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert len(second) == len(hit)
    for stage, (code, stderr) in zip(hit, second, strict=True):
        tell(f"second process in {stage}: {stderr.splitlines()[-1]}")
        assert code == 2
        assert re.fullmatch(
            rf"Error: {re.escape(str(out))} is in use by process \d+; wait for it, or stop it\.", stderr.strip()
        )
    assert_ends_equal(out, one_round)


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that shifts the clock of every process that preloads it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("clock.c")], check=True
    )
    return library


def test_a_clock_that_jumps(
    one_round: Whole, faults: int, clock: Path, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """Back by years and ahead again while it runs, and between two runs: no time of day decides anything."""
    out, offset, rng = tmp_path / "run", tmp_path / "offset", random.Random(13)
    offset.write_text("0", encoding="ascii")
    hit = draw(one_round, faults, seed=13)
    clocks: list[Keys] = [
        {"fault": "clock", "stage": stage, "file": str(offset), "to": rng.choice((-1, 1)) * rng.randrange(1, 10**9)}
        for stage in hit
    ]
    jumping = {"LD_PRELOAD": str(clock), "CLOCK_OFFSET": str(offset)}
    half = len(clocks) // 2

    def hurt(faults: Sequence[Keys]) -> Ran:
        """Start Python anew, because the library must be loaded before it."""
        command = [sys.executable, *one_round.with_faults(out, faults)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | jumping)

    killed = hurt([*clocks[:half], {"fault": "signal", "number": 9, "stage": hit[half]}])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ran = hurt(clocks[half:])
    for keys in clocks:
        tell(f"clock in {keys['stage']}: {keys['to'] / 86400:+.0f} days")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("clock in ") == len(clocks) - half
    assert digests(out) == digests(one_round.out)
    assert_ends_equal(out, one_round)
