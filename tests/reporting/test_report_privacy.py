"""What a report does not tell to strangers: passwords, keys, and where files lie; and no text is without end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from reported import Made, made_run

from fdd_edge import report
from fdd_edge.reporting.private_text import shareable, without_folders, without_secrets
from fdd_edge.runs import RunLayout

CONFIG = """
teacher:
  models:
    - {model: x, base_url: "https://u:p@ss/w@h/v1?api_key=SECRETQ", api_key: sk-LIT}
    - {model: y, base_url: "https://h/v1?token=SECRETT&n=SECRETN", api_key: "${MINE}"}
    - {model: z, headers: {Authorization: SECRETH}}
prompts: {own: /home/somebody/prompts/mine.txt}
"""


@pytest.mark.parametrize("form", ["html", "md"])
def test_no_password_key_or_folder_gets_into_a_report(form: str, tmp_path: Path) -> None:
    made = Made(rounds=1, config=CONFIG, student="/home/somebody/models/mine", text=" http://q:SEC@RET/2@x ")
    runs = [made_run(tmp_path / "a", made), made_run(tmp_path / "b", replace(made, config=""))]
    for chosen in (runs[:1], runs):
        text = report(chosen, tmp_path / f"report.{form}").path.read_text()
        for secret in ("ss/w", "SECRET", "sk-LIT", "somebody", "RET/2"):
            assert secret not in text, secret
        assert "${MINE}" in text
        assert "mine.txt" in text
        assert "mine, distilled in 1 round" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see http://me:s3cret@h:1/v1 and a@b", "see http://***@h:1/v1 and a@b"),
        ("https://u:p@ss/w@h/v1", "https://***@h/v1"),
        ("https://u:p?ss#w@h/v1?a=b", "https://***@h/v1?a=***"),
        ("https://h/v1?user=a@b&token=x", "https://***@b&token=***"),
        ("https://h/v1?sk-1", "https://h/v1?***"),
        ("https://h/#access_token=x", "https://h/#access_token=***"),
        ("https://h/v1", "https://h/v1"),
        ("is 7 // 2 = 3? a = 10//3", "is 7 // 2 = 3? a = 10//3"),
    ],
)
def test_addresses_lose_users_and_queries(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_keys_of_a_config_are_masked_unless_they_are_in_the_environment() -> None:
    config = {"api_key": "sk", "hub_token": ["a"], "password": {"x": 1}, "eos_token": "</s>", "max_tokens": 5}
    shown = {"api_key": "***", "hub_token": ["***"], "password": {"x": "***"}, "eos_token": "</s>", "max_tokens": 5}
    assert shareable(config) == shown
    assert shareable("${NAME}", key="teacher.api_key") == "${NAME}"
    assert shareable("sk", key="teacher.api_key") == "***"
    assert shareable("x${NAME}", key="api_key") == "***"


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/home/me/x", "x"), ("~/x/", "x"), ("C:\\me\\x", "x"), ("runs/mine", "runs/mine"), ("owner/name", "owner/name")],
)
def test_absolute_paths_lose_their_folders(path: str, shown: str) -> None:
    assert without_folders(path) == shown


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_report_stays_small_whatever_is_how_long(form: str, tmp_path: Path) -> None:
    """A student with a very long name made a report of 12 MB."""
    long = "&" * 400_000
    run = RunLayout(made_run(tmp_path / "run", Made(rounds=2, student=long, config=f"notes: {'x' * 400_000}\n")))
    summary = json.loads(run.round(1).summary.read_text())
    summary["held_back"] = summary["gates"] = [long]
    summary["rejected"] = summary["curation"][0]["rejected"] = {f"{n} {long[:99]}": 1 for n in range(9000)}
    run.round(1).summary.write_text(json.dumps(summary))
    run.best.unlink()
    assert report(run.root, tmp_path / f"report.{form}").bytes < 1_000_000
