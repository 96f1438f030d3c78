"""ONNX folders: they load in the ecosystem's own runtimes, and contain the numbers that their recipe promises."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from architectures import Case

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.onnx import OnnxRecipe, describe_onnx, onnx_tensors, stored_weights
from fdd_edge.artifacts.recipe import Recipe, load_recipe
from fdd_edge.ondevice.batching import Decoder
from fdd_edge.ondevice.onnxruntime_model import Model
from fdd_edge.ondevice.prompt import make_prompt
from fdd_edge.ondevice.protocol import Decoding, RunnerError, Settings, Task, Wave
from fdd_edge.operations.export import export_from_student, warn_of_rounding
from fdd_edge.parity_bounds import Bounds
from fdd_edge.resolve.student import Student

QUESTIONS = ["Tom has 3 apples and gets 4. How many?", "A pen costs 2 dollars. What do 7 pens cost?"]
KINDS = ("onnx-fp32", "onnx-int8-avx2", "onnx-int4", "onnx-int4-quality")
N_NEW = 20
NEAR_TIE = 0.5
"""Difference of logits within which int8 may swap two tokens; a trained student's best leads by several."""
STOPS = {0}
"""The ids that end a reply of the tiny student."""
BOUNDS = Bounds(tensors=1, logits_median=1, logits_p99=1, kl_mean=1, greedy=0, stops=0, clear_lead=0)


def int4(algorithm: str, mixed: str, block_size: int = 32) -> OnnxRecipe:
    return OnnxRecipe.model_validate(
        {
            "name": f"{algorithm}-{mixed}", "family": "onnx", "precision": "int4", "algorithm": algorithm,
            "mixed_precision": mixed, "block_size": block_size, "description": "a test's", "parity": BOUNDS,
        }
    )  # fmt: skip


def export(student: Student, recipe: Recipe, out: Path) -> Path:
    labels = ArtifactLabels("tiny", "Q: {question}\n")
    export_from_student(out, merged=None, student=student, labels=labels, recipe=recipe)
    return out / "model.onnx"


@pytest.fixture(scope="module")
def graphs(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("ecosystem")
    found = {name: load_recipe(name) for name in KINDS}
    return {name: export(tiny_student, recipe, root / name) for name, recipe in found.items()}


def replies(graph: Path) -> list[tuple[list[int], list[int]]]:
    """Return the ids of each prompt and of the runner's reply to it, decoded alone."""
    settings = Settings(Decoding(N_NEW, batch_size=1, threads=1), return_ids=True)
    wave = Wave(0, tuple(Task(str(i), 0, question) for i, question in enumerate(QUESTIONS)))
    with Model(str(graph), threads=1) as model, Decoder(model, make_prompt(None, (), model), settings) as decoder:
        return [(list(row.prompt_ids or ()), list(row.ids or ())) for row in decoder.run(wave).completions]


def assert_same_reply(kind: str, theirs: Sequence[int], ours: Sequence[int], logits: Sequence[np.ndarray]) -> None:
    """Compare another library's reply, with its logits, to the runner's.

    int8 rounds activations by the largest one of a call, and the calls differ: a near tie may then go either way.
    """
    parted = next((at for at, (a, b) in enumerate(zip_longest(theirs, ours)) if a != b), None)
    if parted is not None:
        assert "int8" in kind
        best, other = (
            max(logits[parted][token] for token in (reply[parted : parted + 1] or STOPS)) for reply in (theirs, ours)
        )
        assert best - other < NEAR_TIE


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_loads_in_onnxruntime_genai(graphs: dict[str, Path], kind: str) -> None:
    import onnxruntime_genai as og

    model = og.Model(str(graphs[kind].parent))
    for prompt, reply in replies(graphs[kind]):
        settings = og.GeneratorParams(model)
        settings.set_search_options(max_length=len(prompt) + N_NEW, do_sample=False)
        generator = og.Generator(model, settings)
        generator.append_tokens(prompt)
        logits = []
        while not generator.is_done():
            logits.append(generator.get_logits()[0, -1].copy())
            generator.generate_next_token()
        # It keeps the token that ends a reply to itself, also where that is the last one asked for.
        theirs, ours = generator.get_sequence(0).tolist()[len(prompt) :], [t for t in reply if t not in STOPS]
        assert_same_reply(kind, theirs, ours, logits)
    assert og.Tokenizer(model).encode(QUESTIONS[0]).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_loads_in_optimum(graphs: dict[str, Path], kind: str) -> None:
    import torch
    from optimum.onnxruntime import ORTModelForCausalLM
    from transformers import AutoTokenizer

    folder = str(graphs[kind].parent)
    model = ORTModelForCausalLM.from_pretrained(folder)
    for prompt, reply in replies(graphs[kind]):
        ids = torch.tensor([prompt])
        settings = {"max_new_tokens": N_NEW, "do_sample": False, "output_scores": True, "return_dict_in_generate": True}
        out = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
        theirs = out.sequences[0, len(prompt) :].tolist()
        assert_same_reply(kind, theirs, reply, [scores[0].numpy() for scores in out.scores])
    with Model(str(graphs[kind]), threads=1) as runner:
        assert AutoTokenizer.from_pretrained(folder)(QUESTIONS[0]).input_ids == runner.tokenize(QUESTIONS[0])


def test_absmax_loses_nothing_of_a_student_trained_for_q4_0(tiny_student: Student, tmp_path: Path) -> None:
    """Its matrices are on the grid of Q4_0 already; the 8-bit head loses little, and is the embedding too."""
    from safetensors.torch import load_file, save_file

    from fdd_edge.students.grids import GRIDS

    shutil.copytree(tiny_student.folder, tmp_path / "trained")
    weights = load_file(tmp_path / "trained/model.safetensors")
    for name, weight in weights.items():
        if "_proj" in name:
            weights[name] = GRIDS["Q4_0"].round_(weight.float().T.contiguous()).T.contiguous()
    save_file(weights, tmp_path / "trained/model.safetensors", {"format": "pt"})
    student = tiny_student._replace(folder=tmp_path / "trained")
    stored = stored_weights(export(student, int4("absmax", "last"), tmp_path / "int4"))
    for name, expected in onnx_tensors(student.folder):
        if "_proj" in name:
            np.testing.assert_array_equal(stored[name].load(), expected)
    head, embedding = stored["lm_head.weight"].load(), stored["model.embed_tokens.weight"].load()
    np.testing.assert_array_equal(head, embedding)
    expected = weights["model.embed_tokens.weight"].float().numpy()
    assert np.linalg.norm(head - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("algorithm", "mixed"),
    [
        ("absmax", "none"),
        ("absmax", "last"),
        ("rtn", "none"),
        ("rtn", "last"),
        ("k_quant", "last"),
        ("k_quant", "mixed"),
    ],
)
@pytest.mark.parametrize("tied", [True, False])
def test_every_algorithm_rounds_every_matrix(
    architecture_student: Callable[[Case], Student], algorithm: str, mixed: str, tied: bool, tmp_path: Path
) -> None:
    """Embedding and head too, whether they are one matrix or two."""
    student = architecture_student(Case("llama", tied=tied))
    graph = export(student, int4(algorithm, mixed), tmp_path / "int4")
    types = describe_onnx(graph).types
    assert (types.get("INT8", 0) > 0) == (mixed != "none") and types["INT4"] > 1 and "F32" not in types
    stored = stored_weights(graph)
    for name, expected in onnx_tensors(student.folder):
        assert np.linalg.norm(stored[name].load() - expected) <= 0.15 * np.linalg.norm(expected), name
    assert stored["model.embed_tokens.weight"].type != "F32"
    assert all(ids for _, ids in replies(graph))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: cut(folder / "model.onnx"), "ONNX Runtime cannot load .*Protobuf parsing failed"),
        (lambda folder: (folder / "model.onnx.data").unlink(), "its weights file is missing, .*model.onnx.data"),
        (lambda folder: cut(folder / "model.onnx.data"), "its weights file is truncated"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "an ONNX model needs its tokenizer in the same folder"),
        (lambda folder: (folder / "genai_config.json").write_text("{"), "genai_config.json cannot be read"),
    ],
)
def test_a_damaged_folder_is_one_clear_sentence(
    graphs: dict[str, Path], damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(graphs["onnx-int4"].parent, tmp_path / "damaged"))
    damage(folder)
    with pytest.raises(RunnerError, match=sentence), Model(str(folder / "model.onnx"), threads=1):
        pass


def test_an_export_that_is_killed_leaves_no_folder_that_looks_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fdd_edge", "export", "tiny", "-r", "onnx-int8-avx2", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as export_:
        assert export_.stderr is not None
        for line in export_.stderr:
            if line.startswith("exporting onnx-int8-avx2"):
                export_.kill()
    assert export_.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert all(path.name.startswith(".") for path in tmp_path.iterdir())


def test_a_student_trained_for_q4_0_is_warned_of_other_grids_only(capsys: pytest.CaptureFixture[str]) -> None:
    recipes = [int4("absmax", "last"), int4("absmax", "last", 16), int4("k_quant", "last"), load_recipe("gguf-q4_0")]
    warn_of_rounding("q4_0", recipes)
    warned = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert warned == ["absmax-last", "k_quant-last"]
