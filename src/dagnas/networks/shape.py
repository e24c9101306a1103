"""Size of a network around an architecture; needs no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dagnas.settings import Described

#: Counts have bounds far beyond use, so that a slip of zeros is told.
Few = Annotated[int, Field(gt=0, le=10_000)]

Stem = Literal["cifar", "imagenet"]


class NetworkShape(Described):
    """Size of a network; `NetworkFamily.shaped` gives that of a space with changes."""

    image_channels: Few = 3
    """Channels of an image."""
    height: Few = 32
    """Height of an image."""
    width: Few = 32
    """Width of an image."""
    classes: Few = 10
    """Classes."""
    channels: Few | None = None
    """Channels of the first cells; none where the architecture decides."""
    layers: Annotated[int, Field(gt=0, le=1000)] | None = None
    """Cells: in all for the DARTS space, of each stack for NAS-Bench; none where the architecture
    decides."""
    auxiliary: bool = False
    """Whether a second classifier helps the training of the first."""
    stem: Stem = "cifar"
    """First layers: for small images, or for those of ImageNet."""

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.image_channels, self.height, self.width


#: Images and classes of ImageNet.
IMAGENET = {"height": 224, "width": 224, "classes": 1000, "stem": "imagenet"}
