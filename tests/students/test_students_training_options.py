"""The options of training are plain dataclasses, and pydantic enforces what they declare."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from fdd_edge.students.training_options import LoraOptions, TrainingOptions
from fdd_edge.yaml_errors import faults_of, known_keys


class Composed(BaseModel):
    """A config that holds both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lora: LoraOptions = LoraOptions()
    training: TrainingOptions = TrainingOptions()


def faults(**source: Any) -> list[str]:
    with pytest.raises(ValidationError) as error:
        Composed.model_validate(source)
    return faults_of(error.value, partial(known_keys, Composed))


def test_yaml_becomes_the_dataclass_itself() -> None:
    composed = Composed.model_validate({"lora": {"r": 4, "target_modules": ["q_proj"]}, "training": {"max_tokens": 9}})
    assert composed.lora == LoraOptions(4, target_modules=("q_proj",))
    assert composed.training == TrainingOptions(max_tokens=9)
    assert Composed.model_validate(composed.model_dump(mode="json")) == composed


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"learning_rate": 0}, "training.learning_rate: must be greater than 0, not 0"),
        ({"eval_steps": 0}, "training.eval_steps: must be at least 1, not 0"),
        ({"save_steps": "often"}, "training.save_steps: must be a whole number, not 'often'"),
        ({"start_from": "last"}, "training.start_from: must be 'base' or 'previous', not 'last'"),
        ({"learning_rat": 1e-3}, "training.learning_rat: unknown key. Did you mean 'learning_rate'?"),
        (5, "training: must be a mapping of keys to values, not 5"),
    ],
)
def test_a_fault_of_training_names_its_key(section: Any, expected: str) -> None:
    assert faults(training=section) == [expected]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"r": 0}, "lora.r: must be at least 1, not 0"),
        ({"lora_dropout": 1.5}, "lora.lora_dropout: must be at most 1, not 1.5"),
        ({"target_modules": []}, "lora.target_modules: needs at least 1"),
        ({"target_modules": "q_proj"}, "lora.target_modules: must be a list, not 'q_proj'"),
        ({"rank": 4}, "lora.rank: unknown key. Known: r, lora_alpha, use_rslora, lora_dropout, target_modules."),
    ],
)
def test_a_fault_of_the_adapter_names_its_key(section: Any, expected: str) -> None:
    assert faults(lora=section) == [expected]


def test_a_recipe_that_does_not_exist_is_named() -> None:
    (fault,) = faults(training={"quantization_aware": "gguf-q4-0"})
    assert fault.startswith("training.quantization_aware: there is no recipe named 'gguf-q4-0'. Did you mean 'gguf-q4")
    for name in ("none", "gguf-q4_0"):
        assert Composed.model_validate({"training": {"quantization_aware": name}}).training.quantization_aware == name


def test_all_faults_are_reported_at_once() -> None:
    assert len(faults(lora={"r": 0, "alpha": 1}, training={"threads": 0})) == 3


@pytest.mark.parametrize("options", [LoraOptions, TrainingOptions])
def test_every_option_is_described(options: type[LoraOptions] | type[TrainingOptions]) -> None:
    section = {LoraOptions: "LoraOptions", TrainingOptions: "TrainingOptions"}[options]
    schema = Composed.model_json_schema()["$defs"][section]["properties"]
    assert list(schema) == [field.name for field in fields(options)]
    assert all(entry["description"] for entry in schema.values())


def test_reading_the_options_imports_nothing_heavy() -> None:
    program = (
        "import sys, fdd_edge.students.training_options as options\n"
        "options.TrainingOptions()\n"
        "print(sorted({'torch', 'transformers', 'pydantic', 'yaml', 'numpy'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
