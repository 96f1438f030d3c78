"""What all recipes have in common. Each family adds the keys of its own, in ``gguf_recipe`` and ``onnx_recipe``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fdd_edge import catalog
from fdd_edge.parity_bounds import Bounds
from fdd_edge.runs.fingerprint import Json

__all__ = ["Recipe"]


class Recipe(BaseModel):
    """How one kind of artifact is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="name of the recipe, which is also the name of its file")
    family: str = Field(description="file format")
    description: str = Field(description="one line for `fdd-edge ls`")
    parity: Bounds = Field(description="bounds of its parity certificate")

    @property
    def grid(self) -> str | None:
        """The GGUF tensor type whose values its matrices take, weight by weight; None if there is no such type."""
        return None

    @property
    def needs_float_artifact(self) -> bool:
        """Whether it quantizes the float artifact of its family; otherwise it is made straight from the student."""
        return False

    @property
    def measures_imatrix(self) -> bool:
        """Whether it needs an importance matrix that is measured on the student itself."""
        return False

    @property
    def imatrix_file(self) -> Path | None:
        """The importance matrix that it names, or None."""
        return None

    @property
    def disk_copies(self) -> float:
        """Disk space that its export needs while it runs, in float32 copies of the model."""
        return 1.0

    def fingerprint(self) -> dict[str, Json]:
        """Return what the bytes of its artifacts depend on: all keys except the description and the parity bounds."""
        return self.model_dump(mode="json", exclude={"description", "parity"})
