"""llama.cpp's own server with parallel slots, built once from the sources of the installed llama-cpp-python.

The benchmarks compare with it, and the tests of teachers ask it. Run this file to build it (``make llama-server``).
"""

from __future__ import annotations

import argparse
import http.client
import json
import platform
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.cache import cache_dir
from fdd_edge.progress import announce, show_on_stderr

_FLAGS = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" if platform.machine() == "x86_64" else ""
"""The Makefile's flags for the package itself, so that both sides have the same kernels."""
_BUILD = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_OPENSSL=OFF",
)
_START_TIMEOUT_S = 120


class Reply(NamedTuple):
    """The server's reply to one prompt."""

    text: str
    prompt_tokens: int
    tokens: int


def server_path() -> Path:
    """Return where llama-server is, or will be when it is built."""
    return cache_dir() / "peers" / f"llama-server-{metadata.version('llama-cpp-python')}" / "bin" / "llama-server"


def server_binary() -> Path:
    """Return the path of llama-server; build it if it does not exist (about 10 minutes on two cores)."""
    binary, version = server_path(), metadata.version("llama-cpp-python")
    if binary.is_file():
        return binary
    folder = binary.parents[1]
    announce(f"Building llama-server from the sources of llama-cpp-python {version} (once; kept in {folder}) ...")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python"]
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([*pip, "-d", temporary, f"llama-cpp-python=={version}"], check=True)
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        (source,) = Path(temporary).glob("*/vendor/llama.cpp")
        # GCC warns about llama.cpp in 14,000 lines; errors are still shown.
        flags = [f"-DCMAKE_{language}_FLAGS={_FLAGS} -w" for language in ("C", "CXX")]
        quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(["cmake", "-S", str(source), "-B", str(folder), *_BUILD, *flags], **quiet)
        subprocess.run(["cmake", "--build", str(folder), "--target", "llama-server", "-j2"], **quiet)
    return binary


@contextmanager
def serving(
    binary: Path,
    model: Path,
    *,
    slots: int,
    threads: int,
    context: int,
    flash_attention: str = "auto",
    options: Sequence[str] = (),
) -> Iterator[tuple[int, int]]:
    """Run the server on the loopback interface; yield its port and process id.

    Args:
        binary: The server.
        model: The GGUF file.
        slots: Replies that it decodes at a time.
        threads: Of prompts and replies alike.
        context: Tokens of each slot.
        flash_attention: ``on``, ``off`` or ``auto``.
        options: Further options of its command line.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    size = ["-np", str(slots), "-c", str(slots * context), "-t", str(threads), "-tb", str(threads)]
    size += ["--flash-attn", flash_attention]
    size += ["--cache-ram", "0"]  # no question is asked twice, so keeping old caches only costs memory
    command = [str(binary), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    command += [*size, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(_START_TIMEOUT_S * 10):
                if _is_ready(port):
                    break
                if (status := process.poll()) is not None:
                    raise RuntimeError(f"llama-server ended with status {status} before it was ready: {command}")
                time.sleep(0.1)
            else:
                raise TimeoutError(f"llama-server was not ready after {_START_TIMEOUT_S} s")
            yield port, process.pid
        finally:
            process.terminate()


def ask(port: int, prompts: Sequence[str], *, slots: int, max_new_tokens: int, stop: Sequence[str]) -> list[Reply]:
    """Send every prompt to the server, as many at a time as it has slots."""
    settings = {"n_predict": max_new_tokens, "temperature": 0, "stop": list(stop), "cache_prompt": True}

    def one(prompt: str) -> Reply:
        answer = _post(port, "/completion", settings | {"prompt": prompt})
        return Reply(answer["content"], answer["tokens_evaluated"], answer["tokens_predicted"])

    with ThreadPoolExecutor(slots) as pool:
        return list(pool.map(one, prompts))


def _is_ready(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _post(port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"llama-server answered {response.status}: {content[:200]!r}")
    answer: dict[str, Any] = json.loads(content)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description="Build llama-server, if it is not there yet, and print its path.")
    parser.parse_args()
    show_on_stderr()
    sys.stdout.write(f"{server_binary()}\n")


if __name__ == "__main__":
    main()
