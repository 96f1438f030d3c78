"""Configs: every fault at once, each with its path; nothing secret written back."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from fdd_edge import catalog, renames
from fdd_edge.config import Config
from fdd_edge.config_file import changed_keys, load_config, parse_config
from fdd_edge.errors import FddError
from fdd_edge.progress import show_on_stderr
from fdd_edge.students.training_options import MixOptions

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
    monkeypatch.setenv("FDD_BANK", "/somewhere/bank.jsonl")
    config, _ = load_config(name)
    assert config.data.eval
    assert config.rounds >= 2 or name in ("hyperparameters", "quantization", "symbolic-smollm2")


def test_dropout_cannot_be_applied_to_a_merged_weight() -> None:
    """Quantization-aware training once ignored lora_dropout without a word."""
    overrides = ["training.quantization_aware=gguf-q4_0", "lora.lora_dropout=0.1"]
    with pytest.raises(
        FddError, match=r"lora\.lora_dropout: must be 0, because training\.quantization_aware rounds merged weights"
    ):
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
    assert "4 errors" in fault
    for part in ("rounds", "lora.r", "student.model_name_or_path: missing", "FDD_TEST_NOT_SET is not set"):
        assert part in fault


def lines_of(fault: str) -> list[str]:
    return [line.removeprefix("  - ") for line in fault.splitlines()[1:]]


def test_a_broken_key_does_not_hide_the_checks_of_others(tmp_path: Path) -> None:
    """One bad field of `feedback` hid that its bands cross; the bands' own fields are needed for that check."""
    feedback = {"limit": 0, "easy_at": 0.2, "hard_at": 0.5, "artifact": "gguf-q6_k", "target": "pi"}
    bands = "feedback: hard_at (0.5) must be lower than easy_at (0.2), both between 0 and 1"
    assert lines_of(fault_of(tmp_path, MINIMAL | {"feedback": feedback})) == [
        "feedback.limit: must be at least 1, not 0",
        bands,
        "feedback.artifact: 'gguf-q6_k' is not among export.recipes",
        "feedback.target: 'pi' is not among targets",
    ]
    broken = MINIMAL | {"feedback": feedback | {"easy_at": "x", "hard_at": 0.9}, "export": {"recipes": []}, "rounds": 0}
    assert lines_of(fault_of(tmp_path, broken)) == [
        "export.recipes: needs at least 1",
        "feedback.easy_at: must be a number, not 'x'",
        "feedback.limit: must be at least 1, not 0",
        "rounds: must be at least 1, not 0",
        "feedback.target: 'pi' is not among targets",
    ]


def test_required_keys_that_are_missing_do_not_hide_others(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, {"data": {"train": [{"limit": 3}], "eval": 7}, "feedback": {"target": "pi"}})
    assert lines_of(fault) == [
        "student: missing",
        "data.train.0.path: missing",
        "data.eval: must be a list, not 7",
        "output_dir: missing",
        "feedback.target: 'pi' is not among targets",
    ]


def test_what_does_not_exist_is_listed_with_the_other_errors() -> None:
    source = MINIMAL | {"data": {"train": [{"path": "${FDD_TEST_NOT_SET}/x"}, {"path": "a"}]}, "rounds": 0}
    seen: list[Config] = []

    def find_missing(config: Config) -> list[str]:
        seen.append(config)
        return ["data.train.1: a does not exist."]

    with pytest.raises(FddError) as error:
        parse_config(source, "mine", find_missing)
    assert lines_of(str(error.value)) == [
        "data.train.0.path: the environment variable FDD_TEST_NOT_SET is not set",
        "rounds: must be at least 1, not 0",
        "data.train.1: a does not exist.",
    ]
    assert [dataset.path for dataset in seen[0].data.train] == ["symbolic:train", "a"]
    assert seen[0].rounds == 2


def test_an_unknown_key_without_a_near_one_lists_the_known_ones(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"lora": {"width": 3}})
    assert "lora.width: unknown key. Known: r, lora_alpha, use_rslora, lora_dropout, target_modules." in fault


def test_wrong_type_shows_what_was_given(tmp_path: Path) -> None:
    assert "not 'many'" in fault_of(tmp_path, MINIMAL | {"rounds": "many"})


def test_judge_must_be_exported_and_its_target_used(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"artifact": "gguf-q6_k", "target": "pi"}})
    assert "feedback.artifact: 'gguf-q6_k' is not among export.recipes" in fault
    assert "feedback.target: 'pi' is not among targets" in fault


def test_bands_must_not_cross(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"easy_at": 0.2, "hard_at": 0.5}})
    assert "feedback: hard_at (0.5) must be lower than easy_at (0.2), both between 0 and 1" in fault


def test_two_sets_of_one_name(tmp_path: Path) -> None:
    data = {"train": [{"path": "a"}], "eval": [{"path": "x/a.json"}, {"path": "y/a.json"}]}
    assert "data.eval: several sets are named a;" in fault_of(tmp_path, MINIMAL | {"data": data})


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"train": [{"path": "a/t.jsonl"}, {"path": "b/t.jsonl"}]}, "data.train: several sets are named t;"),
        (
            {"train": [{"path": "a"}], "eval": [{"path": "x/valid.jsonl"}]},
            "data.eval: the name valid is reserved",
        ),
        ({"train": [{"path": "a"}], "eval": [{"path": "x/pool.jsonl"}]}, "data.eval: the name pool is reserved"),
        (
            {"train": [{"path": "a"}], "eval": [{"path": "x/.jsonl"}]},
            "data.eval: no name can be made from the path of a set",
        ),
        ({"train": [{"path": "symbolic:heldout"}]}, "data.train: symbolic:heldout is for data.eval only"),
    ],
)
def test_names_of_sets_that_would_collide_in_a_run(tmp_path: Path, data: object, fault: str) -> None:
    assert fault in fault_of(tmp_path, MINIMAL | {"data": data})


TWO_SETS = [{"path": "a.jsonl"}, {"path": "b.jsonl"}]
HALVES: dict[int | str, float] = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("mix", "sets", "fault"),
    [
        (
            {"by": "operations", "shares": {1: 0.5, "2+": 0.4}},
            TWO_SETS,
            "training.mix: the shares sum to 0.9; make them sum to 1",
        ),
        (
            {"by": "operations", "shares": {1: 1.5, "2+": -0.5}},
            TWO_SETS,
            "training.mix: the share of 1 is 1.5; it must be between 0 and 1",
        ),
        (
            {"by": "operations", "shares": {1: 0.5, "2+": 0.2, 3: 0.3}},
            TWO_SETS,
            'training.mix: the last group must be for N or more operations, such as "3+"',
        ),
        (
            {"by": "operations", "shares": {1: 0.5, "3+": 0.5}},
            TWO_SETS,
            'training.mix: the groups must be 1, 2 and so on without a gap up to the last, such as 1, 2, "3+"; '
            "3 is not the next one",
        ),
        ({"by": "operations", "shares": {1: "half", "2+": 0.5}}, TWO_SETS, "training.mix.shares.1: must be a number"),
        ({"by": "kind", "shares": {}}, TWO_SETS, "training.mix.by: must be 'operations' or 'source', not 'kind'"),
        (
            {"by": "source", "shares": {"a": 0.5, "c": 0.5}},
            TWO_SETS[:1],
            "training.mix: data.train has no set named c; the sets are a",
        ),
        (
            {"by": "source", "shares": {"a": 1}},
            TWO_SETS,
            "training.mix: b has no share, and every set needs one, be it 0; the sets are a, b",
        ),
        (
            {"by": "source", "shares": HALVES},
            [TWO_SETS[0] | {"weight": 2}, TWO_SETS[1]],
            "training.mix: by source, its shares already say how often each set is trained on; remove weight",
        ),
    ],
)
def test_shares_that_cannot_be_drawn_to(tmp_path: Path, mix: object, sets: object, fault: str) -> None:
    found = fault_of(tmp_path, MINIMAL | {"data": {"train": sets}, "training": {"mix": mix}})
    assert fault in found
    assert "errors" not in found, "one fault is one sentence"


def test_a_set_that_nothing_is_trained_on_has_no_weight(tmp_path: Path) -> None:
    data = {"train": TWO_SETS, "eval": [{"path": "c.jsonl", "weight": 2}]}
    assert "data.eval.0.weight: nothing is trained on this set; remove it" in fault_of(
        tmp_path, MINIMAL | {"data": data}
    )


def test_shares_and_weights(tmp_path: Path) -> None:
    def parsed(mix: object, *weights: float) -> Config:
        sets = [one | {"weight": weight} for one, weight in zip(TWO_SETS, weights, strict=True)]
        return load_config(write(tmp_path, MINIMAL | {"data": {"train": sets}, "training": {"mix": mix}}))[0]

    by_source = parsed({"by": "source", "shares": HALVES}, 1, 1)
    assert by_source.distinguishes_sets
    assert by_source.training.mix == MixOptions("source", HALVES)
    by_operations = parsed({"by": "operations", "shares": {1: 0.5, "2+": 0.5}}, 1, 3)
    assert by_operations.data.weights == {"a": 1, "b": 3}
    assert by_operations.training.mix == MixOptions("operations", {"1": 0.5, "2+": 0.5})
    assert by_operations.distinguishes_sets
    for unmixed in (parsed(None, 2, 2), parsed({"by": "operations", "shares": {1: 0.5, "2+": 0.5}}, 1, 1)):
        assert not unmixed.data.weights
        assert not unmixed.distinguishes_sets


def test_shares_and_weights_belong_to_a_run(tmp_path: Path) -> None:
    """Its rounds would not be comparable; a run made before there were such keys goes on."""
    old = load_config(write(tmp_path, MINIMAL))[0]
    mix = {"training": {"mix": {"by": "operations", "shares": {1: 0.5, "2+": 0.5}}}}
    assert "training.mix.by" in changed_keys(old, load_config(write(tmp_path, MINIMAL | mix))[0])
    assert changed_keys(old, load_config(write(tmp_path, MINIMAL))[0]) == {}


def test_sampling_needs_a_temperature(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"feedback": {"num_return_sequences": 4}, "decoding": {"temperature": 0}})
    assert "decoding.temperature: must be above 0 if feedback.num_return_sequences is above 1" in fault


def test_override_puts_a_key_in(tmp_path: Path) -> None:
    config, source = load_config(write(tmp_path, MINIMAL), ["feedback.limit=7", "export.recipes=[gguf-q4_0]"])
    assert config.feedback.limit == 7
    assert source["export"]["recipes"] == ["gguf-q4_0"]


@pytest.mark.parametrize("override", ["feedback.limit", "=3", "student.model_name_or_path.x=3"])
def test_a_bad_override_is_one_sentence(tmp_path: Path, override: str) -> None:
    assert "override" in fault_of(tmp_path, MINIMAL, override)


def test_environment_is_resolved_but_not_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_TEST_SECRET", "/private/place")
    config, source = load_config(write(tmp_path, MINIMAL | {"output_dir": "${FDD_TEST_SECRET}/run"}))
    assert config.output_dir == "/private/place/run"
    assert source["output_dir"] == "${FDD_TEST_SECRET}/run"


def test_a_missing_config_names_the_shipped_ones() -> None:
    with pytest.raises(FddError, match=r"Did you mean 'smoke'\?"):
        load_config("smoek")


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", ""])
def test_a_file_that_is_not_a_config_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FddError) as error:
        load_config(str(path))
    assert "\n" not in str(error.value)


def test_a_run_can_be_extended_and_not_changed_otherwise() -> None:
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


@pytest.fixture
def nothing_announced() -> None:
    """Old names are announced once per process; each test starts like a new process."""
    renames.announce_rename.cache_clear()


OLD = {"baseline": {"shots": 2}, "decoding": {"sequences": 3}, "feedback": {"samples": 4}}
NEW = {"baseline": {"num_fewshot": 2}, "decoding": {"batch_size": 3}, "feedback": {"num_return_sequences": 4}}


def test_old_names_of_keys_work_and_are_announced_once(
    tmp_path: Path, nothing_announced: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(renames.CONFIG_KEYS) == {f"{section}.{key}" for section, keys in OLD.items() for key in keys}
    old, source = load_config(write(tmp_path, MINIMAL | OLD))
    new, _ = load_config(write(tmp_path, MINIMAL | NEW))
    assert old == new
    assert source["decoding"] == {"sequences": 3}, "the config of a run stays as the user wrote it"
    load_config(write(tmp_path, MINIMAL | OLD))
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "Note: baseline.shots is now called baseline.num_fewshot; the old name still works.",
        "Note: decoding.sequences is now called decoding.batch_size; the old name still works.",
        "Note: feedback.samples is now called feedback.num_return_sequences; the old name still works.",
    ]


def test_an_old_name_of_a_key_is_announced_even_if_the_command_line_is_quiet(
    tmp_path: Path, nothing_announced: None, capsys: pytest.CaptureFixture[str]
) -> None:
    show_on_stderr(logging.WARNING)
    try:
        load_config(write(tmp_path, MINIMAL | {"decoding": OLD["decoding"]}))
    finally:
        show_on_stderr()
    assert capsys.readouterr().err == (
        "Note: decoding.sequences is now called decoding.batch_size; the old name still works.\n"
    )


def test_an_old_name_of_a_key_is_a_warning_from_python(
    tmp_path: Path, nothing_announced: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(renames, "is_shown_on_stderr", lambda: False)
    with pytest.warns(FutureWarning, match=r"decoding\.sequences is now called decoding\.batch_size"):
        load_config(write(tmp_path, MINIMAL | {"decoding": OLD["decoding"]}))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("old", "new"), renames.CONFIG_KEYS.items())
def test_an_old_name_next_to_its_new_one_is_a_fault(
    old: str, new: str, tmp_path: Path, nothing_announced: None
) -> None:
    section, old_key = old.split(".")
    fault = fault_of(tmp_path, MINIMAL | {section: {old_key: 2, new.split(".")[1]: 2}})
    assert f"{old}: this is the old name of {new}, which is also given; remove one" in fault
    assert "\n" not in fault
    assert "also given; remove one" in fault_of(tmp_path, MINIMAL, f"{old}=2", f"{new}=2")


def test_an_override_by_either_name_replaces_the_other_in_the_file(tmp_path: Path, nothing_announced: None) -> None:
    """`--set decoding.sequences=8` still works with a packaged config that uses the new name."""
    for content, override in ((NEW, "decoding.sequences=8"), (OLD, "decoding.batch_size=8")):
        config, source = load_config(write(tmp_path, MINIMAL | content), [override])
        assert config.decoding.batch_size == 8
        assert list(source["decoding"].values()) == [8]


def test_an_unknown_key_next_to_an_old_name_is_still_a_fault(tmp_path: Path, nothing_announced: None) -> None:
    fault = fault_of(tmp_path, MINIMAL | {"decoding": {"sequences": 0, "wav": 3}})
    assert "decoding.sequences: must be at least 1, not 0" in fault
    assert "decoding.wav: unknown key. Did you mean 'wave'?" in fault


def test_a_torch_device_among_the_targets_is_answered_with_the_name_to_use(tmp_path: Path) -> None:
    """`--target cuda` said so, a config did not."""
    fault = fault_of(tmp_path, MINIMAL | {"targets": ["cuda"], "feedback": {"target": "cuda"}})
    assert "targets.0: there is no target 'cuda'. For this machine's CPU use the target 'local'." in fault


def test_a_section_that_is_not_a_mapping_is_a_fault_and_not_a_traceback(tmp_path: Path) -> None:
    assert "decoding: must be a mapping of keys to values" in fault_of(tmp_path, MINIMAL | {"decoding": 3})
