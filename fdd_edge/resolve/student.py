"""The student before training: located, turned into a float32 Hugging Face folder once, its vocabulary beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, MutableMapping
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.vocab import GGUF_VOCAB, TOKENIZER, open_vocab
from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.progress import announce
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.runs.hashing import hash_file, sha256_of

__all__ = ["MODEL_CARD", "Student", "open_student"]

MODEL_CARD = "fdd_edge.json"
"""Beside a merged student: the prompt it was trained on, its base, its licence."""

_VERSION = 5
"""Raised when the conversion changes meaning, so that the cache is not used across the change."""


class Student(NamedTuple):
    """A student that can be trained.

    Attributes:
        name: What the user called it.
        folder: Its Hugging Face folder.
        vocabs: Its vocabulary, once for each family of artifacts: ``vocab.gguf`` first where GGUFs are made, and
            ``tokenizer.json`` where ONNX models are.
        sha256: Hash of what it was made from.
        license: Its licence where the file says so.
        adds_bos: Whether the device puts the token that begins a text before a prompt.
        revision: Commit of the hub that it was made from; None for a student from elsewhere.
    """

    name: str
    folder: Path
    vocabs: tuple[Path, ...]
    sha256: str
    license: str | None
    adds_bos: bool
    revision: str | None = None

    @property
    def vocab(self) -> Path:
        """The vocabulary that every artifact's is made from, and held against."""
        return self.vocabs[0]


def open_student(
    name_or_path: str,
    revision: str | None = None,
    *,
    commits: MutableMapping[str, str] | None = None,
    families: Collection[str] = ("gguf",),
) -> Student:
    """Locate a student and make it ready; a conversion is kept in the cache folder.

    Args:
        name_or_path: Hub id, folder, ``.gguf`` file, ``package:NAME``, ``tiny``, or ``tiny-t5``.
        revision: Branch, tag or commit of a hub id.
        commits: Commits of hub ids that are known, see ``hub.find``.
        families: Of the artifacts that will be made of it: llama.cpp is needed for ``gguf`` alone.

    Raises:
        FddError: It is not there, or of a kind that cannot be trained; says what would be.
        MissingExtraError: The training packages are not installed.
    """
    from fdd_edge.students.locate import locate

    _require_training(families)
    source = locate(name_or_path, revision, commits=commits)
    if source.kind == "tiny":
        return _tiny(name_or_path, families)
    if source.kind == "gguf":
        return _from_gguf(name_or_path, source.weights, families)
    return _from_folder(name_or_path, source.weights, families)._replace(revision=source.commit)


def _require_training(families: Collection[str]) -> None:
    """Refuse before anything long starts where the training packages are missing."""
    from importlib.util import find_spec

    for package in ("torch", "transformers", "peft", "safetensors", "gguf"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "train")
    if "gguf" in families and find_spec("llama_cpp") is None:
        raise MissingExtraError("llama-cpp-python", "gguf")
    if "onnx" in families and find_spec("tokenizers") is None:
        raise MissingExtraError("tokenizers", "onnx")


def _from_gguf(name: str, path: Path, families: Collection[str]) -> Student:
    """Turn a GGUF into a Hugging Face folder with the tokenizer the device will use."""
    from fdd_edge.artifacts.gguf import copy_vocab, describe_gguf, read_vocab
    from fdd_edge.artifacts.gguf.reader import field, open_gguf
    from fdd_edge.students.gguf_import import import_gguf_weights
    from fdd_edge.students.locate import GGUF_ARCHITECTURE
    from fdd_edge.students.tokenizer import rebuild_tokenizer

    facts = describe_gguf(path)
    if facts.architecture != GGUF_ARCHITECTURE:
        raise FddError(
            f"{path} has the architecture {facts.architecture!r}, which cannot be trained from a GGUF yet, only "
            f"{GGUF_ARCHITECTURE!r} can; take the Hugging Face folder it was made from."
        )
    if not facts.parameters:
        raise FddError(f"{path} holds a vocabulary but no weights.")
    sha256 = hash_file(path)

    def convert(folder: Path) -> None:
        announce(f"Preparing the student {name} (once; kept in {cache_dir()}) ...")
        copy_vocab(path, folder / GGUF_VOCAB)
        rebuild_tokenizer(folder, **read_vocab(folder / GGUF_VOCAB)._asdict())
        import_gguf_weights(path, folder)

    folder = _cached(f"gguf-{sha256[:16]}", convert)
    license = field(open_gguf(path), "general.license")
    return _student(name, folder, _vocabs(folder, folder / GGUF_VOCAB, families), sha256, license)


def _from_folder(name: str, path: Path, families: Collection[str]) -> Student:
    """Use a Hugging Face folder where it lies; only llama.cpp's vocabulary is written, into the cache."""
    from fdd_edge.artifacts.gguf import check_architecture, write_vocab_from_folder
    from fdd_edge.runs.hashing import HashCache
    from fdd_edge.students.model_card import read_license
    from fdd_edge.students.tokenizer import load_tokenizer

    sha256, license = HashCache().of(path), read_license(path)
    if decoder_start(path) is not None:
        _check_encoder_decoder(path, families)
        return _student(name, path, (path / TOKENIZER,), sha256, license)
    own = path / GGUF_VOCAB
    architecture = check_architecture(path).name
    if own.is_file() or "gguf" not in families:
        return _student(name, path, _vocabs(path, own, families), sha256, license)

    def write(folder: Path) -> None:
        write_vocab_from_folder(path, load_tokenizer(path), folder / GGUF_VOCAB, architecture=architecture)

    # The vocabulary also holds the end token and the chat template, which lie in files of their own.
    files = sorted(file for pattern in ("config.json", "*token*.json", "chat_template*") for file in path.glob(pattern))
    key = sha256_of("".join(f"{file.name} {hash_file(file)}\n" for file in files))[:24]
    made = _cached(f"vocab-{key}", write) / GGUF_VOCAB
    return _student(name, path, _vocabs(path, made, families), sha256, license)


def _check_encoder_decoder(folder: Path, families: Collection[str]) -> None:
    """Refuse an encoder-decoder that cannot be trained or exported here.

    Raises:
        FddError: It is of another architecture, a GGUF is asked for, or its tokenizer cannot write programs.
    """
    from fdd_edge.students.tokenizer import load_tokenizer

    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != "t5":
        raise FddError(f"{folder} is an encoder-decoder of kind {kind!r}; of these, t5 (T5 and CodeT5) can be trained.")
    if "gguf" in families:
        raise FddError(
            f"{folder} is an encoder-decoder, of which no GGUF is made here; export.recipes may be onnx-fp32 and "
            f"onnx-int8-..., and training.quantization_aware none."
        )
    tokenizer = load_tokenizer(folder)
    ids = tokenizer(_WRITABLE, add_special_tokens=False)["input_ids"]
    written = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    if written != _WRITABLE:
        lost = sorted({sign for sign in _WRITABLE if written.count(sign) < _WRITABLE.count(sign)})
        raise FddError(
            f"The tokenizer of {folder} cannot write a program: of {_WRITABLE!r} it makes {written!r}"
            f"{f', without {lost}' if lost else ''}. CodeT5's, a byte-level BPE, can."
        )


_WRITABLE = "x = {3: 4}\ny = x[3]  # 7 - 5 < 9\nprint(x * 2)\n"
"""Signs that programs are written in, among them those that vocabularies of prose lack."""


def _vocabs(folder: Path, gguf: Path, families: Collection[str]) -> tuple[Path, ...]:
    """Return a student's vocabulary for each family of artifacts."""
    own = {"gguf": gguf, "onnx": folder / TOKENIZER}
    return tuple(path for family, path in own.items() if family in families)


def _tiny(name: str, families: Collection[str]) -> Student:
    """Make a tiny student of the smoke runs, trained on the spot: a llama, or the encoder-decoder ``tiny-t5``."""
    from fdd_edge.students.locate import TINY_T5
    from fdd_edge.students.tiny import make_tiny_student
    from fdd_edge.teachers.symbolic import generate

    prompt = Prompt.parse(file_prompt("plain"))

    def make(folder: Path) -> None:
        announce(f"Making the tiny student (once; kept in {cache_dir()}) ...")
        problems = generate("train", 160, seed=0)
        pairs = [(prompt.render(p.question), p.program or "") for p in problems]
        make_tiny_student(folder, pairs, family="t5" if name == TINY_T5 else "llama")

    return _from_folder(name, _cached(name, make), families)


def _student(name: str, folder: Path, vocabs: tuple[Path, ...], sha256: str, license: str | None) -> Student:
    """Return a student by the last part of its name: no path of this machine goes into an artifact."""
    label = name if name.startswith("package:") else Path(name).name.removesuffix(".gguf")
    with open_vocab(vocabs[0]) as device:
        return Student(label, folder, vocabs, sha256, license, device.adds_bos)


def _cached(key: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, made whole or not at all."""
    folder = cache_dir() / "students" / f"{key}-v{_VERSION}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        partial = Path(temporary) / "student"
        partial.mkdir()
        make(partial)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster; its folder is the same.
            if not folder.is_dir():
                raise
            shutil.rmtree(partial)
    return folder
