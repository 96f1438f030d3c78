"""ONNX Runtime on tiny models made by the tests: the runner's waves, without padding and without copying a cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnxruntime", reason="needs: pip install 'fdd-edge[onnx]'")
pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

import numpy as np

from fdd_edge.artifacts.gguf import DeviceVocab
from fdd_edge.artifacts.onnx import build_graph
from fdd_edge.artifacts.onnx.graph import load_graph, save_graph
from fdd_edge.artifacts.onnx.onnx_facts import describe_onnx
from fdd_edge.errors import FddError
from fdd_edge.ondevice.batching import Decoder
from fdd_edge.ondevice.onnxruntime_model import BATCH, Model
from fdd_edge.ondevice.prompt import make_prompt
from fdd_edge.ondevice.protocol import Completion, Decoding, RunnerError, Score, Settings, Task, Wave, plan_waves
from fdd_edge.ondevice.scoring import score
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.ondevice.vocabulary import Vocabulary
from fdd_edge.resolve.student import Student
from fdd_edge.targets import load_profile, open_session

TASKS = [
    Task(f"p{i}", 0, f"Tom has {i + 3} apples{' and a pear' * (i % 3)} and gets {i}. How many?") for i in range(11)
]
BASE = Settings(Decoding(24, batch_size=4, threads=1), return_ids=True)


@pytest.fixture(scope="module")
def model(tiny_onnx: dict[str, Path]) -> Iterator[Model]:
    with Model(str(tiny_onnx["fp32"]), threads=1) as model:
        yield model


def rows(model: Model, settings: Settings = BASE, waves: list[Wave] | None = None) -> list[Completion]:
    with Decoder(model, make_prompt(None, (), model), settings) as decoder:
        return [row for wave in waves or [Wave(0, tuple(TASKS))] for row in decoder.run(wave).completions]


def greedy(student: Student, found: list[Completion], stops: tuple[int, ...]) -> list[list[int]]:
    """Return what torch replies to the same prompts, one at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    reference = AutoModelForCausalLM.from_pretrained(student.folder, dtype=torch.float32)
    replies = []
    for row in found:
        ids = torch.tensor([list(row.prompt_ids or ())])
        out = reference.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, eos_token_id=list(stops),
            pad_token_id=0,
        )  # fmt: skip
        replies.append(out[0, ids.shape[1] :].tolist())
    return replies


def test_replies_of_a_batch_are_those_of_torch(model: Model, tiny_student: Student) -> None:
    """Sequences of different lengths share a cache that is written in place, and later ones take over their rows."""
    found = rows(model)
    assert len({row.n_prompt_tokens for row in found}) > 1
    assert len({row.n_tokens for row in found}) > 1
    assert [list(row.ids or ()) for row in found] == greedy(tiny_student, found, model.special_ids.eos_ids)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_a_float_graphs_rows_do_not_depend_on_what_shares_a_batch(model: Model, batch_size: int) -> None:
    assert rows(model, replace(BASE, decoding=replace(BASE.decoding, batch_size=batch_size))) == rows(model)
    assert rows(model, waves=plan_waves(TASKS, 5)) == rows(model)


def test_the_beginning_that_prompts_share_is_read_once(model: Model) -> None:
    with Decoder(model, make_prompt(None, (), model), BASE) as decoder:
        timing = decoder.run(Wave(0, tuple(TASKS))).timing
    assert timing.prompt_tokens < sum(row.n_prompt_tokens for row in rows(model))


@pytest.mark.parametrize("kind", ["fp32", "int8", "int4"])
def test_a_wave_decoded_again_gives_the_same_rows(tiny_onnx: dict[str, Path], kind: str) -> None:
    with Model(str(tiny_onnx[kind]), threads=1) as model:
        assert rows(model) == rows(model)


def test_its_vocabulary_is_llama_cpps(model: Model, tiny_student: Student) -> None:
    texts = ["", "  two  spaces 12 ", "naïve 東京 🍎", "<|endoftext|>", "\n\ta = 3*4\n", "half \ud800 of a pair"]
    with DeviceVocab(tiny_student.vocab) as vocab:
        assert [model.piece(token) for token in range(model.n_vocab)] == list(vocab.pieces)
        assert [model.tokenize(text) for text in texts[:-1]] == [vocab.encode_prompt(text) for text in texts[:-1]]
        assert model.special_ids.eos_ids == vocab.eos_ids
    assert model.tokenize(texts[-1]) == model.tokenize("half ? of a pair")


def test_it_says_the_prompt_it_was_trained_on(model: Model) -> None:
    assert make_prompt(None, (), model).template == "Question: {question}\nProgram:\n"
    assert "ONNX" in model.description


def test_scoring_reads_a_reply_as_it_was_written(model: Model) -> None:
    row = rows(model)[0]
    prompt = make_prompt(None, (), model)
    asked = Score("p0", TASKS[0].question, prompt.render(TASKS[0].question), row.prompt_ids or (), row.ids or (), (0,))
    found = score(model, prompt, BASE, asked)
    assert found.best == row.ids
    assert found.text_ids == row.prompt_ids


def test_long_prompts_are_read_in_pieces(tiny_student: Student, model: Model) -> None:
    tasks = (TASKS[0], Task("long", 0, "how many apples has he? " * 90))
    first, long = rows(model, replace(BASE, decoding=replace(BASE.decoding, max_new_tokens=4)), [Wave(0, tasks)])
    assert BATCH < long.n_prompt_tokens < model.n_ctx_train
    replies = greedy(tiny_student, [first, long], model.special_ids.eos_ids)
    assert [list(row.ids or ()) for row in (first, long)] == [reply[:4] for reply in replies]


def test_a_prompt_longer_than_the_model_is_a_limit(model: Model) -> None:
    long, last = rows(model, waves=[Wave(0, (Task("long", 0, "how many? " * 900), TASKS[1]))])
    assert (long.verdict, long.n_tokens) == (Verdict.limit, 0)
    assert last.n_tokens


def test_the_embedding_has_the_zero_points_of_the_head_it_is(tiny_onnx: dict[str, Path], tiny_student: Student) -> None:
    """As the builder writes it, every embedding is off by its block's zero point, and the model writes garbage."""
    from safetensors.numpy import load_file

    graph = tiny_onnx["int4"]
    embedding = load_file(tiny_student.folder / "model.safetensors")["model.embed_tokens.weight"]
    read = embeddings_of(graph, len(embedding))
    assert np.linalg.norm(read - embedding) < 0.02 * np.linalg.norm(embedding)


@pytest.mark.parametrize("kind", ["int8", "fp32"])
def test_embeddings_are_those_of_the_model(tiny_onnx: dict[str, Path], tiny_student: Student, kind: str) -> None:
    from safetensors.numpy import load_file

    embedding = load_file(tiny_student.folder / "model.safetensors")["model.embed_tokens.weight"]
    read = embeddings_of(tiny_onnx[kind], len(embedding))
    assert np.linalg.norm(read - embedding) < 0.02 * np.linalg.norm(embedding)


def embeddings_of(path: Path, n_vocab: int) -> np.ndarray:
    """Run a graph up to the input of the first norm, for every token."""
    import onnx
    import onnxruntime

    graph = onnx.load(str(path))
    norm = next(node for node in graph.graph.node if node.op_type == "SimplifiedLayerNormalization")
    graph.graph.output.append(onnx.helper.make_tensor_value_info(norm.input[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": np.arange(n_vocab)[:, None], "attention_mask": np.ones((n_vocab, 1), np.int64)}
    for one in session.get_inputs():
        if one.name.startswith("past_key_values"):
            feeds[one.name] = np.zeros((n_vocab, one.shape[1], 0, one.shape[3]), np.float32)
    (read,) = session.run([norm.input[0]], feeds)
    return np.asarray(read).reshape(n_vocab, -1)


def error_of(path: Path) -> str:
    with pytest.raises(RunnerError) as error:
        Model(str(path), threads=1)
    assert error.value.kind == "bad_artifact"
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def copy(tiny_onnx: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the model that a test may damage."""
    shutil.copytree(tiny_onnx["int4"].parent, tmp_path / "copy")
    return tmp_path / "copy" / "model.onnx"


def test_a_damaged_graph(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:1000])
    assert f"cannot load {copy}" in error_of(copy)


def test_missing_weights(copy: Path) -> None:
    (copy.parent / "model.onnx.data").unlink()
    assert "model.onnx.data" in error_of(copy)


def test_a_missing_tokenizer(copy: Path) -> None:
    (copy.parent / "tokenizer.json").unlink()
    assert "an ONNX model needs its tokenizer in the same folder" in error_of(copy)


@pytest.mark.parametrize("name", ["tokenizer.json", "genai_config.json", "fdd_edge.json"])
def test_damaged_files_beside_it(copy: Path, name: str) -> None:
    (copy.parent / name).write_text('{"half', encoding="utf-8")
    assert f"{copy.parent / name} cannot be read" in error_of(copy)


def test_a_graph_that_copies_its_cache(copy: Path) -> None:
    """It would run, but each step would lose what the previous one wrote."""
    config = json.loads((copy.parent / "genai_config.json").read_text(encoding="utf-8"))
    config["search"]["past_present_share_buffer"] = False
    (copy.parent / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert "does not write its key-value cache in place" in error_of(copy)


def test_a_missing_genai_config_is_named(copy: Path) -> None:
    """The message used to claim that the graph copies its cache."""
    (copy.parent / "genai_config.json").unlink()
    assert "genai_config.json is missing" in error_of(copy)


def test_an_input_that_is_not_known_is_named(copy: Path) -> None:
    """The message used to claim that the graph copies its cache."""
    model = load_graph(copy.parent)
    next(one for one in model.graph.input if one.name == "input_ids").name = "ids"
    for node in model.graph.node:
        node.input[:] = ["ids" if name == "input_ids" else name for name in node.input]
    save_graph(model, copy.parent)
    assert "has an unsupported input 'ids'" in error_of(copy)


def test_no_decoder_at_all(copy: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    shape = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", shape, [])
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(copy))
    assert "is not a decoder with a key-value cache" in error_of(copy)


def test_a_model_that_the_builder_does_not_know(tiny_student: Student, tmp_path: Path) -> None:
    from fdd_edge.errors import FddError

    shutil.copytree(tiny_student.folder, tmp_path / "strange")
    config = json.loads((tmp_path / "strange" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "strange" / "config.json").write_text(json.dumps(config | {"architectures": ["Strange"]}))
    with pytest.raises(FddError, match="builder cannot build strange as fp32"):
        build_graph(tmp_path / "strange", tmp_path / "out", precision="fp32", options={})


def test_a_vocabulary_of_sentencepieces_kind(tmp_path: Path) -> None:
    """Spaces have a symbol of their own, and bytes without a token have one byte token each."""
    from tokenizers import Tokenizer, decoders, models

    vocab = {"<s>": 0, "\u2581a": 1, "b": 2, "<0x0A>": 3, "</s>": 4}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.add_special_tokens(["<s>", "</s>"])
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}}))
    vocabulary = Vocabulary(tmp_path)
    assert [vocabulary.piece(token) for token in range(6)] == [b"", b" a", b"b", b"\n", b"", b""]
    assert (vocabulary.special_ids.bos, vocabulary.special_ids.eos, vocabulary.special_ids.eos_ids) == (0, 4, (4,))


def test_tokens_that_end_a_reply_by_custom_end_it_here_too(tmp_path: Path) -> None:
    """An ONNX model once continued where the GGUF of its student stopped, because its configs name only one end."""
    from tokenizers import Tokenizer, models

    made = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<reponame>"])
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    assert Vocabulary(tmp_path).special_ids.eos_ids == (1, 3, 4)


def changed_graph(model: Path, out: Path, change: Callable[[Any], None]) -> Path:
    """Copy a model's folder with another graph."""
    shutil.copytree(model.parent, out)
    graph = load_graph(out)
    change(graph.graph)
    (out / model.name).unlink()
    save_graph(graph, out)
    return out / model.name


def huge_constant(graph: Any) -> None:
    """Multiply the logits by a constant of four terabytes, which exists only when the graph runs."""
    from onnx import helper, numpy_helper

    produced = next(node for node in graph.node if "logits" in node.output)
    produced.output[list(produced.output).index("logits")] = "own_logits"
    graph.initializer.append(numpy_helper.from_array(np.array([1 << 40], np.int64), "many"))
    zero = numpy_helper.from_array(np.zeros(1, np.float32))
    graph.node.append(helper.make_node("ConstantOfShape", ["many"], ["zeros"], value=zero))
    graph.node.append(helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0))
    graph.node.append(helper.make_node("Add", ["own_logits", "nothing"], ["logits"]))


def huge_initializer(graph: Any) -> None:
    del graph.initializer[0].dims[:]
    graph.initializer[0].dims.extend([1 << 20, 1 << 20])


def far_data(key: str, value: int) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        tensor = next(tensor for tensor in graph.initializer if tensor.external_data)
        next(entry for entry in tensor.external_data if entry.key == key).value = str(value)

    return change


def huge_cache(graph: Any) -> None:
    for one in [*graph.input, *graph.output]:
        if one.name.startswith(("past_key_values.", "present.")):
            one.type.tensor_type.shape.dim[1].dim_value = 1 << 40


@pytest.mark.parametrize(
    "change",
    [huge_constant, huge_initializer, far_data("offset", 1 << 60), far_data("length", 1 << 60), huge_cache],
    ids=["constant", "initializer", "offset", "length", "cache"],
)
def test_a_graph_that_asks_for_terabytes(
    tiny_onnx: dict[str, Path], tmp_path: Path, change: Callable[[Any], None]
) -> None:
    """In a runner of its own, as always: one sentence, and neither the host nor the machine goes down with it."""
    graph = changed_graph(tiny_onnx["fp32"], tmp_path / "model", change)
    with pytest.raises(FddError) as caught, open_session(load_profile("local"), graph, settings=BASE) as session:
        list(session.complete([Wave(0, tuple(TASKS[:2]))]))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


CARD_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("fdd_edge.json", {"parameters": "x"}, "parameters must be a whole number, not 'x'"),
    ("fdd_edge.json", {"prompt_template": 5}, "prompt_template must be a text, not '5'"),
    ("fdd_edge.json", {"stop_ids": [[1]]}, "stop_ids must be a list of whole numbers, not '[[1]]'"),
    ("fdd_edge.json", {"stop_ids": "abc"}, "stop_ids must be a list of whole numbers, not 'abc'"),
    ("fdd_edge.json", {"adds_bos": "no"}, "adds_bos must be true or false, not 'no'"),
    ("tokenizer_config.json", {"eos_token": {"x": 1}}, "eos_token must be a token, not \"{'x': 1}\""),
    ("tokenizer_config.json", {"bos_token": ["a"]}, "bos_token must be a token, not \"['a']\""),
    (
        "generation_config.json",
        {"eos_token_id": [["a"]]},
        "eos_token_id must be a whole number or a list of such, not \"[['a']]\"",
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "fault"), CARD_FAULTS, ids=[f"{f[0]} {next(iter(f[1]))}" for f in CARD_FAULTS]
)
def test_a_stranger_s_file_that_states_nonsense_is_named(
    tiny_onnx: dict[str, Path], tmp_path: Path, name: str, change: dict[str, Any], fault: str
) -> None:
    """These were a traceback, or an AttributeError of the runner."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_onnx["fp32"].parent, folder)
    path, card = folder / name, folder / "fdd_edge.json"
    if name != card.name:  # otherwise the card says which ids end a reply
        card.unlink(missing_ok=True)
    stated = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(stated | change), encoding="utf-8")
    with pytest.raises(RunnerError) as caught:
        Vocabulary(folder).special_ids  # noqa: B018
    assert (str(caught.value), caught.value.kind) == (f"{path}: {fault}.", "bad_artifact")
    if name == card.name:
        with pytest.raises(FddError) as also:
            describe_onnx(folder / "model.onnx")
        assert str(also.value) == str(caught.value)


def test_sections_of_a_config_that_are_no_objects(tiny_onnx: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_onnx["fp32"].parent, folder)
    (folder / "genai_config.json").write_text('{"search": 1, "model": []}', encoding="utf-8")
    with pytest.raises(RunnerError, match="does not write its key-value cache in place"):
        Model(str(folder / "model.onnx"), 1)
