"""Drawing an epoch's examples to shares of its tokens: arithmetic, and what the sampler makes of it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from fdd_edge.students.mixture import MOST_REPEATS, Cell, Mixture, divide, mix_examples

GROUPS = ["1"] * 100 + ["2"] * 500 + ["3+"] * 400
CELLS = [Cell(group, "") for group in GROUPS]
RNG = random.Random(0)
LENGTHS = [RNG.randint(60, 100) + 40 * (group == "3+") for group in GROUPS]
TOTAL = sum(LENGTHS)
SHARES = {"1": 0.3, "2": 0.4, "3+": 0.3}


def mixed(shares: dict[str, float] | None = SHARES, seed: str = "0", **weights: float) -> Mixture:
    return mix_examples(CELLS, LENGTHS, shares=shares, weights=weights, seed=seed)


def shares_of(mixture: Mixture, epoch: int = 0) -> dict[str, float]:
    drawn: Counter[str] = Counter()
    for index in mixture.epoch(epoch):
        drawn[GROUPS[index]] += LENGTHS[index]
    return {group: n / drawn.total() for group, n in drawn.items()}


@pytest.mark.parametrize(
    ("shares", "limits", "expected"),
    [
        ({"a": 1, "b": 3}, {"a": 99, "b": 99}, {"a": 2, "b": 6}),
        ({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 99, "c": 99}, {"a": 1, "b": 7 / 3, "c": 14 / 3}),
        ({"a": 0, "b": 1}, {"a": 99, "b": 3}, {"a": 0, "b": 3}),
        ({"a": 2, "b": 1, "c": 1}, {"a": 1, "b": 3, "c": 99}, {"a": 1, "b": 3, "c": 4}),
        ({}, {}, {}),
    ],
)
def test_what_one_cannot_take_goes_to_the_others(
    shares: dict[str, float], limits: dict[str, float], expected: dict[str, float]
) -> None:
    assert divide(8, shares, limits) == pytest.approx(expected)


def test_an_epoch_has_the_shares_and_as_many_tokens_as_all_examples() -> None:
    mixture = mixed()
    assert sum(mixture.tokens(LENGTHS).values()) == pytest.approx(TOTAL, rel=0.002)
    for epoch in range(3):
        assert shares_of(mixture, epoch) == pytest.approx(SHARES, abs=0.01)
        assert len(mixture.epoch(epoch)) == len(mixture)


def test_more_long_problems_change_no_share() -> None:
    """The problems that feedback adds are longer than those they are written from."""
    grown = [*CELLS, *[Cell("3+", "")] * 70]
    mixture = mix_examples(grown, [*LENGTHS, *[130] * 70], shares=SHARES, weights={}, seed="0")
    tokens = mixture.tokens([*LENGTHS, *[130] * 70])
    assert {g: n / sum(tokens.values()) for g, n in tokens.items()} == pytest.approx(SHARES, abs=0.005)


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    assert mixed().epoch(1) == mixed().epoch(1)
    assert sorted(mixed().epoch(0)) != sorted(mixed(seed="1").epoch(0))
    assert sorted(mixed().epoch(0)) != sorted(mixed().epoch(1))


def test_no_example_comes_again_before_all_of_its_group_have_come() -> None:
    mixture = mixed()
    times: Counter[int] = Counter()
    for epoch in range(5):
        times.update(mixture.epoch(epoch))
        for group in SHARES:
            own = [times[i] for i in range(len(GROUPS)) if GROUPS[i] == group]
            assert max(own) - min(own) <= 1


def test_a_small_group_is_repeated_so_often_and_no_more() -> None:
    mixture = mixed({"1": 0.8, "2": 0.1, "3+": 0.1})
    times = Counter(index for index in mixture.epoch(0) if GROUPS[index] == "1")
    assert set(times.values()) == {MOST_REPEATS}
    assert len(times) == 100
    assert sum(mixture.tokens(LENGTHS).values()) == pytest.approx(TOTAL, rel=0.002)
    found = shares_of(mixture)
    assert found["2"] == pytest.approx(found["3+"], abs=0.01)


def test_a_share_of_nothing_leaves_a_group_out() -> None:
    assert set(shares_of(mixed({"1": 0, "2": 0.5, "3+": 0.5}))) == {"2", "3+"}
    assert len(mix_examples(CELLS[:5], LENGTHS[:5], shares={"1": 0, "2": 1}, weights={}, seed="0")) == 0


def test_a_weight_multiplies_what_a_source_would_have() -> None:
    cells = [Cell(name, name) for name in ("a", "b") for _ in range(200)]
    mixture = mix_examples(cells, [50] * 400, shares=None, weights={"a": 2, "b": 1}, seed="0")
    assert mixture.tokens([50] * 400) == pytest.approx({"a": 20_000 * 2 / 3, "b": 20_000 / 3}, rel=0.01)


def test_within_a_group_the_weights_count() -> None:
    """Also where they cannot be kept: the rest of the group makes up for it."""
    cells = [
        Cell(group, name) for group, name, n in (("1", "a", 20), ("1", "b", 80), ("2+", "b", 100)) for _ in range(n)
    ]
    for weight, expected in ((4, 50), (100, 80)):
        mixture = mix_examples(cells, [50] * 200, shares={"1": 0.5, "2+": 0.5}, weights={"a": weight, "b": 1}, seed="0")
        assert mixture.counts == {("1", "a"): expected, ("1", "b"): 100 - expected, ("2+", "b"): 100}


def test_processes_that_share_a_batch_see_the_same_order() -> None:
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    from fdd_edge.students.batches import LengthGroupedSampler

    def draw() -> LengthGroupedSampler:
        sampler = LengthGroupedSampler(LENGTHS, 8, seed=0, mixture=mixed())
        sampler.set_epoch(1)
        return sampler

    whole = len(draw()) // 8
    shares = [list(BatchSamplerShard(BatchSampler(draw(), 4, drop_last=False), 2, i))[:whole] for i in range(2)]
    steps = [sorted(one + other) for one, other in zip(*shares, strict=True)]
    assert steps == [sorted(batch) for batch in BatchSampler(draw(), 8, drop_last=False)][:whole]


def test_how_often_each_example_was_drawn_is_known_afterwards() -> None:
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.students.batches import LengthGroupedSampler

    plain = LengthGroupedSampler([5] * 10, 4, seed=0)
    assert plain.times_drawn(3) == [1] * 10
    assert Counter(plain.times_drawn(4)) == {1: 6, 2: 4}
    sampler = LengthGroupedSampler(LENGTHS, 8, seed=0, mixture=mixed())
    steps = -(-len(sampler) // 8)
    expected = Counter(mixed().epoch(0)) + Counter(mixed().epoch(1))
    assert sampler.times_drawn(2 * steps) == [expected[i] for i in range(len(LENGTHS))]
