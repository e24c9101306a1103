"""Images on a device: normalising, crops, mirroring, cutout, reduction, reading by name."""

import numpy as np
import pytest
import torch

from dagnas.errors import DagnasError
from dagnas.training.device_images import Augmentation, DeviceImages
from dagnas.training.images import ImageSet, Split, open_images, reduced

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(1, 256, (40, 6, 8, 3)).astype(np.uint8)
SET = ImageSet("noise", PIXELS, np.arange(40) % 4)
ROWS = np.arange(40)
IMAGES = DeviceImages(SET, Split(ROWS[:20], ROWS[20:30], ROWS[30:]))


def by_hand(pixels):
    train = PIXELS[:20].astype(float)
    scaled = (pixels - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2)).float()


def test_batches_are_normalised_by_the_training_images():
    rows = np.array([31, 4, 4])
    images, labels = IMAGES.batch(rows)
    torch.testing.assert_close(images, by_hand(PIXELS[rows]), rtol=1e-4, atol=1e-5)
    assert labels.tolist() == (rows % 4).tolist()
    assert images.is_contiguous(memory_format=torch.channels_last)


def crops(pixels, pad):
    """All crops of an image and their mirror images, padded with zeros."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)))
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            crop = padded[top : top + height, left : left + width]
            yield (top, left, False), crop
            yield (top, left, True), crop[:, ::-1]


def found_crops(augmentation, seed, batch_size=40):
    """Place of every image's crop among all of them."""
    images = torch.cat(
        [
            images
            for images, _ in IMAGES.batches(
                ROWS, batch_size, augmentation, np.random.default_rng(seed)
            )
        ]
    )
    places = []
    for image, pixels in zip(images, PIXELS, strict=True):
        places += [
            place
            for place, crop in crops(pixels, augmentation.pad)
            if torch.allclose(by_hand(crop[None])[0], image, rtol=1e-4, atol=1e-4)
        ]
    return places


def test_every_image_has_a_crop_and_a_mirroring_of_its_own():
    places = found_crops(Augmentation(pad=2, flip=True), 0)
    assert len(places) == 40
    top, left, flip = map(set, zip(*places, strict=True))
    assert top == left == set(range(5))
    assert flip == {False, True}
    assert found_crops(Augmentation(pad=2, flip=True), 1) != places
    # Sizes of batches do not decide about random numbers.
    assert found_crops(Augmentation(pad=2, flip=True), 0, batch_size=7) == places
    assert {flip for *_, flip in found_crops(Augmentation(pad=1), 0)} == {False}
    assert {place[:2] for place in found_crops(Augmentation(flip=True), 0)} == {(0, 0)}
    # The images themselves stay as they are.
    torch.testing.assert_close(IMAGES.batch(ROWS)[0], by_hand(PIXELS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [2, 3])
def test_cutout_is_a_square_of_the_mean_that_may_reach_over_the_border(side):
    images, _ = IMAGES.batch(ROWS, Augmentation(cutout=side), np.random.default_rng(0))
    cut = (images == 0).all(dim=1)
    sizes = set()
    for image, mask in zip(images, cut, strict=True):
        rows, columns = (mask.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
        sizes.add((len(rows), len(columns)))
        assert mask.sum() == len(rows) * len(columns)
        assert (image[:, ~mask] != 0).any()
    assert max(sizes) == (side, side)
    assert len(sizes) > 1


def test_devices_take_turns_within_batches():
    augmentation = Augmentation(1, True, 2)

    def read(part):
        rng = np.random.default_rng(3)
        return list(IMAGES.batches(ROWS, 10, augmentation, rng, part))

    for whole, first, second in zip(read((0, 1)), read((0, 2)), read((1, 2)), strict=True):
        assert torch.equal(whole[0][::2], first[0])
        assert torch.equal(whole[1][1::2], second[1])


def test_digests_tell_images_and_rows_apart():
    other = Split(ROWS[1:21], ROWS[21:30], ROWS[30:])
    changed = PIXELS.copy()
    changed[0, 0, 0, 0] ^= 1
    found = {
        IMAGES.digest(),
        DeviceImages(SET, other).digest(),
        DeviceImages(ImageSet("noise", changed, SET.labels), IMAGES.split).digest(),
    }
    assert len(found) == 3
    assert DeviceImages(SET, IMAGES.split).digest() == IMAGES.digest()


def test_reduced_images_are_means_of_squares(tmp_path):
    half = reduced(SET, 4)
    expected = PIXELS.reshape(40, 3, 2, 4, 2, 3).mean((2, 4))
    assert half.images.shape == (40, 3, 4, 3)
    assert np.abs(half.images - expected).max() <= 0.5
    assert (half.labels == SET.labels).all()
    assert (reduced(SET, 8).images == PIXELS).all()
    for pixels in (3, 16, 2, 5):
        with pytest.raises(DagnasError, match=f"6 x 8 pixels cannot be reduced to {pixels}"):
            reduced(SET, pixels)
    np.savez(tmp_path / "x.npz", images=PIXELS, labels=SET.labels)
    assert open_images(str(tmp_path / "x.npz"), tmp_path, 4).images.shape == (40, 3, 4, 3)
    assert open_images("digits", tmp_path).images.shape == (1797, 8, 8, 1)
    with pytest.raises(DagnasError, match=r"no such file: .*cifar10\.parquet"):
        open_images("cifar10", tmp_path)
