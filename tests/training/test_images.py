"""Image sets: what is refused, how they are split and shifted."""

import io
import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dagnas.errors import DagnasError
from dagnas.seeds import stream
from dagnas.training.images import ImageSet, digits, read_npz, shift, split


def pixels(count=12, height=3, width=4, *channels, seed=0):
    size = (count, height, width, *channels)
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def labelled(labels, name="made"):
    labels = np.asarray(labels)
    return ImageSet(name, pixels(len(labels)), labels)


LABELS = np.arange(12) % 3


def test_grey_and_coloured_images_get_a_channel_axis():
    grey, coloured = ImageSet("g", pixels(), LABELS), ImageSet("c", pixels(12, 3, 4, 3), LABELS)
    assert grey.images.shape == (12, 3, 4, 1)
    assert (grey.images[..., 0] == pixels()).all()
    assert coloured.images.shape == (12, 3, 4, 3)
    assert (coloured.images == pixels(12, 3, 4, 3)).all()
    for images in (grey, coloured):
        assert images.classes == 3
        assert images.labels.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, ">i8"])
def test_labels_of_any_integers(dtype):
    images = ImageSet("made", pixels(), LABELS.astype(dtype))
    assert images.labels.tolist() == LABELS.tolist()
    assert images.digest() == ImageSet("made", pixels(), LABELS).digest()


def with_nan(values):
    values = values.astype(np.float32)
    values[2] = np.nan
    return values


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (pixels().astype(np.float32), LABELS, "images are float32, expected uint8"),
        (with_nan(pixels()), LABELS, "images are float32 with NaN, expected uint8"),
        (pixels().astype(np.int64), LABELS, "images are int64, expected uint8"),
        (pixels() > 99, LABELS, "images are bool, expected uint8"),
        (pixels().astype(object), LABELS, "images are object, expected uint8"),
        (pixels()[:, 0], LABELS, r"images have shape \(12, 4\), expected \(N, H, W"),
        (pixels(12, 3, 4, 3, 1), LABELS, r"images have shape \(12, 3, 4, 3, 1\), expected"),
        (np.uint8(3), LABELS, r"images have shape \(\), expected"),
        (pixels(12, 0, 4), LABELS, r"images have shape \(12, 0, 4\), expected"),
        (pixels(12, 3, 4, 0), LABELS, r"images have shape \(12, 3, 4, 0\), expected"),
        (pixels(0), LABELS[:0], r"images have shape \(0, 3, 4\), expected"),
        (
            pixels(12, 3, 32, 32),
            LABELS,
            r"images .* which is 3 x 32 pixels and 32 channels; ",
        ),
        (pixels(12, 3, 1024), LABELS, r"images .* which is 3 x 1024 pixels and 1 channels; "),
        (pixels(12, 3, 4, 2), LABELS, r"images .* which is 3 x 4 pixels and 2 channels; expected"),
        (pixels(), LABELS[:11], r"labels have shape \(11,\), expected one for each of 12 images"),
        (pixels(), LABELS[:, None], r"labels have shape \(12, 1\), expected one for each of 12"),
        (pixels(), np.int64(3), r"labels have shape \(\), expected one for each of 12"),
        (pixels(), with_nan(LABELS), "the label of image 2 is NaN"),
        (pixels(), LABELS.astype(np.float64), "labels are float64, expected integers"),
        (pixels(), LABELS > 0, "labels are bool, expected integers"),
        (pixels(), LABELS.astype(str), "labels are <U21, expected integers"),
        (pixels(), LABELS - 2, "label -2 is out of range"),
        (pixels(), np.zeros(12, int), "all labels are 0; at least two classes are needed"),
        (pixels(), np.full(12, 7), "all labels are 7; at least two classes are needed"),
        (pixels(), LABELS + 1, r"label 3 is out of range: .* 0 to 2 \(no image has label 0\)"),
        (pixels(), LABELS * 2, r"label 4 is out of range: .* 0 to 2 \(no image has label 1\)"),
        (pixels(), LABELS * 2**61, r"label 4611686018427387904 is out of range"),
        (pixels(), np.array([0] * 5 + [1] * 2 + [2] * 5), "too few images: class 1 has 2,"),
    ],
)
def test_what_is_no_image_set(images, labels, message):
    with pytest.raises(DagnasError, match=f"^image set made: {message}"):
        ImageSet("made", images, labels)


def test_digest_tells_sets_apart():
    images = ImageSet("made", pixels(), LABELS)
    assert images.digest() == ImageSet("other", pixels(), LABELS).digest()
    changed = pixels()
    changed[3, 1, 2] ^= 1
    others = [
        ImageSet("made", changed, LABELS),
        ImageSet("made", pixels(), LABELS[::-1]),
        ImageSet("made", pixels().reshape(12, 4, 3), LABELS),
    ]
    assert len({images.digest(), *(other.digest() for other in others)}) == 4


def test_digits():
    images = digits()
    assert images.images.shape == (1797, 8, 8, 1)
    assert (images.images.min(), images.images.max(), images.classes) == (0, 16, 10)
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def packed(**arrays):
    """Bytes of an .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files(save, tmp_path):
    save(tmp_path / "mine.npz", images=pixels(), labels=LABELS, notes=np.zeros(3))
    images = read_npz(tmp_path / "mine.npz")
    assert images.name == "mine"
    assert (images.images[..., 0] == pixels()).all()
    assert (images.labels == LABELS).all()


def saved_array():
    file = io.BytesIO()
    np.save(file, pixels())
    return file.getvalue()


WHOLE = packed(images=pixels(), labels=LABELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable .npz file"),
        (b"images, labels\n" * 100, "is not a readable .npz file"),
        (saved_array(), "is not a readable .npz file"),
        (WHOLE[:-1], "is not a readable .npz file"),
        (WHOLE[: len(WHOLE) // 2], "is not a readable .npz file"),
        (WHOLE[:4], "is not a readable .npz file"),
        (packed(images=pixels(), labels=LABELS.astype(object)), "is not a readable .npz file"),
        (packed(images=pixels()), "lacks labels; it holds images"),
        (packed(x=pixels(), y=LABELS), "lacks images and labels; it holds x, y"),
        (packed(), "lacks images and labels; it holds nothing"),
    ],
    ids=[
        "empty", "text", "npy", "cut by a byte", "half", "head", "pickled",
        "no labels", "other names", "no arrays",
    ],
)  # fmt: skip
def test_damaged_and_foreign_files(content, message, tmp_path):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(DagnasError, match=rf"mine\.npz {message}"):
        read_npz(tmp_path / "mine.npz")


def test_missing_file(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(DagnasError, match=f"no such file: {path}"):
            read_npz(path)


def test_arrays_of_a_file_are_checked(tmp_path):
    np.savez(tmp_path / "mine.npz", images=pixels() / 255, labels=LABELS)
    with pytest.raises(DagnasError, match="image set mine: images are float64"):
        read_npz(tmp_path / "mine.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_bit_is_noticed_or_does_no_harm(save, tmp_path):
    path = tmp_path / "mine.npz"
    save(path, images=pixels() // 64, labels=LABELS)
    whole, images = path.read_bytes(), read_npz(path)
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert read_npz(path).digest() == images.digest()
        except DagnasError:
            refused += 1
    assert refused > len(whole) // 2


@given(
    counts=st.lists(st.integers(3, 60), min_size=2, max_size=8),
    fractions=st.tuples(*[st.floats(0.1, 0.3)] * 3),
    seed=st.integers(0, 2**31),
)
def test_splits_are_apart_and_are_stratified_by_class(counts, fractions, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    images = labelled(labels)
    sizes = tuple(int(fraction * len(labels)) for fraction in fractions)
    assume(min(sizes) >= len(counts))
    parts = split(images, sizes, np.random.default_rng(seed))
    assert tuple(map(len, parts)) == sizes
    assert len(set(np.concatenate(parts).tolist())) == sum(sizes)
    for part in parts:
        assert (np.diff(part) > 0).all()
        expected = np.array(counts) * len(part) / len(labels)
        # One by rounding, and one at most by what the other classes' rounding moves its ends.
        assert (np.abs(np.bincount(labels[part], minlength=len(counts)) - expected) < 2).all()


def test_classes_of_the_digits_are_within_one_of_their_share():
    images = digits()
    for parts in (split(images, (599, 599, 599), stream(seed)) for seed in range(20)):
        for part in parts:
            expected = np.bincount(images.labels) / 3
            assert (np.abs(np.bincount(images.labels[part]) - expected) <= 1).all()


def test_splits_are_drawn_from_the_generator_alone():
    images = digits()

    def drawn(seed):
        return [part.tolist() for part in split(images, (400, 300, 200), stream("draw", seed))]

    assert drawn(0) == drawn(0)
    assert all(a != b for a, b in zip(drawn(0), drawn(1), strict=True))
    # Any image can go anywhere: those that lie first are not those that are trained on.
    first = [part.count(0) for seed in range(60) for part in drawn(seed)]
    assert all(sum(first[place::3]) > 0 for place in range(3))


@pytest.mark.parametrize("sizes", [(5, 4, 4), (2, 5, 5), (5, 2, 5), (5, 5, 2), (12, 0, 0)])
def test_sizes_that_a_set_cannot_be_split_into(sizes):
    wanted = re.escape(" + ".join(map(str, sizes)))
    with pytest.raises(DagnasError, match=rf"too few images: 12 of 3 classes .* {wanted} "):
        split(labelled(LABELS), sizes, stream("x"))


def test_all_images_can_be_split():
    parts = split(labelled(LABELS), (6, 3, 3), stream("x"))
    assert sorted(np.concatenate(parts).tolist()) == list(range(12))


def moved(image, down, right):
    """One image moved, pixel by pixel."""
    result = np.zeros_like(image)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            source = row - down, column - right
            if 0 <= source[0] < image.shape[0] and 0 <= source[1] < image.shape[1]:
                result[row, column] = image[source]
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_images_are_moved_by_whole_pixels_and_zeros_come_in(most, channels):
    # No pixel is 0, so that what came in shows.
    images = np.maximum(pixels(400, 4, 5, channels), 1)
    results = shift(images, most, stream("moves"))
    assert results.shape == images.shape
    assert results.dtype == np.uint8
    ways = list(itertools.product(range(-most, most + 1), repeat=2))
    found = [
        [way for way in ways if (moved(image, *way) == result).all()]
        for image, result in zip(images, results, strict=True)
    ]
    assert {len(matches) for matches in found} == {1}
    assert {matches[0] for matches in found} == set(ways)


def test_images_can_be_moved_out_of_sight():
    results = shift(np.ones((300, 2, 2, 1), np.uint8), 2, stream("moves"))
    assert set(results.sum(axis=(1, 2, 3)).tolist()) == {0, 1, 2, 4}


def test_shift_by_nothing_changes_nothing():
    images = pixels(5, 3, 4, 3)
    before = images.copy()
    assert (shift(images, 0, stream("x")) == before).all()
    shift(images, 2, stream("x"))
    assert (images == before).all()


def test_shift_is_drawn_from_the_generator_alone():
    images = pixels(50, 3, 4, 1)
    one, same, other = (shift(images, 1, stream("x", seed)) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
