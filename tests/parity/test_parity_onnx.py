"""Certificates of ONNX models: every family passes, and each planted fault fails under its own item."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from families import CASES, Case

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")

from fdd_edge import catalog
from fdd_edge.artifacts.onnx.graph import load_graph, save_graph
from fdd_edge.artifacts.recipe import OnnxRecipe, load_recipe
from fdd_edge.errors import FddError
from fdd_edge.operations.certify import certify, find_bounds, reference_of
from fdd_edge.operations.export import export_onnx
from fdd_edge.parity import Certificate, Item, ReferenceOutputs
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student


class Good(NamedTuple):
    """A student, what it answers, and its graphs by recipe."""

    student: Student
    record: ReferenceOutputs
    graphs: dict[str, Path]


def make(student: Student, recipe: str, out: Path) -> Path:
    found = load_recipe(recipe)
    assert isinstance(found, OnnxRecipe)
    export_onnx(student.folder, student.vocab, out, found, name="tiny", template=file_prompt("plain"), license=None)
    return out / "model.onnx"


@pytest.fixture(scope="module")
def good(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    record = reference_of(tiny_student, [], template=file_prompt("plain"), trained=True, threads=1)
    folder = tmp_path_factory.mktemp("onnx")
    names = ("onnx-fp32", "onnx-int8-avx2", "onnx-int4")
    return Good(tiny_student, record, {name: make(tiny_student, name, folder / name) for name in names})


def hold(good: Good, graph: Path, recipe: str) -> Certificate:
    return certify(graph, good.student.folder, good.record, load_recipe(recipe), target="local", threads=1)


def failed(certificate: Certificate) -> list[str]:
    return [item.name for item in certificate.failed]


def item(certificate: Certificate, name: str) -> Item:
    return next(item for item in certificate.items if item.name == name)


@pytest.fixture
def copy(good: Good, tmp_path: Path) -> Callable[[str], Path]:
    """Return a graph of one's own to damage."""

    def copy_of(recipe: str) -> Path:
        shutil.copytree(good.graphs[recipe].parent, tmp_path / recipe)
        return tmp_path / recipe / "model.onnx"

    return copy_of


@pytest.mark.parametrize("recipe", ["onnx-fp32", "onnx-int8-avx2", "onnx-int4"])
def test_a_good_graph_passes(good: Good, recipe: str) -> None:
    certificate = hold(good, good.graphs[recipe], recipe)
    assert failed(certificate) == []
    assert certificate.target["runtime"] == "onnxruntime"


@pytest.mark.parametrize("recipe", ["onnx-fp32", "onnx-int8-avx2", "onnx-int4"])
def test_whoever_may_read_the_configs_may_read_the_weights(good: Good, recipe: str) -> None:
    """The weights of int4 once were the exporting user's alone."""
    assert len({path.stat().st_mode for path in good.graphs[recipe].parent.iterdir()}) == 1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_family_is_the_model_it_was_made_from(
    case: Case, family_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    student = family_student(case)
    if case.family == "gemma3":
        student = with_layers(student, ["sliding_attention"] * 2, tmp_path / "student")
    record = reference_of(student, [], template=file_prompt("plain"), trained=True, threads=1)
    graph = make(student, "onnx-fp32", tmp_path / "onnx-fp32")
    certificate = certify(graph, student.folder, record, load_recipe("onnx-fp32"), target="local", threads=1)
    assert failed(certificate) == []
    quantized = make(student, "onnx-int4", tmp_path / "onnx-int4")
    certificate = certify(quantized, student.folder, record, load_recipe("onnx-int4"), target="local", threads=1)
    assert item(certificate, "tensors").passed, item(certificate, "tensors").failure_message


def with_layers(student: Student, kinds: list[str], out: Path) -> Student:
    """Return a student whose attention layers are of other kinds; it says something all the same."""
    shutil.copytree(student.folder, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps(config | {"layer_types": kinds}), encoding="utf-8")
    return open_student(str(out))


def test_layers_that_the_builder_would_make_otherwise(
    family_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """It goes by the place of a layer, not by the config, and its graph then loads, runs and writes something else."""
    with pytest.raises(FddError, match="a full one at each 6th place"):
        make(family_student(Case("gemma3")), "onnx-fp32", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_embedding_as_the_builder_leaves_it(good: Good, tmp_path: Path) -> None:
    """Its zero points left out: it loads, it writes, and every token is embedded as something else.

    The tiny student's are near the middle of the range, so that its replies hardly change; a real one's are not.
    """
    packaged = catalog.find("export/recipes", "onnx-int4").read_text(encoding="utf-8")
    recipe = tmp_path / "k_quant.yaml"
    recipe.write_text(packaged.replace("name: onnx-int4", "name: k_quant").replace("absmax", "k_quant"))
    graph = make(good.student, str(recipe), tmp_path / "k_quant")
    assert hold(good, graph, str(recipe)).passed
    model = load_graph(graph.parent)
    gather = next(node for node in model.graph.node if node.op_type == "GatherBlockQuantized")
    assert gather.input[3:]
    del gather.input[3:]
    save_graph(model, graph.parent)
    certificate = hold(good, graph, str(recipe))
    assert failed(certificate)[0] == "tensors"
    assert (item(certificate, "tensors").first_difference or {})["tensor"] == "model.embed_tokens.weight"


def test_a_head_that_is_broken_in_int4(good: Good, copy: Callable[[str], Path]) -> None:
    graph = copy("onnx-int4")
    damage(graph, "lm_head.MatMul.weight_scale", lambda scale: scale * 2)
    certificate = hold(good, graph, "onnx-int4")
    assert {"tensors", "logits"} <= set(failed(certificate))
    wrong = (item(certificate, "tensors").first_difference or {})["tensor"]
    assert wrong in ("lm_head.weight", "model.embed_tokens.weight"), "they share it"


def test_a_cache_that_repeats_the_first_step(good: Good, copy: Callable[[str], Path]) -> None:
    """Weights are right, and so is the first token; from the second on attention sees the wrong past."""
    graph = copy("onnx-fp32")
    model = load_graph(graph.parent)
    attention = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    attention[1].input[3], attention[1].input[4] = attention[0].input[3], attention[0].input[4]
    save_graph(model, graph.parent)
    certificate = hold(good, graph, "onnx-fp32")
    assert "tensors" not in failed(certificate)
    assert {"logits", "greedy_tokens"} <= set(failed(certificate))


def reads_the_cache_of_another_layer(graph: Any) -> None:
    attention = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
    attention[1].input[3], attention[1].input[4] = attention[0].input[3], attention[0].input[4]


def crosses_gate_and_up(graph: Any) -> None:
    gate, up = (next(n for n in graph.node if f"layers.0/mlp/{part}_proj/MatMul" in n.name) for part in ("gate", "up"))
    gate.output[0], up.output[0] = up.output[0], gate.output[0]


def scales_attention_otherwise(graph: Any) -> None:
    for node in (node for node in graph.node if node.op_type == "GroupQueryAttention"):
        next(a for a in node.attribute if a.name == "scale").f = 0.3


@pytest.mark.parametrize("recipe", ["onnx-int4", "onnx-int8-avx2"])
@pytest.mark.parametrize(
    "fault",
    [
        reads_the_cache_of_another_layer,
        crosses_gate_and_up,
        scales_attention_otherwise,
    ],
)
def test_a_quantized_graph_that_is_wired_wrongly(
    good: Good, copy: Callable[[str], Path], recipe: str, fault: Callable[[Any], None]
) -> None:
    """Rounding moves logits as far as such a fault does: under the bounds for these the certificate once passed."""
    graph = copy(recipe)
    model = load_graph(graph.parent)
    fault(model.graph)
    save_graph(model, graph.parent)
    certificate = hold(good, graph, recipe)
    assert "own_weights" in failed(certificate)
    assert "tensors" not in failed(certificate)


def test_a_graph_without_a_prompt_of_its_own_is_asked_by_the_callers(good: Good, copy: Callable[[str], Path]) -> None:
    """Its float twin once was not told the prompt, and could not be asked."""
    graph = copy("onnx-int8-avx2")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    del card["prompt_template"]
    path.write_text(json.dumps(card), encoding="utf-8")
    recipe, prompt = load_recipe("onnx-int8-avx2"), file_prompt("plain")
    held = certify(graph, good.student.folder, good.record, recipe, target="local", threads=1, prompt=prompt)
    assert failed(held) == []


def test_an_int8_graph_of_another_quantizers_making_is_named(good: Good, copy: Callable[[str], Path]) -> None:
    """Nothing of it can be told apart, so nothing is certified; it once would have been a traceback."""
    from onnx import helper

    graph = copy("onnx-int8-avx2")
    model = load_graph(graph.parent)
    at, product = next((i, n) for i, n in enumerate(model.graph.node) if n.op_type == "MatMulInteger")
    model.graph.node.insert(at + 1, helper.make_node("Identity", [product.output[0]], ["read_twice"]))
    save_graph(model, graph.parent)
    own = item(hold(good, graph, "onnx-int8-avx2"), "own_weights")
    assert not own.passed
    assert "is no product that is rounded, cast and scaled as optimum does it" in own.summary


def test_a_weight_that_is_not_quantized_is_exact(good: Good, copy: Callable[[str], Path]) -> None:
    """A norm that was a twentieth too large once passed under the bound of 4-bit matrices."""
    from onnx import numpy_helper

    graph = copy("onnx-int4")
    model = load_graph(graph.parent)
    norm = next(one for one in model.graph.initializer if one.name == "model.layers.0.input_layernorm.weight")
    norm.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(norm) * np.float32(1.05), norm.name))
    save_graph(model, graph.parent)
    wrong = item(hold(good, graph, "onnx-int4"), "tensors")
    assert not wrong.passed
    assert (wrong.first_difference or {})["tensor"] == "model.layers.0.input_layernorm.weight"


@pytest.mark.parametrize(
    ("name", "section", "key", "value"),
    [
        ("genai_config.json", ("model",), "eos_token_id", 5),
        ("genai_config.json", ("model", "decoder"), "num_hidden_layers", 99),
        ("genai_config.json", ("search",), "do_sample", True),
        ("generation_config.json", (), "eos_token_id", 7),
        ("config.json", (), "num_attention_heads", 8),
    ],
)
def test_configs_that_tell_other_readers_something_else(
    good: Good, copy: Callable[[str], Path], name: str, section: tuple[str, ...], key: str, value: object
) -> None:
    """The runner does not read them, so nothing that it does tells."""
    graph = copy("onnx-int4")
    path = graph.with_name(name)
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for part in section:
        inner = inner[part]
    inner[key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    certificate = hold(good, graph, "onnx-int4")
    assert failed(certificate) == ["configs"]
    assert (item(certificate, "configs").first_difference or {})["key"].startswith(name)


def test_an_emptied_graph_is_called_damaged(good: Good, copy: Callable[[str], Path]) -> None:
    """The sentence once had a hole where the types of its weights should stand."""
    graph = copy("onnx-int4")
    graph.write_bytes(b"")
    with pytest.raises(FddError, match="holds no weights: it is damaged"):
        find_bounds(graph, None)


def test_weights_of_another_export(good: Good, copy: Callable[[str], Path], tmp_path: Path) -> None:
    """A re-trained student's weights have the very layout, so nothing but their numbers tells."""
    graph = copy("onnx-fp32")
    path = graph.with_name("model.onnx.data")
    raw = np.frombuffer(path.read_bytes(), np.float32).copy()
    path.write_bytes((raw * np.float32(1.01)).tobytes())
    certificate = hold(good, graph, "onnx-fp32")
    assert {"tensors", "logits"} <= set(failed(certificate))


def test_tokenizer_files_of_another_model(
    good: Good, copy: Callable[[str], Path], family_student: Callable[[Case], Student]
) -> None:
    graph = copy("onnx-fp32")
    shutil.copy2(family_student(Case("qwen2")).folder / "tokenizer.json", graph.with_name("tokenizer.json"))
    certificate = hold(good, graph, "onnx-fp32")
    assert {"vocabulary", "prompt_ids"} <= set(failed(certificate))


def test_another_prompt_another_stop_another_bos(good: Good, copy: Callable[[str], Path]) -> None:
    graph = copy("onnx-fp32")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"prompt_template": "Q: {question}\n", "stop_ids": [5]}), encoding="utf-8")
    assert {"prompt_bytes", "stop_ids"} <= set(failed(hold(good, graph, "onnx-fp32")))


def test_a_recipe_of_the_other_family_is_refused(good: Good) -> None:
    with pytest.raises(FddError, match=r"gguf-q8_0 makes no \.onnx file; its recipes are onnx-fp32"):
        find_bounds(good.graphs["onnx-int4"], "gguf-q8_0")
    assert find_bounds(good.graphs["onnx-int4"], None).name == "onnx-int4"


def test_a_graph_that_names_a_finer_recipe_than_its_own(good: Good, copy: Callable[[str], Path]) -> None:
    """What a folder says of itself is a stranger's word: it must not choose coarser bounds than its own."""
    graph = copy("onnx-fp32")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"recipe": "onnx-int4"}), encoding="utf-8")
    with pytest.raises(FddError, match="names the recipe onnx-int4"):
        find_bounds(graph, None)


def damage(graph: Path, name: str, edit: Callable[[Any], Any]) -> None:
    """Change one tensor where it lies."""
    model = load_graph(graph.parent)
    stored = next(one for one in model.graph.initializer if one.name == name)
    place = {entry.key: entry.value for entry in stored.external_data}
    data = bytearray((graph.parent / place["location"]).read_bytes())
    start, length = int(place.get("offset", 0)), int(place["length"])
    changed = edit(np.frombuffer(bytes(data[start : start + length]), np.float32))
    data[start : start + length] = np.asarray(changed, np.float32).tobytes()
    (graph.parent / place["location"]).write_bytes(data)
