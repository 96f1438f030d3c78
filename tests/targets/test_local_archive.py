"""The packed runner: it has the same bytes each time, and runs where almost nothing is installed."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from fdd_edge.targets.runner_archive import pack_runner, runner_archive

# What llama-cpp-python itself imports comes with it.
GGUF_BOARD = ("numpy", "llama_cpp", "jinja2", "markupsafe", "diskcache", "typing_extensions")
ONNX_BOARD = ("numpy", "onnxruntime", "tokenizers", "jinja2", "markupsafe")
NOT_ON_A_BOARD = ("torch", "transformers", "pydantic", "click", "yaml", "fdd_edge")


def test_packing_twice_gives_the_same_bytes() -> None:
    assert pack_runner() == pack_runner()


def test_the_archive_is_cached_under_its_hash(cache_folder: Path) -> None:
    path = runner_archive()
    before = path.stat().st_mtime_ns
    assert path.parent == cache_folder / "runners"
    assert runner_archive() == path
    assert path.stat().st_mtime_ns == before
    assert [file.suffix for file in path.parent.iterdir()] == [".pyz"]


def test_the_archive_holds_sources_only() -> None:
    names = zipfile.ZipFile(runner_archive()).namelist()
    assert {"__main__.py", "ondevice/runner_commands.py", "ondevice/language/__init__.py"} <= set(names)
    assert all(name.endswith(".py") for name in names)
    assert names == sorted(names)


def make_bare_site(folder: Path, packages: Sequence[str]) -> Path:
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue  # a newer llama-cpp-python may need less
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (folder / source.name).symlink_to(source)
        libraries = source.parent / f"{name}.libs"
        if libraries.is_dir():
            (folder / libraries.name).symlink_to(libraries)
    return folder


def test_the_runner_needs_only_numpy_and_llama_cpp(tiny_gguf: Path, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
    check_bare(tiny_gguf, make_bare_site(tmp_path, GGUF_BOARD), "llama_cpp")


def test_the_runner_needs_only_numpy_onnxruntime_and_tokenizers(tiny_onnx: dict[str, Path], tmp_path: Path) -> None:
    check_bare(tiny_onnx["int4"], make_bare_site(tmp_path, ONNX_BOARD), "onnxruntime")


def check_bare(artifact: Path, site: Path, runtime: str) -> None:
    """Check that the packed runner answers with only the packages in a folder."""
    code = (
        "import runpy, sys\n"
        f"sys.path += [{str(site)!r}]\n"
        "sys.argv = ['runner.pyz', 'serve']\n"
        "try:\n"
        f"    runpy.run_path({str(runner_archive())!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print(end.code, *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    task = {"problem_id": "p", "sample": 0, "question": "1+1?"}
    lines = [
        {
            "protocol": 6,
            "artifact": str(artifact),
            "prompt": "chat",
            "settings": {"decoding": {"max_new_tokens": 4, "threads": 1}},
        },
        {"event": "wave", "index": 0, "tasks": [task]},
    ]
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], input=stdin, capture_output=True, text=True, timeout=60
    )
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["ready", "wave", "done"], done.stderr
    code_and_modules = done.stderr.split()
    assert code_and_modules[0] == "0"
    assert runtime in code_and_modules
    assert not set(NOT_ON_A_BOARD) & set(code_and_modules)
