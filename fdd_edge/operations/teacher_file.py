"""The model file of a teacher: found by what a config names, and checked before a run trains for an hour."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple

from fdd_edge import hub
from fdd_edge.artifacts.gguf.reader import open_pieces, stated
from fdd_edge.errors import FddError, no_file
from fdd_edge.ondevice.model_files import hash_model, pieces_of
from fdd_edge.ondevice.prompt import CHAT_TEMPLATE_KEY
from fdd_edge.students.locate import locate
from fdd_edge.teachers.language_model.teacher_options import GgufOptions

__all__ = [
    "OF_MODEL_FILES",
    "ModelFile",
    "check_teacher_file",
    "fetch_teacher_file",
    "find_teacher_file",
    "local_teacher_file",
]

OF_MODEL_FILES = "gguf:"
"""How the addresses of model files begin in the ledger."""

_VOCABULARY = "tokenizer.ggml.model"

_MOST_LISTED = 20


class ModelFile(NamedTuple):
    """A model file that was found.

    Attributes:
        path: The file.
        sha256: Its hash.
        name: What the ledger calls it.
    """

    path: Path
    sha256: str
    name: str

    @property
    def address(self) -> str:
        """What the ledger has in the place of an endpoint's address: the file by its content."""
        return f"{OF_MODEL_FILES}{self.sha256}"


def local_teacher_file(options: GgufOptions) -> Path | None:
    """Return the model file of a teacher; None if it is on the hub, see ``fetch_teacher_file``.

    Raises:
        FddError: There is none, or it is not a GGUF file.
    """
    name = options.gguf
    if not Path(name).expanduser().exists():
        if (named := _on_hub(name)) is not None:
            if options.revision is not None:
                hub.check_revision(named.id, options.revision)
            return None
        if not name.startswith("package:"):
            raise no_file(name)
    source = locate(name, options.revision)
    if source.kind != "gguf":
        raise FddError(f"{name} is not a GGUF file, which a teacher under `gguf` must be.")
    return source.weights


def fetch_teacher_file(options: GgufOptions, commits: MutableMapping[str, str] | None = None) -> Path:
    """Return the model file of a teacher that is on the hub, with all pieces of one that was split.

    Args:
        options: They name a file of a repository, or one that has only one.
        commits: Known commits, see ``hub.find``.

    Raises:
        FddError: It cannot be downloaded, or the repository does not have that file, or several.
        MissingExtraError: The hub's client is not installed.
    """
    named = _on_hub(options.gguf)
    assert named is not None
    repository = hub.find("model", named.id, options.revision, commits=commits)
    models = sorted({_first_piece(name) for name in repository.files if name.endswith(".gguf")})
    listed = ", ".join(models[:_MOST_LISTED]) + (", ..." if len(models) > _MOST_LISTED else "")
    if not models:
        raise FddError(f"{named.id} has no .gguf file; name a repository that has one (its name mostly ends in GGUF).")
    if named.file is None and len(models) > 1:
        raise FddError(
            f"{named.id} has {len(models)} .gguf files; name one of them, such as {named.id}/{models[0]}. It has "
            f"{listed}."
        )
    model = models[0] if named.file is None else _first_piece(named.file)
    pieces = [piece.as_posix() for piece in pieces_of(Path(model))]
    if lacking := [piece for piece in pieces if piece not in repository.files]:
        raise FddError(f"{named.id} has no {lacking[0]}; it has {listed}.")
    return hub.fetch(repository, pieces)[pieces[0]]


def find_teacher_file(options: GgufOptions, path: Path | None = None) -> ModelFile:
    """Find the model file of a teacher.

    Args:
        options: They name it.
        path: Where it is, if that is known; one on the hub must have been fetched.

    Raises:
        FddError: There is none, or it is not a GGUF file.
    """
    path = path or local_teacher_file(options)
    if path is None:
        raise FddError(f"{options.gguf} has not been downloaded; a run does that when it begins.")
    return ModelFile(path, hash_model(path), Path(options.gguf).name)


def check_teacher_file(path: Path) -> None:
    """Refuse a file that cannot be asked in a chat; only what stands before its weights is read.

    Raises:
        FddError: It is damaged, holds no model that writes text, or has no chat template that can be used.
    """
    from fdd_edge.ondevice.chat import ChatError, render_chat

    header, *_ = open_pieces(path)
    if stated(header, _VOCABULARY, str) is None:
        kind, architecture = (stated(header, f"general.{key}", str) for key in ("type", "architecture"))
        said = architecture if kind in (None, "model") else kind
        raise FddError(
            f"{path} is not a model that writes text: it has no vocabulary, and says that it is {said!r}; name the "
            "GGUF of a chat model."
        )
    template = stated(header, CHAT_TEMPLATE_KEY, str)
    if template is None:
        raise FddError(
            f"{path} has no chat template, so it cannot be asked as a teacher; name the GGUF of a chat model "
            "(its name mostly ends in Instruct, Chat or it)."
        )
    try:
        render_chat(template, [{"role": "user", "content": "How many?"}], bos="", eos="")
    except ChatError as error:
        raise FddError(f"{path} cannot be asked as a teacher: its chat template cannot be rendered: {error}.") from None


class _OnHub(NamedTuple):
    """A repository, and the file of it that is meant; None for its only one."""

    id: str
    file: str | None


def _on_hub(name: str) -> _OnHub | None:
    """Return what a name means on the hub: ``OWNER/NAME`` or ``OWNER/NAME/FILE.gguf``; None if it is neither."""
    owner, _, rest = name.partition("/")
    repository, _, file = rest.partition("/")
    id = f"{owner}/{repository}"
    if not hub.is_hub_id(id) or id.endswith(".gguf") or (file and not file.endswith(".gguf")):
        return None
    return _OnHub(id, file or None)


def _first_piece(name: str) -> str:
    """Return the name of a file, or of the first piece of the model that it is a piece of."""
    return pieces_of(Path(name))[0].as_posix()
