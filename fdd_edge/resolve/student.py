"""The student before training: found, and prepared once as a float32 Hugging Face folder with its vocabularies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping, MutableMapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from fdd_edge.artifacts.family import Family, family_for, family_named
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.cache import cache_dir, cache_folder
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.families import FAMILIES
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import decoder_start, hash_model
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.progress import announce, working
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student_hash import hash_files, student_files, trained_files
from fdd_edge.runs.atomic import build_once, discard
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.hashing import sha256_of
from fdd_edge.runs.seal import is_intact, seal
from fdd_edge.safetensors_folder import check_layers

__all__ = ["MODEL_CARD", "Student", "open_student"]

MODEL_CARD = "fdd_edge.json"
"""Next to a merged student: the prompt it was trained on, its base, its license."""

_VERSION = 9
"""Raised when the conversion or the check of a folder changes, so that the cache of an earlier version is not used."""

_NOTES = "notes.json"
"""What is said about a student whose weights have been checked, every time it is opened."""

_MERGE_VERSION = 2
"""The same for the merging of adapters."""


class Student(NamedTuple):
    """A student that can be trained.

    Attributes:
        name: The name that is stored in its artifacts.
        folder: Its Hugging Face folder.
        vocabs: Its vocabulary files, one per family of artifacts.
        sha256: Hash of what it was made from.
        license: Its license, if known.
        adds_bos: Whether the device adds BOS to a prompt.
        revision: The hub commit that it was made from; None if it is not from the hub.
        files: Hash of each file of its folder, see ``student_files``; none for a GGUF file.
    """

    name: str
    folder: Path
    vocabs: tuple[Path, ...]
    sha256: str
    license: str | None
    adds_bos: bool
    revision: str | None = None
    files: Mapping[str, str] = MappingProxyType({})

    @property
    def vocab(self) -> Path:
        """The vocabulary file from which the vocabularies of all artifacts are made."""
        return self.vocabs[0]

    def at(self, folder: Path) -> Student:
        """Return the same student in another folder, such as a merged one, which also holds its vocabularies."""
        return self._replace(folder=folder, vocabs=tuple(folder / vocab.name for vocab in self.vocabs))

    def to_train(self) -> Student:
        """Return the same student with the hash of what training depends on: less than what it is exported from."""
        if not self.files:
            return self
        files = trained_files(self.files)
        return self._replace(files=files, sha256=hash_files(files))

    def fingerprint(self) -> dict[str, Json]:
        """Return what outputs depend on: the student itself, not where its files are or under which license."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "files": dict(self.files),
            "conversion": _VERSION,
            "adds_bos": self.adds_bos,
            "revision": self.revision,
        }


def open_student(
    name_or_path: str,
    revision: str | None = None,
    *,
    commits: MutableMapping[str, str] | None = None,
    families: Collection[str] = ("gguf",),
) -> Student:
    """Find a student and prepare it; a conversion is kept in the cache folder.

    Args:
        name_or_path: Hub id, folder of a model or of an adapter, ``.gguf`` file, ``package:NAME``, ``tiny``, or
            ``tiny-t5``.
        revision: Branch, tag or commit of a hub id.
        commits: Known commits of hub ids, see ``hub.find``.
        families: Families of the recipes by which it will be exported, such as ``gguf``.

    Raises:
        FddError: It does not exist, or cannot be trained; the message says what can.
        MissingExtraError: A package that training needs is not installed.
    """
    with working(f"reading {name_or_path}"):
        return _open(name_or_path, revision, commits, families, adapters=())


def _open(
    name_or_path: str,
    revision: str | None,
    commits: MutableMapping[str, str] | None,
    families: Collection[str],
    *,
    adapters: tuple[Path, ...],
) -> Student:
    """Open a student, which may be the base of adapters; ``adapters`` are those that lead to it."""
    from fdd_edge.students.locate import locate

    _require_training(families)
    source = locate(name_or_path, revision, commits=commits)
    if source.kind == "tiny":
        return _tiny(name_or_path, families)
    if source.kind == "gguf":
        return _from_gguf(name_or_path, source.weights, families)
    if source.kind == "adapter":
        student = _from_adapter(name_or_path, source.weights, commits, families, adapters)
    else:
        student = _from_folder(name_or_path, source.weights, families)
    return student._replace(revision=source.commit)


def _require_training(families: Collection[str]) -> None:
    """Check that the packages for training are installed, before anything long starts."""
    from importlib.util import find_spec

    for package in ("torch", "transformers", "peft", "safetensors", "gguf"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "train")
    for family in _in_order(families):
        family.require_vocab()


def _in_order(families: Collection[str]) -> list[Family]:
    """Return families in the order of ``ondevice.families``: the first one's vocabulary is the student's."""
    return [family_named(name) for name in FAMILIES if name in families]


def _from_gguf(name: str, path: Path, families: Collection[str]) -> Student:
    """Convert a GGUF to a Hugging Face folder with the tokenizer that the device will use."""
    from fdd_edge.artifacts.gguf import copy_vocab, describe_gguf, read_vocab, write_folder_from_gguf
    from fdd_edge.artifacts.gguf.reader import field, open_gguf
    from fdd_edge.resolve.gguf_source import check_same_ids, check_same_model
    from fdd_edge.student_architectures import GGUF_ARCHITECTURE
    from fdd_edge.students.tokenizer import rebuild_tokenizer

    facts = describe_gguf(path)
    if facts.architecture != GGUF_ARCHITECTURE:
        raise FddError(
            f"{path} has the architecture {facts.architecture!r}. Only {GGUF_ARCHITECTURE!r} can be trained from a "
            "GGUF yet; use the Hugging Face folder it was made from."
        )
    if not facts.parameters:
        raise FddError(f"{path} contains a vocabulary but no weights; name a model file.")
    sha256 = hash_model(path)
    vocab_file = family_named("gguf").vocab_file

    def convert(folder: Path) -> None:
        announce(f"Preparing the student {name} (once; kept in {cache_dir()}) ...")
        tables = read_vocab(path)
        write_folder_from_gguf(path, folder)  # the first to find a fault, and it needs no torch
        copy_vocab(path, folder / vocab_file)
        try:
            rebuild_tokenizer(folder, **tables._asdict())
        except FddError as error:
            raise FddError(f"{path}: {error}") from None
        check_same_ids(path, folder)
        check_same_model(path, folder, folder / vocab_file)

    folder = _cached(f"gguf-{sha256[:16]}", convert)
    license = field(open_gguf(path), "general.license")
    return _student(name, folder, [folder / family.vocab_file for family in _in_order(families)], sha256, license)


def _from_folder(name: str, path: Path, families: Collection[str]) -> Student:
    """Use a Hugging Face folder where it is; what it lacks, or says twice, is written to the cache."""
    from fdd_edge.artifacts.gguf import check_architecture
    from fdd_edge.students.model_card import read_license

    files, license = student_files(path), read_license(path)
    check_layers(path, parse_json((path / "config.json").read_text(encoding="utf-8")))
    if decoder_start(path) is None:
        check_architecture(path)
    _check_model(path, files)
    folder = _readable(path)
    if decoder_start(path) is not None:
        _check_encoder_decoder(path, folder, families)
    vocabs = [_vocab(folder, family, named=path) for family in _in_order(families)]
    return _student(name, folder, vocabs, hash_files(files), license)._replace(files=files)


def _check_model(path: Path, files: Mapping[str, str]) -> None:
    """Check that a folder holds the model that it promises: once, because all weights are read, and torch is needed."""
    from fdd_edge.students.model_config import check_token_ids
    from fdd_edge.students.weight_check import check_weights

    def check(out: Path) -> None:
        check_token_ids(path)
        (out / _NOTES).write_text(json.dumps(check_weights(path)), encoding="utf-8")

    checked = _cached(f"checked-{hash_files(files)[:24]}", check)
    for note in parse_json((checked / _NOTES).read_text(encoding="utf-8")):
        announce(f"{path} {note}")


def _from_adapter(
    name: str,
    path: Path,
    commits: MutableMapping[str, str] | None,
    families: Collection[str],
    adapters: tuple[Path, ...],
) -> Student:
    """Merge an adapter into its base, which it names; the merged folder is kept in the cache."""
    from fdd_edge.students.adapter_base import find_base
    from fdd_edge.students.adapter_merge import check_adapter, merge_adapter
    from fdd_edge.students.adapter_neighbors import use_neighbors
    from fdd_edge.students.locate import TINY, TINY_T5
    from fdd_edge.students.model_card import read_license

    found, seen = find_base(path, (TINY, TINY_T5)), (*adapters, path.resolve())
    if path.resolve() in adapters:
        raise FddError(f"{path} is an adapter, and so are its bases: they lead back to it, and not to a model.")
    check_adapter(path)  # before a large base is downloaded
    try:
        base = _open(found.name, found.revision, commits, families, adapters=seen)
    except FddError as error:
        if adapters:  # the adapter that the user named says it
            raise
        raise FddError(f"{path} is an adapter, and its base cannot be used: {error}") from None
    files = {f"base/{name}": hashed for name, hashed in (base.files or {"model": base.sha256}).items()}
    files |= {f"adapter/{name}": hashed for name, hashed in student_files(path).items()}
    sha256 = hash_files(files)

    def merge(folder: Path) -> None:
        announce(f"Merging the adapter {name} into {found.name} (once; kept in {cache_dir()}) ...")
        merge_adapter(base.folder, path, folder)
        replaced, notes = use_neighbors(path, folder)
        for note in notes:
            announce(note)
        if not replaced and _vocab_size(folder) == _vocab_size(base.folder):
            for vocab in base.vocabs:
                shutil.copy2(vocab, folder / vocab.name)
        (folder / MODEL_CARD).write_text(json.dumps({"base": base.name}) + "\n", encoding="utf-8")

    merged = _from_folder(name, _cached(f"merged-{sha256[:24]}-{_MERGE_VERSION}", merge), families)
    return merged._replace(sha256=sha256, files=files, license=read_license(path) or base.license)


def _readable(path: Path) -> Path:
    """Return a folder in which everything is said once: ``path``, or links to its files."""
    from fdd_edge.runs.hashing import HashCache
    from fdd_edge.students.readable_folder import changes_for, link_folder

    changes = changes_for(path)
    for note in changes.notes:
        announce(note)
    if not changes:
        return path
    # The links hold the path, and only content of this hash is reached through them.
    key = sha256_of(f"{path.absolute()} {HashCache().of(path)}")[:24]
    return _cached(f"readable-{key}", lambda out: link_folder(path, out, changes))


def _vocab(folder: Path, family: Family, *, named: Path) -> Path:
    """Return the vocabulary file of a Hugging Face folder for a family: the one in it, if it is not out of date."""
    from fdd_edge.students.tokenizer import load_tokenizer
    from fdd_edge.students.tokenizer_files import hash_tokenizer

    existing, write = folder / family.vocab_file, family.write_vocab
    if write is None:
        return existing
    if existing.is_file() and _is_current(folder, existing, family):
        return existing
    key = hash_tokenizer(folder, config=True)[:24]
    made = (
        _cached(f"vocab-{key}", lambda out: write(folder, load_tokenizer(folder), out / family.vocab_file))
        / family.vocab_file
    )
    if not existing.is_file():
        return made
    # A folder of an earlier version does not note what its vocabulary was made from.
    if family.same_vocab is not None and family.same_vocab(existing, made):
        return existing
    announce(
        f"{named / family.vocab_file} was made from other tokenizer files, or for another number of tokens, than those "
        "next to it: they count, and a new vocabulary is made from them."
    )
    return made


def _is_current(folder: Path, vocab: Path, family: Family) -> bool:
    """Return whether the vocabulary of a merged student was made from the tokenizer files and the size of now.

    A folder of an earlier version does not say either of them.
    """
    from fdd_edge.students.tokenizer_files import hash_tokenizer

    try:
        card = parse_json((folder / MODEL_CARD).read_text(encoding="utf-8"))
        noted, size = card["tokenizer_sha256"], card.get("vocab_size")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # whoever needs the card will report what is wrong with it
    if noted != hash_tokenizer(folder):
        return False
    if size is None:
        with family.open_vocab(vocab) as opened:
            size = len(opened.pieces)
    return bool(size == _vocab_size(folder))


def _vocab_size(folder: Path) -> int | None:
    size: int | None = parse_json((folder / "config.json").read_text(encoding="utf-8")).get("vocab_size")
    return size


def _check_encoder_decoder(folder: Path, readable: Path, families: Collection[str]) -> None:
    """Refuse an encoder-decoder that cannot be trained or exported; its tokenizer is read from ``readable``.

    Raises:
        FddError: Its architecture is not supported, a family cannot hold it, or its tokenizer cannot write programs.
    """
    from fdd_edge.students.tokenizer import decode_ids, encode_texts, load_tokenizer

    kind = parse_json((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != "t5":
        raise FddError(
            f"{folder} is an encoder-decoder of type {kind!r}; the only supported type is t5 (T5 and CodeT5)."
        )
    for family in families:
        try:
            family_for(family, folder)
        except FddError:
            raise FddError(
                f"{folder} is an encoder-decoder, which cannot be exported as {family.upper()}; the recipes for it are "
                "onnx-fp32 and onnx-int8-..., and a config needs training.quantization_aware: none."
            ) from None
    tokenizer = load_tokenizer(readable)
    (written,) = decode_ids(tokenizer, encode_texts(tokenizer, [_WRITABLE], special=False))
    if written != _WRITABLE:
        lost = sorted({sign for sign in _WRITABLE if written.count(sign) < _WRITABLE.count(sign)})
        without = f", without {lost}" if lost else ""
        raise FddError(
            f"The tokenizer of {folder} cannot write programs: it turns {_WRITABLE!r} into {written!r}{without}. Use a "
            "student whose tokenizer is a byte-level BPE, such as CodeT5."
        )


_WRITABLE = "x = {3: 4}\ny = x[3]  # 7 - 5 < 9\nprint(x * 2)\n"
"""The characters of programs, including those that vocabularies for prose lack."""


def _tiny(name: str, families: Collection[str]) -> Student:
    """Train one of the tiny students of the smoke runs: a llama, or the encoder-decoder ``tiny-t5``."""
    from fdd_edge.students.locate import TINY_T5
    from fdd_edge.students.tiny import make_tiny_student
    from fdd_edge.teachers.symbolic import generate

    prompt = Prompt.parse(file_prompt("plain"))

    def make(folder: Path) -> None:
        announce(f"Making the tiny student (once; kept in {cache_dir()}) ...")
        problems = generate("train", 160, seed=0)
        pairs = [(prompt.render(p.question), p.program or "") for p in problems]
        make_tiny_student(folder, pairs, architecture="t5" if name == TINY_T5 else "llama")

    return _from_folder(name, _cached(name, make), families)


def _student(name: str, folder: Path, vocabs: Collection[Path], sha256: str, license: str | None) -> Student:
    """Return a student named by the last part of its name: artifacts must not contain paths of this machine."""
    from fdd_edge.students.model_config import end_ids

    label = name if name.startswith("package:") else Path(name).name.removesuffix(".gguf")
    label = label.encode("utf-8", errors="replace").decode()  # a file's name need not be text, and a GGUF's keys must
    files = tuple(vocabs)
    with open_vocab(files[0]) as device:
        named = set(end_ids(folder)) - {device.eos}
        if missed := sorted(named - set(device.eos_ids) if named else named):
            kind = files[0].suffix.removeprefix(".").upper()
            announce(
                f"{name} says that the ids {missed} end a reply too. A {kind} file cannot say that of them, so replies "
                "go on after them."
            )
        return Student(label, folder, files, sha256, license, device.adds_bos)


def _cached(key: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, made first if it is missing or is not as it was made."""
    folder = cache_folder("students") / f"{key}-v{_VERSION}"
    if folder.is_dir() and not is_intact(folder):
        announce(f"{folder} has been damaged or changed, so it is made again.")
        discard(folder)

    def make_sealed(out: Path) -> None:
        make(out)
        seal(out)

    return build_once(folder, make_sealed)
