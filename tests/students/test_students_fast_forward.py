"""The lean forward pass: the same losses and gradients as PEFT on plain transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import Case
from peft import LoraConfig, get_peft_model

from fdd_edge.resolve.student import Student
from fdd_edge.students.batches import LengthGroupedSampler, collate, to_rows
from fdd_edge.students.fast_forward import lora_layers, use_fused_ops
from fdd_edge.students.fused_ops import CausalAttention
from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

PAIRS = [(f"Question: Tom had {n} figs and got {k}{' more' * n}.\nProgram:\n", f"answer = {n} + {k}") for n, k in
         ((2, 3), (31, 4), (5, 600), (7, 8))]  # fmt: skip


def adapted(folder: Path, dtype: str = "float32", **lora: Any) -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", **lora)
    model = get_peft_model(load_model(folder, dtype), config)
    for _, layer in lora_layers(model):
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.05)
    return model


def batch(student: Student) -> dict[str, Any]:
    return collate(to_rows(encode_examples(load_tokenizer(student.folder), PAIRS)))


def gradients(model: Any) -> dict[str, Any]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("max_length", [512, 4096], ids=["own attention", "torch's attention"])
@pytest.mark.parametrize("case", [None, Case("qwen2"), Case("qwen3", tied=False), Case("gemma3")], ids=str)
def test_loss_and_gradients_are_those_of_transformers(
    case: Case | None, max_length: int, tiny_student: Student, architecture_student: Callable[[Case], Student]
) -> None:
    student = tiny_student if case is None else architecture_student(case)
    given = batch(student)
    plain, lean = adapted(student.folder), adapted(student.folder)
    use_fused_ops(lean, max_length=max_length)
    attends = (given["input_ids"] != 0) | (given["labels"] != -100)
    expected = plain(**given, attention_mask=attends.long()).loss
    loss = lean(**given)["loss"]
    expected.backward()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    wanted, got = gradients(plain), gradients(lean)
    assert got.keys() == wanted.keys()
    assert len(got) == 2 * len(list(lora_layers(lean)))
    for name, grad in wanted.items():
        assert (got[name] - grad).norm() <= 1e-4 * grad.norm(), name


@pytest.mark.parametrize("case", [None, Case("qwen2"), Case("gemma3")], ids=str)
def test_bfloat16_weights_give_nearly_the_gradients_of_float32(
    case: Case | None, tiny_student: Student, architecture_student: Callable[[Case], Student]
) -> None:
    """The default if the CPU multiplies bfloat16; the adapter and its gradients are still float32."""
    student = tiny_student if case is None else architecture_student(case)
    given = batch(student)
    whole, half = adapted(student.folder), adapted(student.folder, "bfloat16")
    for one, other in zip(whole.parameters(), half.parameters(), strict=True):
        if one.requires_grad:
            other.data = one.data.clone()
    losses = []
    for model in (whole, half):
        use_fused_ops(model, max_length=512)
        loss = model(**given)["loss"]
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    wanted, got = gradients(whole), gradients(half)
    assert {grad.dtype for grad in got.values()} == {torch.float32}
    flat = [torch.cat([grads[name].reshape(-1) for name in wanted]) for grads in (wanted, got)]
    assert (flat[1] - flat[0]).norm() <= 0.05 * flat[0].norm()


@pytest.mark.parametrize("size", [64, 96, 128])
def test_attention_in_bfloat16_rounds_scores_once(size: int) -> None:
    """For heads of 96 or 128, where the scale is not a power of two, they were rounded twice."""
    generator = torch.Generator().manual_seed(0)
    query = 6 * torch.randn(1, 6, 64, size, generator=generator)
    key, value = (torch.randn(1, 2, 64, size, generator=generator) for _ in range(2))
    mask, scale = torch.zeros(64, 64), size**-0.5
    half = [tensor.bfloat16() for tensor in (query, key, value, mask)]
    exact = CausalAttention.apply(*(tensor.float() for tensor in half), scale)
    scores = torch.einsum("hqd,hkd->hqk", half[0][0].float(), half[1][0].float().repeat_interleave(3, 0)) * scale
    once = torch.softmax(scores.bfloat16().float(), -1).bfloat16().float()
    expected = torch.einsum("hqk,hkd->hqd", once, half[2][0].float().repeat_interleave(3, 0)).bfloat16().float()
    got = CausalAttention.apply(*half, scale)[0].float()
    assert (got - exact[0]).norm() <= 1.05 * (expected - exact[0]).norm()


def test_dropout_is_left_to_peft(tiny_student: Student) -> None:
    given = batch(tiny_student)
    model = adapted(tiny_student.folder, lora_dropout=0.5)
    use_fused_ops(model, max_length=512)
    model.train()
    assert float(model(**given)["loss"]) != float(model(**given)["loss"])


def test_a_loss_in_chunks_is_the_loss(tiny_student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logits of a vocabulary of 152,000 are computed in chunks, so that they do not take gigabytes."""
    given = batch(tiny_student)
    found = []
    for logits in (1 << 24, 1000):
        monkeypatch.setattr("fdd_edge.students.fused_ops._LOGITS", logits)
        model = adapted(tiny_student.folder)
        use_fused_ops(model, max_length=512)
        model(**given)["loss"].backward()
        found.append(torch.cat([grad.reshape(-1) for grad in gradients(model).values()]))
    assert torch.allclose(*found, rtol=1e-4, atol=1e-7)


def test_without_gradients_the_loss_is_the_same(tiny_student: Student) -> None:
    model, given = adapted(tiny_student.folder), batch(tiny_student)
    use_fused_ops(model, max_length=512)
    with torch.inference_mode():
        quiet = float(model(**given)["loss"])
    assert quiet == pytest.approx(float(model(**given)["loss"]), rel=1e-6)


def test_a_sliding_window_hides_earlier_tokens() -> None:
    from fdd_edge.students.fast_forward import _causal_mask

    seen = (_causal_mask(6, 2, torch.float32) == 0).int().tolist()
    assert seen[4] == [0, 0, 0, 1, 1, 0]
    assert (_causal_mask(6, None, torch.float32) == 0).int().tolist()[4] == [1, 1, 1, 1, 1, 0]


def test_each_epoch_draws_every_example_once_in_batches_of_similar_length() -> None:
    lengths = [n % 97 for n in range(403)]
    sampler = LengthGroupedSampler(lengths, 4, seed=1)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(403))
    spreads = [max(b) - min(b) for i in range(0, 400, 4) if (b := [lengths[j] for j in first[i : i + 4]])]
    assert sum(spreads) / len(spreads) < 5


def test_processes_that_share_a_batch_see_the_same_order() -> None:
    """At each step, two processes with batches of 4 together see the examples that one with batches of 8 sees."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    def draw() -> LengthGroupedSampler:
        return LengthGroupedSampler([n % 7 for n in range(64)], 8, seed=0)

    shares = [BatchSamplerShard(BatchSampler(draw(), 4, drop_last=False), 2, i) for i in range(2)]
    steps = [sorted(one + other) for one, other in zip(*shares, strict=True)]
    assert steps == [sorted(batch) for batch in BatchSampler(draw(), 8, drop_last=False)]


@pytest.mark.parametrize(("features", "found"), [(("asimd", "bf16"), True), (("asimd", "sve"), False)])
def test_an_arm_cpu_with_bf16_counts(features: tuple[str, ...], found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only torch was asked, which only answers for x86."""
    from fdd_edge.ondevice import device_info as measure
    from fdd_edge.students.lora_training import cpu_has_bf16

    monkeypatch.setattr(measure, "cpu_features", lambda: features)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    assert cpu_has_bf16() is found


def test_few_masks_are_kept() -> None:
    """256 of them were kept, each of up to 2.4 MB."""
    from fdd_edge.students.fast_forward import _causal_mask

    _causal_mask.cache_clear()
    for tokens in range(1, 20):
        _causal_mask(tokens, None, torch.float32)
    assert _causal_mask.cache_info().currsize <= 4
