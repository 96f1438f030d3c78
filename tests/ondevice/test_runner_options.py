"""Options of a dataclass: the same bounds on a board, and in a config that pydantic reads."""

from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ValidationError

from fdd_edge.ondevice.options import option, out_of_range
from fdd_edge.ondevice.protocol import Decoding


@dataclass(frozen=True)
class Oven:
    heat: float | None = option(1.0, "how hot it gets", gt=0, lt=3)
    trays: int = option(2, "how many trays fit", ge=1, le=4)


@pytest.mark.parametrize(
    ("oven", "fault"),
    [
        (Oven(), None),
        (Oven(heat=None), None),
        (Oven(heat=0), "heat must be greater than 0, not 0"),
        (Oven(heat=3), "heat must be less than 3, not 3"),
        (Oven(heat=float("nan")), "heat must be greater than 0, not nan"),
        (Oven(trays=0), "trays must be at least 1, not 0"),
        (Oven(trays=5), "trays must be at most 4, not 5"),
    ],
)
def test_a_value_out_of_range_is_named(oven: Oven, fault: str | None) -> None:
    assert out_of_range(oven) == fault


def test_a_misspelt_bound_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown bound 'min'"):
        option(1, "", min=0)


class Config(BaseModel):
    decoding: Decoding = Decoding()


def test_a_config_reads_descriptions_bounds_and_names() -> None:
    schema = Config.model_json_schema()["$defs"]["Decoding"]["properties"]
    assert schema["batch_size"]["description"] == "number of sequences that share a batch"
    assert Config.model_validate({"decoding": {"batch_size": 4}}).decoding == Decoding(batch_size=4)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Config.model_validate({"decoding": {"batch_size": 0}})
    with pytest.raises(ValidationError, match="batch"):
        Config.model_validate({"decoding": {"batch": 4}})
