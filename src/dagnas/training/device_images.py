"""Images resident on a device, and their random changes, done on whole batches there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dagnas.training.images import ImageSet, Split

#: Pixels that are changed at once: a core's cache holds them, and small batches share the calls.
_PIXELS = 2**19


class Augmentation(NamedTuple):
    """Random changes of training images.

    Attributes
    ----------
    pad : int
        Pixels of zeros around an image, out of which it is cropped again.
    flip : bool
        Whether an image is mirrored with probability 1/2.
    cutout : int
        Side of the square that is set to the mean colour. Its centre is any pixel, so that it may
        reach over the border (DeVries and Taylor 2017).
    """

    pad: int = 0
    flip: bool = False
    cutout: int = 0


class _Moves(NamedTuple):
    """Random numbers of N images: crop, mirroring, centre of the square; shape (N,) each."""

    top: Tensor
    left: Tensor
    flip: Tensor
    row: Tensor
    column: Tensor

    def take(self, some: slice) -> _Moves:
        """Those of some images."""
        return _Moves(*(numbers[some] for numbers in self))


class DeviceImages:
    """Images of a set on a device, as bytes; batches are normalised.

    Parameters
    ----------
    images : ImageSet
    split : Split
        Rows to train, validate and test on. Means and deviations of channels are those of the
        training images.
    device : str or torch.device

    Attributes
    ----------
    labels : tensor of int64, shape (N,)
    split : Split
    name : str
        Name of the image set.
    classes, channels, height, width : int
    """

    def __init__(self, images: ImageSet, split: Split, device: str | torch.device = "cpu") -> None:
        self.name, self.classes, self.split = images.name, images.classes, split
        self._set = images
        _, self.height, self.width, self.channels = images.images.shape
        train = images.images[split.train]
        mean = train.mean(axis=(0, 1, 2), dtype=np.float64)
        # A constant channel has no deviation to divide by.
        deviation = np.maximum(train.std(axis=(0, 1, 2), dtype=np.float64), 1)
        self.device = torch.device(device)
        self._bytes = torch.from_numpy(np.ascontiguousarray(images.images)).to(self.device)
        self.labels = torch.from_numpy(images.labels).to(self.device)
        # Normalised images are bytes * scale + shift; of a row of pixels each.
        self._scale, self._shift = (
            torch.from_numpy(np.tile(values, self.width)).float().to(self.device)
            for values in (1 / deviation, -mean / deviation)
        )

    def digest(self) -> str:
        """Text that tells images and rows apart from others."""
        rows = hashlib.sha256(b"".join(part.tobytes() for part in self.split)).hexdigest()
        return f"{self.name} {self._set.digest()} {rows}"

    def batch(
        self,
        rows: NDArray[np.int64],
        augmentation: Augmentation | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Normalised images of some rows and their labels.

        Parameters
        ----------
        rows : ndarray of int64, shape (B,)
        augmentation : Augmentation, optional
            Random changes, drawn from ``rng``.
        rng : numpy Generator, optional

        Returns
        -------
        tuple of tensors
            Images, float32 of shape (B, C, H, W) in the memory format channels_last; labels, int64
            of shape (B,).
        """
        ((images, labels),) = self.batches(rows, len(rows), augmentation, rng)
        return images, labels

    def batches(
        self,
        rows: NDArray[np.int64],
        batch_size: int,
        augmentation: Augmentation | None = None,
        rng: np.random.Generator | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of some rows in turn, as `batch` gives them; the last may be smaller.

        Parameters
        ----------
        rows : ndarray of int64, shape (N,)
        batch_size : int
        augmentation, rng
            As of `batch`.
        part : tuple of int
            ``(i, n)``: of every batch only its images i, i + n, ...; random numbers are those of
            whole batches.
        """
        moves = None
        if augmentation is not None and rng is not None and any(augmentation):
            moves = self._moves(len(rows), augmentation, rng)
        first, every = part
        size = self.channels * self.height * self.width
        together = max(1, _PIXELS // (batch_size * size)) * batch_size
        places = torch.from_numpy(rows).to(self.device)
        for start in range(0, len(rows), together):
            some = slice(start, start + together)
            images = self._bytes.index_select(0, places[some])
            labels = self.labels.index_select(0, places[some])
            whole = self._normalised(images, moves and moves.take(some), augmentation)
            for batch in zip(whole.split(batch_size), labels.split(batch_size), strict=True):
                yield batch if every == 1 else (batch[0][first::every], batch[1][first::every])

    def _moves(self, count: int, augmentation: Augmentation, rng: np.random.Generator) -> _Moves:
        """Random numbers of an epoch, drawn on the CPU whatever the device."""
        crops = rng.integers(0, 2 * augmentation.pad + 1, (2, count))
        flips = rng.integers(0, 2, count)
        rows = rng.integers(0, self.height, count)
        columns = rng.integers(0, self.width, count)
        return _Moves(
            *(torch.from_numpy(n).to(self.device) for n in (*crops, flips, rows, columns))
        )

    def _normalised(
        self, images: Tensor, moves: _Moves | None, augmentation: Augmentation | None
    ) -> Tensor:
        """Bytes of shape (B, H, W, C) as normalised images of shape (B, C, H, W), moved."""
        if moves is not None and augmentation is not None:
            images = self._moved(images, moves, augmentation)
        # Whole rows of pixels at a time: three channels alone leave a processor's lanes empty.
        wide = images.flatten(2).float().mul_(self._scale).add_(self._shift)
        normalised = wide.view(images.shape)
        if moves is not None and augmentation is not None and augmentation.cutout:
            side = augmentation.cutout
            down = _within(self.height, moves.row, side)
            across = _within(self.width, moves.column, side)
            normalised.masked_fill_((down[:, :, None] & across[:, None, :])[..., None], 0)
        # Colours of a pixel lie together, so this is the memory format channels_last.
        return normalised.permute(0, 3, 1, 2)

    def _moved(self, images: Tensor, moves: _Moves, augmentation: Augmentation) -> Tensor:
        if pad := augmentation.pad:
            padded = F.pad(images, (0, 0, pad, pad, pad, pad))
            # All crops of an image as a view, so that one call copies one of each, row by row.
            image, row, pixel, _ = padded.stride()
            count, crops = len(images), 2 * pad + 1
            views = padded.as_strided(
                (count, crops, crops, self.height, self.width * self.channels),
                (image, row, pixel, row, 1),
            )
            each = torch.arange(count, device=self.device)
            images = views[each, moves.top, moves.left].view(images.shape)
        if augmentation.flip:
            mirrored = moves.flip.nonzero()[:, 0]
            images[mirrored] = images[mirrored].flip(2)
        return images


def _within(size: int, centre: Tensor, side: int) -> Tensor:
    """Whether each of ``size`` places lies in a stretch of ``side`` around a centre: (B, size)."""
    away = torch.arange(size, device=centre.device) - centre[:, None] + side // 2
    return (away >= 0) & (away < side)
