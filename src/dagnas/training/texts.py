"""Texts for language models: reading, checks, vocabularies, windows of backpropagation."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.seeds import stream

#: Word at the end of each line, and the word that stands for those outside of a vocabulary.
END, UNKNOWN = "<eos>", "<unk>"
PARTS = ("train", "valid", "test")
#: Fractions of the lines of a text file in its parts, in order, as of 20.
_OF_TWENTY = (18, 1, 1)
#: Bytes of a text, words of it, and letters of a word at most.
_BYTES, _WORDS, _LETTERS = 2**27, 20_000_000, 1000
#: Tables of words that are known by name.
TABLES = ("ptb",)
#: Name of the text of `generated`, and its lines.
GENERATED, _LINES = "generated", 4000


@dataclass(frozen=True)
class TextSet:
    """Words of a text in three parts.

    Attributes
    ----------
    name : str
        Name of the text, which also names the random streams of trainings on it.
    words : tuple of str
        Vocabulary.
    train, valid, test : ndarray of int64
        Numbers of the words of each part, in the text's order.
    """

    name: str
    words: tuple[str, ...]
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def parts(self) -> tuple[NDArray[np.int64], ...]:
        """Numbers of the words of the parts, in the order of `PARTS`."""
        return self.train, self.valid, self.test

    @property
    def guessing(self) -> float:
        """Perplexity of guessing the words to train on by their frequencies."""
        counts = np.bincount(self.train)
        shares = counts[counts > 0] / len(self.train)
        return float(np.exp(-(shares * np.log(shares)).sum()))

    def digest(self) -> str:
        """SHA-256 of vocabulary and words."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        for part in self.parts:
            digest.update(f"\n{len(part)}".encode())
            digest.update(part.tobytes())
        return digest.hexdigest()

    def reduced(self, vocabulary: int = 0, sizes: Sequence[int] = (0, 0, 0)) -> TextSet:
        """Text of the first words of each part, and of a smaller vocabulary.

        Parameters
        ----------
        vocabulary : int
            Number of words, the most frequent ones of the part to train on, `UNKNOWN` among them,
            which all others become; those of one frequency in alphabetical order. 0: all.
        sizes : sequence of int
            Words of each part; 0: all.

        Raises
        ------
        DagnasError
            A part has fewer words, or a vocabulary of one word is asked for.
        """
        parts = []
        for name, part, size in zip(PARTS, self.parts, sizes, strict=True):
            if size > len(part):
                raise DagnasError(
                    f"text {self.name}: {name} has {len(part):,} words, fewer than {size:,}"
                )
            parts.append(part[: size or None])
        if not vocabulary:
            return TextSet(self.name, self.words, *parts)
        if vocabulary < 2:
            raise DagnasError(f"text {self.name}: a vocabulary has two words at least")
        counts = np.bincount(parts[0], minlength=len(self.words)).tolist()
        others = [number for number, word in enumerate(self.words) if word != UNKNOWN]
        others.sort(key=lambda number: (-counts[number], self.words[number]))
        kept = sorted(others[: vocabulary - 1])
        place = np.zeros(len(self.words), dtype=np.int64)
        place[kept] = np.arange(1, 1 + len(kept))
        words = (UNKNOWN, *(self.words[number] for number in kept))
        return TextSet(self.name, words, *(place[part] for part in parts))


def make_text(name: str, parts: Sequence[Sequence[str]]) -> TextSet:
    """Text of the words of its parts; the vocabulary is theirs in the order of occurrence.

    Raises
    ------
    DagnasError
        There are too many words, a part has fewer than two, or all words are one.
    """
    count = sum(map(len, parts))
    if count > _WORDS:
        raise DagnasError(f"text {name}: {count:,} words, of {_WORDS:,} allowed")
    for part, words in zip(PARTS, parts, strict=True):
        if len(words) < 2:
            raise DagnasError(f"text {name}: {part} has {len(words)} words; at least 2 are needed")
    longest = max(map(len, itertools.chain(*parts)))
    if longest > _LETTERS:
        raise DagnasError(
            f"text {name}: a word has {longest:,} letters, of {_LETTERS:,} allowed; words are "
            "separated by spaces"
        )
    number: dict[str, int] = {}
    codes = [
        np.array([number.setdefault(word, len(number)) for word in words], dtype=np.int64)
        for words in parts
    ]
    if len(number) < 2:
        raise DagnasError(f"text {name}: all words are {next(iter(number))!r:.50}")
    return TextSet(name, tuple(number), *codes)


def read_text(path: Path) -> TextSet:
    """Text of a UTF-8 file: words between spaces, and `END` after each line that has some.

    Of 20 lines each, the first 18 are to train on, one to validate and one to test on, so that the
    parts are of one kind where a text changes from beginning to end.

    Raises
    ------
    DagnasError
        The file is missing, too large, or no UTF-8; see `make_text`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
    except OSError as error:
        raise DagnasError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > _BYTES:
        raise DagnasError(f"{path} has more than {_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DagnasError(f"{path} is no UTF-8 text: byte {error.start:,} is none") from error
    if "\0" in text:
        raise DagnasError(f"{path} is no text: letter {text.index(chr(0)):,} is a zero")
    lines = filter(None, map(str.split, text.splitlines()))
    return make_text(path.stem, _parted([*words, END] for words in lines))


def read_words(path: Path) -> TextSet:
    """Text of a table with the columns ``word`` and ``part``, as `dagnas fetch ptb` makes it.

    Raises
    ------
    DagnasError
        The file is missing or damaged, or its columns are no such text; see `make_text`.
    """
    table = read_parquet(path, ["word", "part"])
    word, part = table["word"], table["part"]
    if not pa.types.is_string(word.type) or not pa.types.is_integer(part.type):
        raise DagnasError(
            f"{path} is no table of words: word is {word.type}, part is {part.type}; expected "
            "string and a whole number"
        )
    if word.null_count or part.null_count:
        raise DagnasError(f"{path} is no table of words: a value is missing")
    numbers = part.to_numpy()
    known = np.isin(numbers, range(len(PARTS)))
    if not known.all():
        raise DagnasError(f"{path} has the part {numbers[~known][0]}; valid: 0, 1, 2")
    words = np.array(word.to_pylist(), dtype=object)
    return make_text(path.stem, [words[numbers == n].tolist() for n in range(len(PARTS))])


def open_text(text: str, data: Path, name: str | None = None) -> TextSet:
    """Text by its name or file.

    Parameters
    ----------
    text : str
        ``generated``, a text of a small grammar; ``ptb``, of `dagnas fetch ptb`; a table of words;
        or a UTF-8 file.
    data : Path
        Folder of tables.
    name : str, optional
        Replaces the text's own.

    Raises
    ------
    DagnasError
        See `read_words` and `read_text`.
    """
    if text == GENERATED:
        found = generated(_LINES, stream(GENERATED, "text"))
    elif text in TABLES:
        path = data / f"{text}.parquet"
        if not path.is_file():
            raise DagnasError(f"no {path}; `dagnas fetch {text}` makes it")
        found = read_words(path)
    else:
        found = read_words(Path(text)) if text.endswith(".parquet") else read_text(Path(text))
    return TextSet(name, found.words, *found.parts) if name else found


def columns(words: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Text cut into ``count`` stretches of equal length, side by side; the rest is left out.

    Returns
    -------
    ndarray of int64, shape (T, count)
        Stretch b is column b.
    """
    length = len(words) // count
    return np.ascontiguousarray(words[: length * count].reshape(count, length).T)


def windows(steps: int, length: int) -> list[slice]:
    """Steps of truncated backpropagation through time; targets are one step later.

    Parameters
    ----------
    steps : int
        Rows of `columns`.
    length : int
        Steps of a window; the last one may have fewer.
    """
    return [slice(at, min(at + length, steps - 1)) for at in range(0, steps - 1, length)]


def unknown_fraction(text: TextSet) -> float:
    """Fraction of the words to train on that are outside of the vocabulary."""
    if UNKNOWN not in text.words:
        return 0.0
    return float((text.train == text.words.index(UNKNOWN)).mean())


def generated(
    lines: int, rng: np.random.Generator, words: int = 60, name: str = GENERATED
) -> TextSet:
    """Free text of a small grammar, for tests and for trying things out.

    A line is subject, verb and object; each noun has one of two numbers that its verb agrees with,
    some nouns have a relative clause between them and their verb, and words of a kind have Zipf's
    frequencies. So a model that remembers the subject has a lower perplexity than one that sees the
    last word alone.

    Parameters
    ----------
    lines : int
    rng : numpy Generator
    words : int
        Words of the vocabulary, about.
    name : str
    """
    return make_text(name, _parted([_line(rng, max(2, words // 6)) for _ in range(lines)]))


def _parted(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    """Words of the lines of each part."""
    parts: list[list[str]] = [[] for _ in PARTS]
    part_of = np.repeat(np.arange(len(PARTS)), _OF_TWENTY).tolist()
    for number, line in enumerate(lines):
        parts[part_of[number % len(part_of)]] += line
    return parts


def _line(rng: np.random.Generator, kinds: int) -> list[str]:
    frequency = 1 / np.arange(1, kinds + 1)
    frequency /= frequency.sum()

    def choose(kind: str, number: str) -> str:
        return f"{kind}{rng.choice(kinds, p=frequency)}{number}"

    number = "s" if rng.random() < 0.5 else "p"
    subject = [f"the{number}", choose("noun", number)]
    if rng.random() < 0.4:
        other = "s" if rng.random() < 0.5 else "p"
        subject += ["that", choose("verb", other), choose("noun", other)]
    thing = "s" if rng.random() < 0.5 else "p"
    return [*subject, choose("verb", number), f"the{thing}", choose("noun", thing), END]
