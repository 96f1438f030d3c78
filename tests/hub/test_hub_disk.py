"""Faults of this machine's disk are not told as the hub's."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="needs: pip install 'fdd-edge[hub]'")

from fdd_edge import hub


def test_a_full_disk_is_not_an_unreachable_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It was reported as "the hub cannot be reached"."""
    import huggingface_hub

    def full(*arguments: object, **more: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    with pytest.raises(OSError, match="No space left") as caught:
        hub.find("model", "school/tiny")
    assert caught.value.errno == errno.ENOSPC
