"""Links of a model folder that lead out of it: what they lead to must not end up in an exported file."""

from __future__ import annotations

import os
from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["refuse_outside_links"]


def refuse_outside_links(folder: Path) -> None:
    """Refuse a model folder with a link to somewhere else, such as ``chat_template.jinja -> ~/.ssh/id_rsa``.

    A folder may come from a stranger, and its tokenizer, chat template and license are copied into what is exported.
    Allowed are links to weights, of which only tensors are read, and those of the hub client's cache, which lead from
    ``snapshots/COMMIT`` to the ``blobs`` of the same repository.

    Raises:
        FddError: There is another one.
    """
    root = folder.resolve()
    inside = [root, root.parent.parent / "blobs"] if root.parent.name == "snapshots" else [root]
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *files):
            path = Path(parent, name)
            if name.startswith(".") or name.endswith(".safetensors") or not path.is_symlink():
                continue
            if not any(path.resolve().is_relative_to(place) for place in inside):
                raise FddError(
                    f"{folder / path.relative_to(root)} is a link out of the model folder, which is not followed: put "
                    "a copy of the file in its place, or delete the link."
                )
