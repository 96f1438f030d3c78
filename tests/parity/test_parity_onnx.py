"""Certificates of ONNX models: every architecture passes, and each planted fault fails under its own item."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from architectures import PARAMETERS, Case

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")

from fdd_edge import catalog
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.onnx.graph import load_graph, save_graph
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.operations.certify import certify_file, find_bounds, reference_of
from fdd_edge.operations.export import export_from_student
from fdd_edge.parity import Certificate, Item, ReferenceOutputs
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.targets import TargetRuntime, load_profile


class Good(NamedTuple):
    """A student, its outputs, and its graphs by recipe."""

    student: Student
    reference: ReferenceOutputs
    graphs: dict[str, Path]
    few: ReferenceOutputs | None = None


def make(student: Student, recipe: str, out: Path) -> Path:
    labels = ArtifactLabels("tiny", file_prompt("plain"))
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe(recipe))
    return out / "model.onnx"


@pytest.fixture(scope="module")
def good(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    reference = reference_of(tiny_student, [], template=file_prompt("plain"), trained=True, threads=1)
    folder = tmp_path_factory.mktemp("onnx")
    names = ("onnx-fp32", "onnx-int8-avx2", "onnx-int4")
    few = reference_of(tiny_student, [], template=file_prompt("plain"), trained=True, few=True, threads=1)
    return Good(tiny_student, reference, {name: make(tiny_student, name, folder / name) for name in names}, few)


def compare(good: Good, graph: Path, recipe: str, prompt: str | None = None) -> Certificate:
    """Return the certificate of all prompts; in a run, which begins with a few, it says the same."""
    named, runtime = load_recipe(recipe), TargetRuntime(load_profile("local"), "onnx")
    certify = partial(certify_file, graph, good.student.folder, recipe=named, runtime=runtime, threads=1, prompt=prompt)
    if good.few is None:
        return certify(good.reference)
    of_a_run = certify(good.few, answer_all=lambda: good.reference)
    if of_a_run.prompts["answered"] == 64:
        return of_a_run
    certificate = certify(good.reference)
    assert of_a_run.passed and certificate.passed, certificate.failed
    return certificate


def failed(certificate: Certificate) -> list[str]:
    return [item.name for item in certificate.failed]


def item(certificate: Certificate, name: str) -> Item:
    return next(item for item in certificate.items if item.name == name)


@pytest.fixture
def copy(good: Good, tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a graph that can be damaged."""

    def copy_of(recipe: str) -> Path:
        shutil.copytree(good.graphs[recipe].parent, tmp_path / recipe)
        return tmp_path / recipe / "model.onnx"

    return copy_of


@pytest.mark.parametrize("recipe", ["onnx-fp32", "onnx-int8-avx2", "onnx-int4"])
def test_a_good_graph_passes(good: Good, recipe: str) -> None:
    certificate = compare(good, good.graphs[recipe], recipe)
    assert failed(certificate) == []
    assert certificate.target["runtime"] == "onnxruntime"


@pytest.mark.parametrize("recipe", ["onnx-fp32", "onnx-int8-avx2", "onnx-int4"])
def test_the_weights_are_as_readable_as_the_configs(good: Good, recipe: str) -> None:
    """The weights of int4 used to be readable by the exporting user only."""
    assert len({path.stat().st_mode for path in good.graphs[recipe].parent.iterdir()}) == 1


@pytest.mark.parametrize("case", PARAMETERS)
def test_every_architecture_matches_its_float_model(
    case: Case, architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    student = architecture_student(case)
    if case.architecture == "gemma3":
        student = with_layers(student, ["sliding_attention"] * 2, tmp_path / "student")
    reference = reference_of(student, [], template=file_prompt("plain"), trained=True, threads=1)
    graphs = {name: make(student, name, tmp_path / name) for name in ("onnx-fp32", "onnx-int4")}
    made = Good(student, reference, graphs)
    assert failed(compare(made, graphs["onnx-fp32"], "onnx-fp32")) == []
    certificate = compare(made, graphs["onnx-int4"], "onnx-int4")
    assert item(certificate, "tensors").passed, item(certificate, "tensors").failure_message


def with_layers(student: Student, kinds: list[str], out: Path) -> Student:
    """Return a student whose config names other kinds of attention layers; it still writes something."""
    shutil.copytree(student.folder, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps(config | {"layer_types": kinds}), encoding="utf-8")
    return open_student(str(out))


def test_layers_that_the_builder_would_build_differently(
    architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """The builder ignores the config; its graph would load, run and write something else."""
    with pytest.raises(FddError, match="a sliding window in all but every 6th layer"):
        make(architecture_student(Case("gemma3")), "onnx-fp32", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_embedding_as_the_builder_leaves_it(good: Good, tmp_path: Path) -> None:
    """Without its zero points the graph loads and writes, but every token has a wrong embedding.

    The tiny student's are near the middle of the range, so that its replies hardly change; a real one's are not.
    """
    packaged = catalog.find("export/recipes", "onnx-int4").read_text(encoding="utf-8")
    recipe = tmp_path / "k_quant.yaml"
    recipe.write_text(packaged.replace("name: onnx-int4", "name: k_quant").replace("absmax", "k_quant"))
    graph = make(good.student, str(recipe), tmp_path / "k_quant")
    assert compare(good, graph, str(recipe)).passed
    model = load_graph(graph.parent)
    gather = next(node for node in model.graph.node if node.op_type == "GatherBlockQuantized")
    assert gather.input[3:]
    del gather.input[3:]
    save_graph(model, graph.parent)
    certificate = compare(good, graph, str(recipe))
    assert failed(certificate)[0] == "tensors"
    assert (item(certificate, "tensors").first_difference or {})["tensor"] == "model.embed_tokens.weight"


def test_a_head_that_is_broken_in_int4(good: Good, copy: Callable[[str], Path]) -> None:
    graph = copy("onnx-int4")
    damage(graph, "lm_head.MatMul.weight_scale", lambda scale: scale * 2)
    certificate = compare(good, graph, "onnx-int4")
    assert {"tensors", "logits"} <= set(failed(certificate))
    wrong = (item(certificate, "tensors").first_difference or {})["tensor"]
    assert wrong in ("lm_head.weight", "model.embed_tokens.weight"), "they share a matrix"


def test_a_cache_that_repeats_the_first_step(good: Good, copy: Callable[[str], Path]) -> None:
    """The weights and the first token are right; from the second token on, attention reads the wrong cache."""
    graph = copy("onnx-fp32")
    model = load_graph(graph.parent)
    attention = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    attention[1].input[3], attention[1].input[4] = attention[0].input[3], attention[0].input[4]
    save_graph(model, graph.parent)
    certificate = compare(good, graph, "onnx-fp32")
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
    """Rounding changes logits as much as such a fault does, so bounds on logits alone did not detect it."""
    graph = copy(recipe)
    model = load_graph(graph.parent)
    fault(model.graph)
    save_graph(model, graph.parent)
    certificate = compare(good, graph, recipe)
    assert "own_weights" in failed(certificate)
    assert "tensors" not in failed(certificate)


def test_a_graph_without_a_stored_prompt_is_asked_with_the_callers(good: Good, copy: Callable[[str], Path]) -> None:
    """The dequantized graph used to get no prompt, and could not be asked."""
    graph = copy("onnx-int8-avx2")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    del card["prompt_template"]
    path.write_text(json.dumps(card), encoding="utf-8")
    assert failed(compare(good, graph, "onnx-int8-avx2", prompt=file_prompt("plain"))) == []


def test_an_int8_graph_of_another_quantizer_is_named(good: Good, copy: Callable[[str], Path]) -> None:
    """Its products cannot be recognised, so it is not certified; it used to end in a traceback."""
    from onnx import helper

    graph = copy("onnx-int8-avx2")
    model = load_graph(graph.parent)
    at, product = next((i, n) for i, n in enumerate(model.graph.node) if n.op_type == "MatMulInteger")
    model.graph.node.insert(at + 1, helper.make_node("Identity", [product.output[0]], ["read_twice"]))
    save_graph(model, graph.parent)
    own = item(compare(good, graph, "onnx-int8-avx2"), "own_weights")
    assert not own.passed
    assert "is not in optimum's int8 layout; export the model again" in own.summary


def test_a_weight_that_is_not_quantized_is_exact(good: Good, copy: Callable[[str], Path]) -> None:
    """A norm that was 5 % too large used to pass under the bound of 4-bit matrices."""
    from onnx import numpy_helper

    graph = copy("onnx-int4")
    model = load_graph(graph.parent)
    norm = next(one for one in model.graph.initializer if one.name == "model.layers.0.input_layernorm.weight")
    norm.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(norm) * np.float32(1.05), norm.name))
    save_graph(model, graph.parent)
    wrong = item(compare(good, graph, "onnx-int4"), "tensors")
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
def test_configs_that_mislead_other_readers(
    good: Good, copy: Callable[[str], Path], name: str, section: tuple[str, ...], key: str, value: object
) -> None:
    """The runner does not read them, so its outputs do not show it."""
    graph = copy("onnx-int4")
    path = graph.with_name(name)
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for part in section:
        inner = inner[part]
    inner[key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    certificate = compare(good, graph, "onnx-int4")
    assert failed(certificate) == ["configs"]
    assert str((item(certificate, "configs").first_difference or {})["key"]).startswith(name)


def test_an_emptied_graph_is_called_damaged(good: Good, copy: Callable[[str], Path]) -> None:
    """The message used to have a gap in place of the types of its weights."""
    graph = copy("onnx-int4")
    graph.write_bytes(b"")
    with pytest.raises(FddError, match="contains no weights: it is damaged"):
        find_bounds(graph, None)


def test_weights_of_another_export(good: Good, copy: Callable[[str], Path], tmp_path: Path) -> None:
    """The weights of a re-trained student have the same layout, so only their values show it."""
    graph = copy("onnx-fp32")
    path = graph.with_name("model.onnx.data")
    raw = np.frombuffer(path.read_bytes(), np.float32).copy()
    path.write_bytes((raw * np.float32(1.01)).tobytes())
    certificate = compare(good, graph, "onnx-fp32")
    assert {"tensors", "logits"} <= set(failed(certificate))


def test_tokenizer_files_of_another_model(
    good: Good, copy: Callable[[str], Path], architecture_student: Callable[[Case], Student]
) -> None:
    graph = copy("onnx-fp32")
    shutil.copy2(architecture_student(Case("qwen2")).folder / "tokenizer.json", graph.with_name("tokenizer.json"))
    certificate = compare(good, graph, "onnx-fp32")
    assert {"vocabulary", "prompt_ids"} <= set(failed(certificate))


def test_another_prompt_another_stop_another_bos(good: Good, copy: Callable[[str], Path]) -> None:
    graph = copy("onnx-fp32")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"prompt_template": "Q: {question}\n", "stop_ids": [5]}), encoding="utf-8")
    assert {"prompt_bytes", "stop_ids"} <= set(failed(compare(good, graph, "onnx-fp32")))


def test_a_recipe_of_the_other_family_is_refused(good: Good) -> None:
    with pytest.raises(FddError, match=r"gguf-q8_0 does not make \.onnx files\. Recipes that do: onnx-fp32"):
        find_bounds(good.graphs["onnx-int4"], "gguf-q8_0")
    assert find_bounds(good.graphs["onnx-int4"], None).name == "onnx-int4"


def test_a_graph_that_names_a_finer_recipe_than_its_own(good: Good, copy: Callable[[str], Path]) -> None:
    """A folder is not trusted: it must not choose wider bounds than its own."""
    graph = copy("onnx-fp32")
    path = graph.with_name("fdd_edge.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"recipe": "onnx-int4"}), encoding="utf-8")
    with pytest.raises(FddError, match="names the recipe onnx-int4"):
        find_bounds(graph, None)


def damage(graph: Path, name: str, edit: Callable[[Any], Any]) -> None:
    """Change one tensor in its file."""
    model = load_graph(graph.parent)
    stored = next(one for one in model.graph.initializer if one.name == name)
    place = {entry.key: entry.value for entry in stored.external_data}
    data = bytearray((graph.parent / place["location"]).read_bytes())
    start, length = int(place.get("offset", 0)), int(place["length"])
    changed = edit(np.frombuffer(bytes(data[start : start + length]), np.float32))
    data[start : start + length] = np.asarray(changed, np.float32).tobytes()
    (graph.parent / place["location"]).write_bytes(data)
