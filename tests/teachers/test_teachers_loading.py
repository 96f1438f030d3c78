import pytest

from fdd_edge.errors import FddError
from fdd_edge.teachers import TEACHERS, Teacher, load_teacher


@pytest.mark.parametrize("name", sorted(TEACHERS))
def test_each_teacher_loads_by_its_name(name: str) -> None:
    teacher = load_teacher(name)
    assert isinstance(teacher, Teacher)
    assert teacher.name == name


def test_an_unknown_teacher_is_one_sentence_with_the_closest_name() -> None:
    with pytest.raises(FddError, match=r"no teacher named 'symbolik'\. Did you mean 'symbolic'\? Known: annotated, "):
        load_teacher("symbolik")
