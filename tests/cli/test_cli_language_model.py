"""Runs that ask a language model, up to where they wait for a batch: what is said, and what a resumed run asks."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import Ran, fdd_edge

from fdd_edge import catalog
from fdd_edge.runs import Manifest
from fdd_edge.teachers.language_model._calls import Answered, CallFault, Request, Usage
from fdd_edge.teachers.language_model.teacher_prompts import read_prompts
from fdd_edge.teachers.ledger import Asker, Ledger, default_ledger

MINI = {"base_url": "http://localhost:1/v1", "model": "tiny", "batch": "file"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config whose problems have no programs, so that a model is asked before anything is trained."""
    monkeypatch.chdir(tmp_path)
    who = f"Ana ({tmp_path.name})"  # the ledger is shared, and knows what other tests have asked
    rows = [{"question": f"{who} has {n} pens and buys 2. How many has she?", "answer": n + 2} for n in range(3, 23)]
    Path("pens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = {
        **yaml.safe_load((Path(__file__).parents[1] / "loop/small.yaml").read_text(encoding="utf-8")),
        "data": {"train": [{"path": "pens.jsonl"}], "valid": [{"path": "symbolic:train", "limit": 8}]},
        "teacher": {"rationale": ["mini"], "evolve": "symbolic", "models": {"mini": MINI}},
    }
    Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return tmp_path


def run(**teacher: Any) -> Ran:
    return fdd_edge(
        "run", "mine.yaml", "-o", "run", *(f"--set=teacher.{k}={json.dumps(v)}" for k, v in teacher.items())
    )


def asked() -> set[str]:
    """Return the last message of every request that waits."""
    rows = [json.loads(line) for path in Path("run/batches").iterdir() for line in path.read_text().splitlines()]
    return {row["body"]["messages"][-1]["content"] for row in rows}


def test_waiting_is_not_an_error(folder: Path) -> None:
    ran = run()
    assert (ran.returncode, ran.stdout) == (7, ""), ran.stderr
    assert "20 requests to tiny wait for replies: run/batches/round-00-mini-" in ran.stderr
    assert "Error" not in ran.stderr and "Traceback" not in ran.stderr


def test_a_resumed_run_asks_with_the_texts_that_it_began_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version with another prompt asked, and paid, for everything again."""
    assert run().returncode == 7
    before = asked()
    packaged = shutil.copytree(catalog.shelf_path("configs/prompts"), folder / "prompts")
    for path in (packaged / "teacher").iterdir():
        path.write_text(path.read_text("utf-8") + "Be brief.\n", encoding="utf-8")
    found = catalog.shelf_path
    monkeypatch.setattr(catalog, "shelf_path", lambda s: packaged if s == "configs/prompts" else found(s))
    assert "Be brief." in read_prompts().texts["rationale"]
    assert run().returncode == 7
    assert asked() == before


def test_an_edited_prompt_is_noticed(folder: Path) -> None:
    own = folder / "own"
    own.mkdir()
    (own / "rationale.txt").write_text("Solve: {question}\n{program_rules}", encoding="utf-8")
    assert run(prompts="own").returncode == 7
    before = asked()
    for change in (lambda: (own / "rationale.txt").write_text("{question}"), (own / "rationale.txt").unlink):
        (own / "similar.txt").write_text(read_prompts().texts["similar"], encoding="utf-8")  # as before, in effect
        change()
        ran = run(prompts="own")
        (sentence,) = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
        assert ran.returncode == 2
        assert "own/rationale.txt is not as it was when the run began" in sentence
        assert "restore the file, or choose another run folder." in sentence
    (own / "rationale.txt").write_text("Solve: {question}\n{program_rules}", encoding="utf-8")
    assert run(prompts="own").returncode == 7
    assert asked() == before
    (own / "similar.txt").write_text("Another like {question}", encoding="utf-8")
    assert "own/similar.txt is not as it was when the run began" in run(prompts="own").stderr


def test_a_run_of_an_earlier_version_is_pinned_when_it_is_resumed(folder: Path) -> None:
    assert run().returncode == 7
    manifest = Manifest(Path("run/manifest.json"))
    del manifest.facts["teacher_prompts"]
    manifest.write()
    assert run().returncode == 7
    pinned = Manifest(Path("run/manifest.json")).facts["teacher_prompts"]
    assert pinned == {"own": {}, "packaged": read_prompts().texts}


def test_damaged_texts_are_named(folder: Path) -> None:
    assert run().returncode == 7
    manifest = Manifest(Path("run/manifest.json"))
    cases: list[object] = [[], {"own": {}}, {"own": {}, "packaged": {"system": 5}}]
    for damaged in cases:
        manifest.facts["teacher_prompts"] = damaged
        manifest.write()
        ran = run()
        assert (ran.returncode, "facts.teacher_prompts is" in ran.stderr) == (2, True)


def test_models_that_a_run_does_not_ask_may_change(folder: Path) -> None:
    """A second model in the config was "other settings"."""
    assert run().returncode == 7
    other = {"base_url": "http://localhost:2/v1", "model": "large"}
    assert run(models={"mini": MINI, "large": other}).returncode == 7
    assert run(models={"mini": MINI, "large": {**other, "model": "larger"}}).returncode == 7
    ran = run(models={"mini": {**MINI, "model": "small"}})
    assert ran.returncode == 2 and "teacher.models.mini.model is 'tiny' there, not 'small'" in ran.stderr


def test_what_failed_and_what_waits_is_below_the_table(folder: Path) -> None:
    """Attempts were counted as failed, and nothing said why; nothing said that requests wait."""
    assert run().returncode == 7
    run_id, ledger = Manifest(Path("run/manifest.json")).facts["id"], default_ledger()

    async def ask() -> None:
        async with Ledger(ledger, Asker(run_id, 0, "mini")) as opened:
            for n, reason in enumerate(["timeout", "rate_limited", "rate_limited", None, None]):
                attempt = await opened.reserve("http://localhost:1/v1", "tiny", Request({"n": n}, "rationale", f"p{n}"))
                await opened.sent(attempt)
                if reason is not None:
                    await opened.failed(attempt, CallFault(reason, "a fault"))

    asyncio.run(ask())
    said = " ".join(fdd_edge("ledger", "run").stdout.split())
    assert "failed 2 rate_limited, 1 timeout" in said
    assert "waiting 20 requests wait for a batch" in said
    assert "2 calls were sent" in said and "if asked again, they may have been" in said
    report = json.loads(fdd_edge("ledger", "run", "--json").stdout)
    assert (report["faults"], report["waiting"]) == ({"rate_limited": 2, "timeout": 1}, 20)


def test_money_is_rounded(folder: Path) -> None:
    """0.0017920000000000006 was printed."""
    assert run().returncode == 7
    run_id, usage = Manifest(Path("run/manifest.json")).facts["id"], Usage(1, 0, 1)

    async def ask() -> None:
        async with Ledger(default_ledger(), Asker(run_id, 0, "mini")) as opened:
            for n in range(3):
                attempt = await opened.reserve("http://localhost:1/v1", "tiny", Request({"n": n}, "rationale", f"p{n}"))
                await opened.sent(attempt)
                answered = Answered("x", "stop", usage, "tiny", 0.1)
                await opened.done(attempt, answered, cost=0.0001, price_source="config")

    asyncio.run(ask())
    assert '"cost": 0.0003,' in fdd_edge("ledger", "run", "--json").stdout
