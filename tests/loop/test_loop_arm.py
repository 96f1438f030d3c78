"""The loop judged by an emulated ARM CPU: the split comes from there, and its times are marked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.errors import FddError
from fdd_edge.operations.throughput import Throughput, Work, forecast
from fdd_edge.targets import Profile


@pytest.mark.slow
def test_a_run_whose_split_comes_from_an_emulated_board(pi5: Profile, user_cache: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fdd_edge", "run", "smoke-arm", "-o", str(tmp_path / "run"), "--rounds", "1"]
    environment = os.environ | {"FDD_EDGE_CACHE": user_cache}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "rpi5-emulated: " in ran.stderr
    assert " s per problem, about " in ran.stderr
    assert "measured in the emulator, not on the board" in " ".join(ran.stdout.split())
    place = tmp_path / "run" / "round-00"
    timing = json.loads((place / "eval/rpi5-emulated/gguf-q4_0/pool/timing.json").read_text(encoding="utf-8"))
    assert (timing["target"]["transport"], timing["target"]["machine"]) == ("emulated", "aarch64")
    assert not (place / "eval/local/gguf-q4_0/pool").exists()
    assert sum(json.loads((place / "summary.json").read_text(encoding="utf-8"))["split"].values()) == 24
    assert json.loads((place / "parity/gguf-q4_0.json").read_text(encoding="utf-8"))["target"]["name"] == "local"


def test_a_run_does_not_begin_on_a_target_that_was_not_made(tmp_path: Path) -> None:
    from fdd_edge import api

    with pytest.raises(FddError, match=r"rpi5-emulated is not ready .*fdd-edge targets create rpi5-emulated") as error:
        api.run("smoke-arm", output=str(tmp_path / "run"))
    assert error.value.exit_code == 6
    assert not (tmp_path / "run").exists()


def test_the_forecast_says_which_limit_fits_an_hour() -> None:
    assert forecast("pi", Throughput(2.0, 0.0, 1), Work((50, 50), 300, 1, 64)) == (
        "pi: 2.0 s per problem, about 13 min per round for 100 reported and 300 labelled problems in waves of 64."
    )
    assert forecast("pi", Throughput(20.0, 0.0, 1), Work((50, 50), 300, 2, 64)).endswith(
        "about 3 h 53 min per round for 100 reported and 300 labelled problems in waves of 64. "
        "In a new run, feedback.limit=40 would bring a round below an hour."
    )
    assert forecast("pi", Throughput(60.0, 0.0, 1), Work((100,), 0, 1, 64)).endswith(
        "The reported sets alone take 1 h 40 min: limit valid and eval."
    )


def test_the_forecast_knows_that_a_wave_is_one_runners() -> None:
    """A hundred problems in waves of 64 keep two of eight runners busy; eight times the pace was promised."""
    pace = Throughput(10.0, 5.0, 8)
    assert pace.duration(100, 64) == 5 + 64 * 10
    assert pace.duration(100, 4) == 5 + 16 * 10
    assert Throughput(10.0, 5.0, 1).duration(100, 64) == 5 + 100 * 10
