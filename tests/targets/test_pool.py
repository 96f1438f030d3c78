"""One data set shared by several boards: real servers on loopback, and what happens when one dies."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sshd

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.protocol import Completion, Decoding, Score, Settings, Task
from fdd_edge.operations.bench import measure
from fdd_edge.targets import Profile, Session, TargetRuntime, load_profile, open_session, plan_waves

SETTINGS = Settings(Decoding(8, batch_size=2, threads=1))
WAVES = plan_waves([Task(f"p{i}", 0, f"{i} and {i}?") for i in range(24)], 2)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[sshd.Server]]:
    folder = tmp_path_factory.mktemp("pool")
    with sshd.serve(folder / "a") as a, sshd.serve(folder / "b") as b:
        yield [a, b]


def make_pool(servers: list[sshd.Server], tmp_path: Path) -> Profile:
    """Return a pool with one board per server; the profiles of the boards are next to its own."""
    for server, name in zip(servers, ("pi-a", "pi-b"), strict=True):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(server.profile(tmp_path / name)))
    path = tmp_path / "pis.yaml"
    path.write_text(json.dumps({"transport": "pool", "pool": ["./pi-a.yaml", "./pi-b.yaml"]}))
    return load_profile(str(path))


def rows(session: Session) -> list[Completion]:
    results = sorted(session.complete(WAVES), key=lambda result: result.index)
    return [row for result in results for row in result.completions]


def alone(artifact: Path) -> list[Completion]:
    with open_session(load_profile("local"), artifact, settings=SETTINGS) as session:
        return rows(session)


def kept(home: Path) -> int:
    return len(list((home / "waves").glob("*.json")))


def test_two_boards_share_the_waves_and_answer_as_one(
    servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path
) -> None:
    counted: list[int] = []
    with open_session(make_pool(servers, tmp_path), tiny_gguf, settings=SETTINGS) as session:
        results = sorted(session.complete(WAVES, counted.append), key=lambda result: result.index)
    assert [row for result in results for row in result.completions] == alone(tiny_gguf)
    assert counted[-1] == 24
    assert kept(tmp_path / "pi-a") > 0
    assert kept(tmp_path / "pi-b") > 0
    assert kept(tmp_path / "pi-a") + kept(tmp_path / "pi-b") == len(WAVES)
    assert session.totals.problems == 24


@pytest.mark.parametrize("lie", ["another problem", "fewer", "a verdict", "an answer"])
def test_a_board_that_lies_is_left_out(
    servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path, lie: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a board says was believed: replies to other problems, and `correct` where only the host knows the gold."""
    pool = make_pool(servers, tmp_path)
    with open_session(load_profile(str(tmp_path / "pi-a.yaml")), tiny_gguf, settings=SETTINGS) as session:
        rows(session)
    for path in (tmp_path / "pi-a" / "waves").glob("*.json"):
        event = json.loads(path.read_text().partition("\n")[2])
        reply = event["completions"][0]
        if lie == "fewer":
            event["completions"].pop()
        else:
            reply |= {
                "another problem": {"problem_id": "p77"},
                "a verdict": {"verdict": "correct", "answer": 5},
                "an answer": {"verdict": None, "answer": 5},
            }[lie]
        line = json.dumps(event)
        path.write_text(f"{hashlib.sha256(line.encode()).hexdigest()}\n{line}")
    with open_session(pool, tiny_gguf, settings=SETTINGS) as session:
        assert rows(session) == alone(tiny_gguf)
    said = capsys.readouterr().err
    assert "The runner answered falsely while decoding wave" in said
    assert "Continuing without it." in said


def test_a_dead_boards_waves_are_taken_over(
    servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_session(make_pool(servers, tmp_path), tiny_gguf, settings=SETTINGS) as session:
        os.kill(int((tmp_path / "pi-a" / "lock").read_text()), signal.SIGKILL)
        assert rows(session) == alone(tiny_gguf)
    assert "killed by SIGKILL" in capsys.readouterr().err
    assert kept(tmp_path / "pi-b") >= len(WAVES) - 1


def test_scored_texts_come_in_their_order(servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path) -> None:
    texts = [Score(f"t{i}", "1+1?", "1+1?", (5 + i, 6, 7), (8, 9, 10)) for i in range(12)]
    with open_session(load_profile("local"), tiny_gguf, settings=SETTINGS) as session:
        expected = list(session.score(texts))
    counted: list[int] = []
    with open_session(make_pool(servers, tmp_path), tiny_gguf, settings=SETTINGS) as session:
        assert list(session.score(texts, counted.append)) == expected
    assert counted[-1] == len(texts)


def test_a_board_that_cannot_be_reached_is_left_out(
    servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = make_pool(servers, tmp_path)
    away = json.loads((tmp_path / "pi-a.yaml").read_text()) | {"host": "nobody.invalid"}
    (tmp_path / "pi-a.yaml").write_text(json.dumps(away))
    with open_session(pool, tiny_gguf, settings=SETTINGS) as session:
        assert rows(session) == alone(tiny_gguf)
    assert "Cannot connect to pi-a (nobody.invalid)" in capsys.readouterr().err


def test_the_first_board_that_answers_is_measured(servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path) -> None:
    """A run on a pool whose first board was away used to fail after training, when its files are measured."""
    pool = make_pool(servers, tmp_path)
    away = json.loads((tmp_path / "pi-a.yaml").read_text()) | {"host": "nobody.invalid"}
    (tmp_path / "pi-a.yaml").write_text(json.dumps(away))
    assert measure(tiny_gguf, runtime=TargetRuntime(pool, "gguf")).target == "pi-b"
    assert len(pool.pool) == 2


def test_no_board_left_is_the_targets_fault(servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path) -> None:
    with (
        pytest.raises(TargetError, match="killed by SIGKILL") as error,
        open_session(make_pool(servers, tmp_path), tiny_gguf, settings=SETTINGS) as session,
    ):
        for name in ("pi-a", "pi-b"):
            os.kill(int((tmp_path / name / "lock").read_text()), signal.SIGKILL)
        rows(session)
    assert error.value.exit_code == 6


def test_boards_that_differ_cannot_form_a_pool(servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path) -> None:
    pool = make_pool(servers, tmp_path)
    other = tmp_path / "python"
    site = next(path for path in sys.path if path.endswith("site-packages"))
    code = "import platform, runpy, sys; platform.machine = lambda: 'riscv64'; sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    other.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} -c "{code}" "$@"\n')
    other.chmod(0o755)
    (tmp_path / "pi-b" / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "pi-b" / "venv" / "bin" / "python3").symlink_to(other)
    with (
        pytest.raises(TargetError, match=r"must be identical, but their machine differs: .*riscv64"),
        open_session(pool, tiny_gguf, settings=SETTINGS),
    ):
        pass


def test_a_broken_file_is_reported_once_and_is_the_users_fault(servers: list[sshd.Server], tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("hello")
    with (
        pytest.raises(FddError, match="is not a GGUF file") as error,
        open_session(make_pool(servers, tmp_path), path, settings=SETTINGS),
    ):
        pass
    assert error.value.exit_code == 2


def test_an_interrupt_ends_every_runner(servers: list[sshd.Server], tmp_path: Path, tiny_gguf: Path) -> None:
    pool = make_pool(servers, tmp_path)
    with pytest.raises(KeyboardInterrupt), open_session(pool, tiny_gguf, settings=SETTINGS):
        raise KeyboardInterrupt
    with open_session(pool, tiny_gguf, settings=SETTINGS) as session:  # no runner holds a board any more
        assert rows(session) == alone(tiny_gguf)
