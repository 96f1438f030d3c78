"""A GGUF file with the tensors of another one, as these are stored."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.artifacts.gguf.reader import field, open_gguf, open_pieces
from fdd_edge.artifacts.gguf.vocab_tables import copy_keys

__all__ = ["write_with_tensors"]


def write_with_tensors(path: Path, source: Path, out: Path) -> Path:
    """Write a file with the keys of ``path`` and, where they have tensors of one name, those of ``source``.

    Args:
        path: A GGUF file.
        source: A GGUF file, or the first piece of one, whose tensors are stored as the types to compare.
        out: The file to write.

    Returns:
        ``out``.
    """
    import gguf

    reader = open_gguf(path)
    stored = {tensor.name: tensor for piece in open_pieces(source) for tensor in piece.tensors}
    writer = gguf.GGUFWriter(out, field(reader, "general.architecture"))
    copy_keys(reader, writer, "", leave_out=[name for name in reader.fields if name.startswith(_OWN)])
    for tensor in reader.tensors:
        chosen = stored.get(tensor.name, tensor)
        writer.add_tensor(tensor.name, chosen.data, raw_dtype=chosen.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


_OWN = ("GGUF.", "general.architecture", "general.alignment")
"""Fields that the writer adds itself."""
