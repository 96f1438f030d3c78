"""Waves on a tiny random model: what rows depend on, and what they do not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

import llama_cpp
import numpy as np
import numpy.typing as npt

from fdd_edge.ondevice.batching import Decoder
from fdd_edge.ondevice.llamacpp import BATCH, Context, Model
from fdd_edge.ondevice.prompt import make_prompt
from fdd_edge.ondevice.protocol import Completion, Decoding, ProtocolError, Settings, Shot, Task, Wave, plan_waves
from fdd_edge.ondevice.verdicts import Verdict

TASKS = [Task(f"p{i}", 0, f"{i} apples, then {i * 37} more{' or so' * (i % 4)}. How many?") for i in range(20)]
BASE = Settings(Decoding(24, batch_size=4, threads=1))


def decode(
    kv: Literal["f16", "f32"] = "f16",
    return_ids: bool = False,
    seed: int = 0,
    stop: tuple[str, ...] = (),
    **decoding: Any,
) -> Settings:
    """Return the base settings with some options changed."""
    return Settings(replace(BASE.decoding, **decoding), seed=seed, kv=kv, stop=stop, return_ids=return_ids)


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[Model]:
    with Model(str(tiny_gguf)) as model:
        yield model


def rows(
    model: Model, settings: Settings = BASE, waves: list[Wave] | None = None, shots: tuple[Shot, ...] = ()
) -> list[Completion]:
    prompt = make_prompt(None, shots, model)
    with Decoder(model, prompt, settings) as decoder:
        return [row for wave in waves or [Wave(0, tuple(TASKS))] for row in decoder.run(wave).completions]


def test_rows_come_in_task_order_and_each_ends_its_own_way(model: Model) -> None:
    found = rows(model)
    assert [row.problem_id for row in found] == [task.problem_id for task in TASKS]
    cut = [row for row in found if row.verdict is Verdict.unfinished]
    assert 0 < len(cut) < len(found)
    assert all(row.n_tokens == BASE.decoding.max_new_tokens for row in cut)
    assert len({row.text for row in found}) > 10


def test_a_row_without_an_answer_says_what_exactly_was_wrong(model: Model) -> None:
    """Only `solve` said it, and it judged the reply again to find out."""
    for row in rows(model):
        assert bool(row.detail) == (row.verdict is not None)
        assert ("detail" in row.to_row()) == (row.verdict is not None)
        assert Completion.from_row(row.to_row()) == row


def test_the_same_waves_give_the_same_rows(model: Model) -> None:
    assert rows(model) == rows(model)


def test_a_wave_redone_alone_gives_the_same_rows(model: Model) -> None:
    waves = plan_waves(TASKS, 7)
    whole = rows(model, waves=waves)
    again = [rows(model, waves=[wave]) for wave in reversed(waves)]
    assert [row for wave in reversed(again) for row in wave] == whole


def test_what_shares_a_batch_does_not_change_texts_in_f32(model: Model) -> None:
    one = rows(model, decode(batch_size=1, kv="f32"))
    many = rows(model, decode(batch_size=16, kv="f32"))
    assert one == many


def test_greedy_agrees_with_llama_cpps_own_loop(model: Model, tiny_gguf: Path) -> None:
    peer = llama_cpp.Llama(str(tiny_gguf), n_ctx=256, n_threads=1, type_k=0, type_v=0, verbose=False)
    prompt = make_prompt(None, (), model)
    found = rows(model, decode(batch_size=1, kv="f32", return_ids=True))
    for task, row in zip(TASKS, found, strict=True):
        text = prompt.render(task.question)
        assert row.prompt_ids == tuple(peer.tokenize(text.encode(), add_bos=False, special=True))
        reply = peer(text, max_tokens=BASE.decoding.max_new_tokens, temperature=0)
        assert row.text == reply["choices"][0]["text"]


def test_stop_texts_cut_replies(model: Model) -> None:
    free = rows(model)
    stop = free[0].text[5:7]
    for before, after in zip(free, rows(model, decode(batch_size=1, stop=(stop,))), strict=True):
        assert stop not in after.text
        if stop in before.text:
            assert after.text == before.text.partition(stop)[0]


def test_sampling_depends_on_seed_problem_and_sample(model: Model) -> None:
    warm = decode(temperature=1.5, seed=1)
    tasks = tuple(Task("p", sample, "How many?") for sample in range(6))
    drawn = rows(model, warm, [Wave(0, tasks)])
    assert len({row.text for row in drawn}) == 6
    assert drawn == rows(model, warm, [Wave(0, tasks)])
    assert [row.text for row in drawn] != [row.text for row in rows(model, replace(warm, seed=2), [Wave(0, tasks)])]


def test_a_draw_does_not_depend_on_the_order_in_the_batch(model: Model) -> None:
    warm = decode(temperature=1.0, kv="f32")
    turned = rows(model, warm, [Wave(0, tuple(reversed(TASKS)))])
    assert turned[::-1] == rows(model, warm)


def test_shots_are_decoded_once_and_change_nothing_else(model: Model) -> None:
    shots = (Shot("What is 2 and 5?", "answer = 2 + 5"), Shot("What is 9 and 1?", "answer = 9 + 1"))
    settings = replace(BASE, kv="f32")
    together = rows(model, settings, shots=shots)
    alone = rows(model, settings, waves=plan_waves(TASKS, 1), shots=shots)
    assert together == alone
    with Decoder(model, make_prompt(None, shots, model), settings) as decoder:
        timing = decoder.run(Wave(0, tuple(TASKS))).timing
    assert timing.prompt_tokens < sum(row.n_prompt_tokens for row in together) / 2


def test_a_batch_of_replies_has_no_gaps_between_its_sequences(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """llama.cpp splits a batch at a missing sequence, which once cost a third of the speed."""
    steps: list[int] = []
    step = Context.step

    def watched(context: Context, tokens: Sequence[int], positions: Sequence[int]) -> npt.NDArray[np.float32]:
        steps.append(len(tokens))
        return step(context, tokens, positions)

    monkeypatch.setattr(Context, "step", watched)
    found = rows(model, decode(batch_size=5))
    # A step always covers the first sequences, so replies must have moved into the gaps of finished ones.
    assert len(set(steps) & {1, 2, 3, 4}) > 1
    assert max(steps) == 5
    assert sum(steps) == sum(row.n_tokens for row in found)


def test_a_prompt_longer_than_the_model_is_a_limit(model: Model) -> None:
    tasks = (TASKS[0], Task("long", 0, "how many? " * 200), TASKS[1])
    first, long, last = rows(model, waves=[Wave(0, tasks)])
    assert (long.verdict, long.text, long.n_tokens) == (Verdict.limit, "", 0)
    assert long.n_prompt_tokens > BATCH
    assert [first, last] == rows(model, waves=[Wave(0, (TASKS[0], TASKS[1]))])
    assert rows(model, waves=[Wave(0, tasks[1:2])]) == [long]


def test_a_reply_ends_where_the_models_context_does(model: Model) -> None:
    cut = [row.problem_id for row in rows(model) if row.verdict is Verdict.unfinished]
    long = [replace(task, question=task.question + " x" * 40) for task in TASKS if task.problem_id in cut]
    found = rows(model, decode(max_new_tokens=500), [Wave(0, tuple(long))])
    ended = [row for row in found if row.verdict is Verdict.unfinished]
    assert ended
    assert {row.n_prompt_tokens + row.n_tokens for row in ended} == {model.n_ctx_train}


def test_odd_questions_are_only_text(model: Model) -> None:
    tasks = (Task("empty", 0, ""), Task("nul", 0, "a\0b"), Task("half", 0, "\ud800"), Task("wide", 0, "²€🍎"))
    assert [row.problem_id for row in rows(model, waves=[Wave(0, tasks)])] == ["empty", "nul", "half", "wide"]


def test_special_tokens_in_a_template_are_read_as_such(model: Model) -> None:
    chat = make_prompt("chat", (), model).render("Hi")
    assert chat == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    ids = model.tokenize(chat)
    assert (ids[0], ids.count(1), ids.count(2)) == (1, 2, 1)


def test_progress_counts_to_the_end(model: Model) -> None:
    seen: list[int] = []
    with Decoder(model, make_prompt(None, (), model), BASE) as decoder:
        decoder.run(Wave(0, tuple(TASKS)), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(TASKS)
    assert len(seen) > len(TASKS), "a host that has gone would not be noticed between two finished replies"


def test_a_batch_that_is_too_large_for_llama_cpp_is_refused() -> None:
    with pytest.raises(ProtocolError, match="batch_size must be at most 256, not 257"):
        Decoding(batch_size=257)
