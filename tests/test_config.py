"""Configs: every fault at once, each with its path; nothing secret written back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fdd_edge import catalog
from fdd_edge.config import changed_keys, load_config, parse_config
from fdd_edge.errors import FddError

MINIMAL = {
    "student": {"model_name_or_path": "tiny"},
    "data": {"train": [{"path": "symbolic:train"}]},
    "output_dir": "runs/x",
}


def write(tmp_path: Path, content: object) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def fault_of(tmp_path: Path, content: object, *overrides: str) -> str:
    with pytest.raises(FddError) as error:
        load_config(write(tmp_path, content), overrides)
    return str(error.value)


@pytest.mark.parametrize("name", catalog.names("configs"))
def test_every_shipped_config_is_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_DATA", "/somewhere")
    config, _ = load_config(name)
    assert config.data.eval
    assert config.rounds >= 2 or name in ("quantization", "symbolic-smollm2")


def test_dropout_has_no_place_in_a_merged_weight() -> None:
    """Quantization-aware training once passed lora_dropout over in silence."""
    overrides = ["training.quantization_aware=gguf-q4_0", "lora.lora_dropout=0.1"]
    with pytest.raises(FddError, match=r"which has no place for lora\.lora_dropout"):
        load_config("smoke", overrides)


def test_there_are_shipped_configs() -> None:
    assert {"smoke", "quickstart", "gsm8k-smollm2"} <= set(catalog.names("configs"))


def test_unknown_key_names_the_near_one(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"limt": 3}})
    assert "feedback.limt: unknown key. Did you mean 'limit'?" in fault


def test_unknown_key_inside_a_list(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"data": {"train": [{"path": "a", "fromat": "gsm8k"}]}})
    assert "data.train.0.fromat: unknown key. Did you mean 'format'?" in fault


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    fault = fault_of(
        tmp_path, MINIMAL | {"rounds": "many", "lora": {"r": 0}, "student": {}, "output_dir": "${FDD_TEST_NOT_SET}/x"}
    )
    assert "4 faults" in fault
    for part in ("rounds", "lora.r", "student.model_name_or_path: missing", "FDD_TEST_NOT_SET is not set"):
        assert part in fault


def test_wrong_type_shows_what_was_given(tmp_path: Path) -> None:
    assert "not 'many'" in fault_of(tmp_path, MINIMAL | {"rounds": "many"})


def test_judge_must_be_exported_and_its_target_used(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"artifact": "gguf-q6_k", "target": "pi"}})
    assert "feedback.artifact 'gguf-q6_k' is not among export.recipes" in fault
    assert "feedback.target 'pi' is not among targets" in fault


def test_bands_must_not_cross(tmp_path: Path) -> None:
    assert "hard_at must be below easy_at" in fault_of(
        tmp_path, MINIMAL | {"feedback": {"easy_at": 0.2, "hard_at": 0.5}}
    )


def test_two_sets_of_one_name(tmp_path: Path) -> None:
    data = {"train": [{"path": "a"}], "eval": [{"path": "x/a.json"}, {"path": "y/a.json"}]}
    assert "eval names a twice" in fault_of(tmp_path, MINIMAL | {"data": data})


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"train": [{"path": "a/t.jsonl"}, {"path": "b/t.jsonl"}]}, "train names t twice"),
        (
            {"train": [{"path": "a"}], "eval": [{"path": "x/valid.jsonl"}]},
            "eval names valid, which means",
        ),
        ({"train": [{"path": "a"}], "eval": [{"path": "x/pool.jsonl"}]}, "eval names pool, which means"),
        ({"train": [{"path": "a"}], "eval": [{"path": "x/.jsonl"}]}, "eval holds a path that gives no name"),
        ({"train": [{"path": "symbolic:heldout"}]}, "symbolic:heldout is for eval only"),
    ],
)
def test_names_of_sets_that_would_collide_in_a_run(tmp_path: Path, data: object, fault: str) -> None:
    assert fault in fault_of(tmp_path, MINIMAL | {"data": data})


def test_sampling_needs_a_temperature(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"samples": 4}, "decoding": {"temperature": 0}})
    assert "needs a decoding.temperature above 0" in fault


def test_override_puts_a_key_in(tmp_path: Path) -> None:
    config, source = load_config(write(tmp_path, MINIMAL), ["feedback.limit=7", "export.recipes=[gguf-q4_0]"])
    assert config.feedback.limit == 7
    assert source["export"]["recipes"] == ["gguf-q4_0"]


@pytest.mark.parametrize("override", ["feedback.limit", "=3", "student.model_name_or_path.x=3"])
def test_a_bad_override_is_one_sentence(tmp_path: Path, override: str) -> None:
    assert "--set" in fault_of(tmp_path, MINIMAL, override)


def test_environment_is_resolved_but_not_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_TEST_SECRET", "/private/place")
    config, source = load_config(write(tmp_path, MINIMAL | {"output_dir": "${FDD_TEST_SECRET}/run"}))
    assert config.output_dir == "/private/place/run"
    assert source["output_dir"] == "${FDD_TEST_SECRET}/run"


def test_a_missing_config_names_the_shipped_ones() -> None:
    with pytest.raises(FddError, match=r"Did you mean 'smoke'\?"):
        load_config("smoek")


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", ""])
def test_what_is_no_config_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FddError) as error:
        load_config(str(path))
    assert "\n" not in str(error.value)


def test_a_run_is_extended_by_more_and_by_nothing_else() -> None:
    old = parse_config(MINIMAL, "old")
    more = parse_config(
        MINIMAL
        | {
            "rounds": 3,
            "export": {"recipes": ["gguf-q4_0", "gguf-q8_0", "gguf-f16"]},
            "data": {"train": [{"path": "symbolic:train"}], "eval": [{"path": "symbolic:heldout"}]},
            "output_dir": "elsewhere",
        },
        "more",
    )
    assert changed_keys(old, more) == {}
    assert list(changed_keys(more, old)) == ["data.eval", "export.recipes", "rounds"]
    other = parse_config(MINIMAL | {"seed": 5, "lora": {"r": 4}}, "other")
    assert changed_keys(old, other) == {"lora.r": (16, 4), "seed": (0, 5)}
    few, fewer = (
        parse_config(MINIMAL | {"data": {"train": [{"path": "symbolic:train", "limit": n}]}}, "few") for n in (9, 8)
    )
    assert changed_keys(few, fewer) == {"data.train.0.limit": (9, 8)}
    none = parse_config(MINIMAL | {"data": {"train": [{"path": "symbolic:train"}, {"path": "mine.jsonl"}]}}, "none")
    was, now = changed_keys(few, none)["data.train"]
    assert (was, now[1]) == ([{"path": "symbolic:train", "limit": 9}], {"path": "mine.jsonl"})
