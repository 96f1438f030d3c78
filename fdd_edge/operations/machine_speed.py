"""How fast this machine trains and runs students of some shape: measured in seconds, once, and kept in the cache.

What is measured has the student's shape and no content: a model file of zeros, and a model of few layers with random
weights. So nothing is needed but the sizes, and nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge import __version__
from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.gguf import quantize_gguf
from fdd_edge.artifacts.gguf.blank_file import write_blank_gguf
from fdd_edge.artifacts.gguf.gguf_recipe import GgufRecipe
from fdd_edge.cache import cache_folder
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.decoding_trial import CONTEXTS
from fdd_edge.ondevice.device_info import cpu_features, cpu_model
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.planning import FileSpeed, MachineSpeed, StudentShape, TorchPoint
from fdd_edge.progress import announce, working
from fdd_edge.runs.atomic import write_shared
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.students.training_options import LoraOptions

__all__ = ["SPEEDS", "Measured", "SpeedOptions", "machine_speed"]

SPEEDS = "speeds"
"""The folder of the cache."""

_VERSION = 4
"""Raised when what is measured changes."""

_PACKAGES = ("torch", "transformers", "peft", "llama-cpp-python")

_DEEPEST = 150_000_000
"""Weights of the file that is measured: larger students get fewer layers, and their time is taken in proportion."""

_TRIED = 50_000_000
"""Weights of the layers with which torch is measured: 200 MB, more than the caches of a CPU hold."""

_LOOKS, _BETWEEN_LOOKS = 20, 0.01
"""How often, and after how many seconds, it is looked whether other programs are running."""

_WRITTEN = 1 << 25
_TIMEOUT = 120.0


class Measured(NamedTuple):
    """How fast this machine is, and whether other programs were using it meanwhile."""

    speed: MachineSpeed
    disturbed: bool


@dataclass(frozen=True)
class SpeedOptions:
    """What is to be measured.

    Attributes:
        shape: Of the student.
        recipes: Whose files are decoded.
        lora: Shape of the adapter.
        max_length: Longest example.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        grid: Tensor type whose rounding the student is trained for; None for plain training.
        training_threads: None for all cores.
        threads: To decode with.
        batch: Replies that are decoded together.
    """

    shape: StudentShape
    recipes: Sequence[Recipe]
    lora: LoraOptions
    max_length: int
    dtype: str
    grid: str | None
    training_threads: int | None
    threads: int
    batch: int

    def key(self) -> str:
        """Return the hash of all that the speeds depend on: these options, this CPU and the versions."""
        stated = asdict(self) | {
            "recipes": [recipe.fingerprint() for recipe in self.recipes],
            "machine": [cpu_model(), cpu_features(), len(os.sched_getaffinity(0))],
            "packages": [_version(name) for name in _PACKAGES],
            "version": [_VERSION, __version__],
        }
        return hashlib.sha256(json.dumps(stated, sort_keys=True, default=str).encode()).hexdigest()[:32]


def machine_speed(options: SpeedOptions, *, undisturbed: bool = False) -> Measured:
    """Return how fast this machine is, from the cache if it was measured before.

    Args:
        options: What is to be measured.
        undisturbed: Whether it is measured again if other programs were busy the last time.

    Raises:
        FddError: It cannot be measured: a package is missing, or a runtime failed.
    """
    kept = cache_folder(SPEEDS) / f"{options.key()}.json"
    found = _read(kept)
    if found is not None and not (undisturbed and found.disturbed):
        return found
    announce("measuring how fast this machine trains and decodes such a student (once; kept in the cache) ...")
    disturbed = _is_busy()
    with working("measuring how fast this machine is"):
        measured = Measured(_measure(options), disturbed)
    row = {"speed": asdict(measured.speed), "disturbed": disturbed}
    with suppress(OSError):  # a cache that cannot be written: it is measured again next time
        write_shared(kept, json.dumps(row, indent=1).encode())
    return measured


def _read(kept: Path) -> Measured | None:
    """Return a kept measurement; None if there is none, or a damaged one."""
    try:
        row = parse_json(kept.read_text(encoding="utf-8"))
        return Measured(MachineSpeed.from_row(row["speed"]), bool(row["disturbed"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_busy() -> bool:
    """Return whether other programs are using more than half of a core."""
    running = 0
    for _ in range(_LOOKS):
        time.sleep(_BETWEEN_LOOKS)
        try:
            running += int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]) - 1
        except (OSError, ValueError, IndexError):
            return False
    return running > _LOOKS / 2


def _measure(options: SpeedOptions) -> MachineSpeed:
    shape = options.shape
    with temporary_folder("speed") as folder:
        byte_seconds = _time_bytes(folder / "bytes")
        layers = _layers_of_file(shape)
        blank = folder / "float.gguf"
        write_blank_gguf(blank, shape.decoder(), layers=layers)
        part = shape.parameters / (shape.parameters - (shape.num_hidden_layers - layers) * shape.layer_parameters)
        files, quantize_seconds = {}, 0.0
        found: dict[str, FileSpeed] = {}
        for recipe in options.recipes:
            kind = tensor_type(recipe)
            if kind not in found:
                file = blank
                if kind != "f32":
                    file, began = folder / "quantized.gguf", time.perf_counter()
                    quantize_gguf(blank, file, kind, recipe=recipe.name)
                    taken = (time.perf_counter() - began) / (shape.parameters / part)
                    quantize_seconds = max(quantize_seconds, taken)
                found[kind] = _time_file(file, options).scaled(part)
            files[recipe.name] = found[kind]
    start_seconds = _time_start()
    points, tokens, prompt_tokens = _time_torch(options)
    return MachineSpeed.from_points(
        shape.num_hidden_layers,
        points,
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        quantize_seconds=quantize_seconds,
        byte_seconds=byte_seconds,
        start_seconds=start_seconds,
        files=files,
    )


def tensor_type(recipe: Recipe) -> str:
    """Return the GGUF type whose speed is taken for a recipe: its own, or one with as many bits for an ONNX recipe."""
    if isinstance(recipe, GgufRecipe):
        return recipe.type
    return "q4_0" if "int4" in recipe.name else "q8_0" if "int8" in recipe.name else "f32"


def _layers_of_file(shape: StudentShape) -> int:
    return max(1, min(shape.num_hidden_layers, (_DEEPEST - shape.head_parameters) // shape.layer_parameters))


def _time_bytes(path: Path) -> float:
    """Return how long it takes to write and to hash a byte."""
    block, began = os.urandom(_WRITTEN), time.perf_counter()
    path.write_bytes(block)
    hashlib.sha256(path.read_bytes()).hexdigest()
    return (time.perf_counter() - began) / _WRITTEN


def _time_file(file: Path, options: SpeedOptions) -> FileSpeed:
    """Measure a model file in a process of its own, as a runner is: what llama.cpp does to it stays there.

    Raises:
        FddError: The process failed.
    """
    command = [sys.executable, "-m", "fdd_edge.ondevice.decoding_trial"]
    try:
        ran = subprocess.run(
            [*command, str(file), str(options.threads), str(options.batch)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
        row: dict[str, Any] = parse_json(ran.stdout)
        first, second = row.pop("together_seconds")
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError) as error:
        last = getattr(error, "stderr", None) or str(error)
        raise FddError(f"llama.cpp could not be timed here: {str(last).strip().splitlines()[-1][:200]}") from None
    growth = max(0.0, second - first) / (CONTEXTS[1] - CONTEXTS[0])
    return FileSpeed(**row, together_seconds=first, batch=options.batch, context=CONTEXTS[0], context_seconds=growth)


def _time_start() -> float:
    """Return how long torch and what belongs to it take to load; nothing where they are loaded already.

    Raises:
        FddError: One of them is not installed.
    """
    began = time.perf_counter()
    for package in ("torch", "transformers.trainer", "peft"):
        try:
            import_module(package)
        except ImportError:
            raise MissingExtraError(package.partition(".")[0], "train") from None
    return time.perf_counter() - began


def _time_torch(options: SpeedOptions) -> tuple[tuple[TorchPoint, TorchPoint], tuple[int, int], int]:
    """Measure training and the float model on two students of few layers.

    Raises:
        FddError: A package is missing, or transformers cannot build such a student.
    """
    try:
        from fdd_edge.students.lora_training import cpu_has_bf16
        from fdd_edge.students.training_trial import LONG, PROMPT_TOKENS, PROMPTS, SHORT, try_shape

        shape = options.shape
        bf16 = options.dtype == "bfloat16" or (options.dtype == "auto" and cpu_has_bf16())
        deep = max(2, -(-_TRIED // shape.layer_parameters))
        depths = sorted({1, min(deep, shape.num_hidden_layers)})
        points = [
            TorchPoint(
                *try_shape(
                    shape.config(),
                    layers=depth,
                    lora=options.lora,
                    max_length=options.max_length,
                    bf16=bf16,
                    grid=options.grid,
                    threads=options.training_threads,
                )
            )
            for depth in depths
        ]
    except (ImportError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise FddError(f"training could not be timed here: {str(error).strip().splitlines()[0][:200]}") from None
    tokens = tuple(examples * length for examples, length, _ in (SHORT, LONG))
    return (points[0], points[-1]), (tokens[0], tokens[1]), PROMPTS * PROMPT_TOKENS


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
