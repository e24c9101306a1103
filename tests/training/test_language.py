"""Texts, and training of language models: alone by the trainer, and in stacks."""

import hashlib
import itertools
import math
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.networks.recurrent import RecurrentModel
from dagnas.seeds import stream
from dagnas.spaces.recurrent import read, recurrent
from dagnas.tables.fetch import fetch
from dagnas.tables.importers import ptb
from dagnas.training.language import (
    TextWindows,
    language_loss,
    perplexity,
    perplexity_of,
    saved,
    shape_of,
    train_language,
)
from dagnas.training.language_curves import LanguageCurves
from dagnas.training.language_recipe import LanguageRecipe, parse_language_recipe
from dagnas.training.texts import (
    END,
    UNKNOWN,
    TextSet,
    columns,
    generated,
    make_text,
    open_text,
    read_text,
    windows,
)

PLAIN: dict[str, Any] = {
    "units": 8,
    "initial": 0.2,
    "epochs": 2,
    "batch_size": 4,
    "window": 6,
    "clip": 0.5,
    "learning_rate": 5.0,
    "final_learning_rate": 5.0,
    "slowness": 0.01,
    "dropout": 0,
    "dropout_hidden": 0,
    "dropout_input": 0,
    "dropout_embedding": 0,
}
RECIPE = LanguageRecipe(**PLAIN)
CELL = read("Genotype(recurrent=[('relu', 0), ('sigmoid', 0), ('identity', 1)], concat=[2, 3])")


@pytest.fixture(scope="module")
def text():
    return generated(100, np.random.default_rng(0), words=30)


# Texts.


def test_a_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "songs.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n\n".join(f"la  l\u00e4 {n}" for n in range(20)).encode())
    found = read_text(path)
    assert found.name == "songs"
    first = ["la", "l\u00e4", "0", END, "la", "l\u00e4", "1", END]
    assert [found.words[n] for n in found.train[:8]] == first
    assert [found.words[n] for n in found.valid] == ["la", "l\u00e4", "18", END]
    assert [found.words[n] for n in found.test] == ["la", "l\u00e4", "19", END]
    assert open_text(str(path), tmp_path, "other").name == "other"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "train has 0 words; at least 2"),
        (b"one line\n", "valid has 0 words"),
        (b"\xff\xfe" + b"a b\n" * 40, "no UTF-8 text: byte 0 is none"),
        (b"a b\n" * 30 + b"a\0b\n" * 10, "letter 121 is a zero"),
        (b"x" * 2000 + b"\n" + b"a b\n" * 40, "a word has 2,000 letters, of 1,000 allowed"),
        (b"<eos>\n" * 40, "all words are '<eos>'"),
    ],
)
def test_what_is_no_text_is_told(tmp_path, content, why):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(DagnasError, match=why):
        read_text(path)


def test_files_that_are_absent_or_too_large_are_told(tmp_path, monkeypatch):
    with pytest.raises(DagnasError, match=r"cannot read .*x\.txt"):
        open_text(str(tmp_path / "x.txt"), tmp_path)
    with pytest.raises(DagnasError, match="`dagnas fetch ptb` makes it"):
        open_text("ptb", tmp_path)
    (tmp_path / "x.txt").write_text("a b\n" * 100)
    monkeypatch.setattr("dagnas.training.texts._BYTES", 50)
    with pytest.raises(DagnasError, match="more than 50 bytes"):
        open_text(str(tmp_path / "x.txt"), tmp_path)
    monkeypatch.setattr("dagnas.training.texts._WORDS", 5)
    with pytest.raises(DagnasError, match="6 words, of 5 allowed"):
        make_text("x", [["a", "b"]] * 3)


def test_tables_of_words_are_checked(tmp_path):
    path = tmp_path / "ptb.parquet"
    write_parquet(pa.table({"word": ["a", "b"] * 3, "part": [0, 0, 1, 1, 2, 2]}), path)
    assert open_text("ptb", tmp_path).words == ("a", "b")
    write_parquet(pa.table({"word": ["a", "b"], "part": [0, 3]}), path)
    with pytest.raises(DagnasError, match="has the part 3; valid: 0, 1, 2"):
        open_text("ptb", tmp_path)
    write_parquet(pa.table({"word": [1, 2], "part": [0, 1]}), path)
    with pytest.raises(DagnasError, match="word is int64"):
        open_text("ptb", tmp_path)
    write_parquet(pa.table({"word": ["a", None], "part": [0, 1]}), path)
    with pytest.raises(DagnasError, match="a value is missing"):
        open_text("ptb", tmp_path)


def test_a_smaller_vocabulary_has_the_most_frequent_words():
    train = ["c", "c", "c", "b", "b", "a", "a", "d"]
    small = make_text("x", [train, ["a", "e"], ["c", "d"]]).reduced(3, (0, 2, 1))
    assert small.words == (UNKNOWN, "c", "a")
    assert [small.words[n] for n in small.train] == [
        "c", "c", "c", UNKNOWN, UNKNOWN, "a", "a", UNKNOWN
    ]  # fmt: skip
    assert [[small.words[n] for n in part] for part in small.parts[1:]] == [["a", UNKNOWN], ["c"]]
    with pytest.raises(DagnasError, match="test has 2 words, fewer than 3"):
        make_text("x", [train, train, ["a", "b"]]).reduced(0, (0, 0, 3))


def test_columns_and_windows_cover_the_text_once():
    found = columns(np.arange(23), 3)
    assert found.T.tolist() == [list(range(at, at + 7)) for at in (0, 7, 14)]
    places = windows(7, 4)
    assert [(p.start, p.stop) for p in places] == [(0, 4), (4, 6)]
    read_ = np.concatenate([found[p] for p in places])
    following = np.concatenate([found[p.start + 1 : p.stop + 1] for p in places])
    assert (read_ + 1 == following).all()


def archive(path, texts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in texts.items():
            file.writestr(name, content)


def test_an_archive_is_checked_part_by_part(tmp_path):
    texts = {name: f" {name} a b \n c\n" for name in ptb.FILES}
    known = {n: hashlib.md5(t.encode()).hexdigest() for n, t in texts.items()}
    archive(tmp_path / "ptb.zip", texts)
    table = ptb.read(tmp_path / "ptb.zip", known)
    assert table["word"].to_pylist()[:6] == ["ptb.train.txt", "a", "b", "<eos>", "c", "<eos>"]
    assert table["part"].to_pylist() == [0] * 6 + [1] * 6 + [2] * 6
    with pytest.raises(DagnasError, match=r"ptb\.train\.txt is damaged or another file: its MD5"):
        ptb.read(tmp_path / "ptb.zip")
    archive(tmp_path / "less.zip", {"ptb.train.txt": texts["ptb.train.txt"]})
    with pytest.raises(DagnasError, match=r"lacks ptb\.valid\.txt"):
        ptb.read(tmp_path / "less.zip", known)
    (tmp_path / "bad.zip").write_bytes(b"PK" + bytes(range(256)))
    with pytest.raises(DagnasError, match="is no readable archive"):
        ptb.read(tmp_path / "bad.zip", known)


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path):
    archive(tmp_path / "bomb.zip", {"ptb.train.txt": bytes(2**24 + 1)})
    with pytest.raises(DagnasError, match="more than 16,777,216 bytes"):
        ptb.read(tmp_path / "bomb.zip")


@pytest.mark.slow
def test_penn_treebank(mirror, tmp_path):
    assert "1,085,779 words" in fetch("ptb", tmp_path, [str(mirror)])
    found = open_text("ptb", tmp_path)
    assert [len(part) for part in found.parts] == [929_589, 73_760, 82_430]
    assert len(found.words) == 10_000


# A model alone.


def test_an_untrained_model_guesses(text):
    quiet = RecurrentModel(
        CELL, len(text.words), shape_of(RECIPE).model_copy(update={"initial": 1e-6})
    )
    windows_ = TextWindows(text, RECIPE)
    assert perplexity(quiet, windows_, "valid") == pytest.approx(len(text.words), rel=1e-4)


def test_perplexity_is_that_of_the_text_word_by_word(text):
    torch.manual_seed(0)
    network = RecurrentModel(CELL, len(text.words), shape_of(RECIPE))
    found = perplexity(network, TextWindows(text, RECIPE), "test")
    losses = []
    for column in columns(text.test, 4).T:
        state = network.start(1)
        for word, following in itertools.pairwise(column):
            logits, outputs = network(torch.tensor([[word]]), state)
            state = outputs[-1]
            losses.append(-logits[0, 0].log_softmax(0)[following].item())
    assert found == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)


def test_a_training_learns_resumes_and_repeats(text, tmp_path):
    recipe = LanguageRecipe(**PLAIN | {"epochs": 4, "dropout": 0.1})
    whole = train_language(CELL, text, recipe, ("test",))
    assert whole.curve.column_names == ["epoch", "loss", "learning_rate", "valid_perplexity"]
    curve = whole.curve["valid_perplexity"].to_pylist()
    assert curve[-1] < 0.7 * len(text.words)
    assert whole.valid == curve[-1]
    assert whole.curve["learning_rate"].to_pylist()[0] == 5.0

    class Killed(Exception):
        pass

    def kill(record):
        if record["epoch"] == 2:
            raise Killed

    path = tmp_path / "x.part"
    with pytest.raises(Killed):
        train_language(CELL, text, recipe, ("test",), checkpoint=path, progress=kill)
    again = train_language(CELL, text, recipe, ("test",), checkpoint=path)
    assert again.curve.equals(whole.curve)
    assert (again.valid, again.test) == (whole.valid, whole.test)


def test_windows_come_in_the_order_of_the_text(text):
    windows_ = TextWindows(text, RECIPE)
    batches = list(windows_.batches(np.array([3, 1, 2, 0]), 1, None, None, (0, 1)))
    assert torch.cat([words for words, _ in batches]).equal(windows_.words["train"][:-1])
    with pytest.raises(DagnasError, match="too few for 500 stretches"):
        TextWindows(text, LanguageRecipe(**PLAIN | {"batch_size": 500}))


def test_settings_are_checked():
    assert parse_language_recipe({"units": 3}).units == 3
    with pytest.raises(DagnasError, match="unknown setting of language models 'unit'"):
        parse_language_recipe({"unit": 3})
    with pytest.raises(DagnasError, match="dropout=2"):
        parse_language_recipe({"dropout": 2})


# Stacks.


@pytest.fixture(scope="module")
def some():
    cells = recurrent.sample(7, np.random.default_rng(3))
    return cells, recurrent.pack(cells).tolist()


def alone(genotype, code, text, recipe):
    """Perplexities after every epoch, by a plain loop of the model of `dagnas.networks`."""
    network = RecurrentModel(genotype, len(text.words), shape_of(recipe))
    rng = stream(text.name, "weights", 0, code)
    with torch.no_grad():
        for weights in (network.embedding, network.first, *network.nodes):
            drawn = rng.uniform(-recipe.initial, recipe.initial, tuple(weights.shape))
            weights.copy_(torch.from_numpy(drawn))
    windows_, found = TextWindows(text, recipe), []
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    for _ in range(recipe.epochs):
        state = network.start(recipe.batch_size)
        for words, following in windows_.of("train"):
            logits, outputs = network(words, state)
            state = outputs[-1].detach()
            optimizer.zero_grad()
            language_loss(logits, following, outputs, recipe.slowness).backward()
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            optimizer.step()
        found.append([perplexity(network, windows_, part) for part in ("valid", "test")])
    return np.array(found)


def test_a_stack_trains_as_models_one_at_a_time(text, some):
    cells, codes = some
    together = LanguageCurves(recurrent, text, RECIPE).train(cells, codes, 0)
    assert (together[:, -1] > 0).all(axis=1).mean() > 0.5
    for genotype, code, found in zip(recurrent.genotypes(cells), codes, together, strict=True):
        perplexities = perplexity_of(found[:, 1:], text.guessing)
        # What is worse than guessing is not told apart from it.
        expected = np.minimum(alone(genotype, code, text, RECIPE), text.guessing)
        np.testing.assert_allclose(perplexities, expected, rtol=1e-5)


@pytest.mark.parametrize("dropped", [0.0, 0.3])
def test_no_model_depends_on_the_others_of_its_stack(text, some, dropped):
    cells, codes = some
    names = ("dropout", "dropout_hidden", "dropout_input", "dropout_embedding")
    curves = LanguageCurves(
        recurrent, text, LanguageRecipe(**PLAIN | dict.fromkeys(names, dropped))
    )
    together = curves.train(cells, codes, 0)
    for place in (0, 3, 6):
        assert (curves.train(cells[place], [codes[place]], 0)[0] == together[place]).all()
    pair = curves.train(cells[[6, 2]], [codes[6], codes[2]], 0)
    assert (pair == together[[6, 2]]).all()


def test_seeds_and_dropout_make_other_trainings(text, some):
    cells, codes = some
    curves = LanguageCurves(recurrent, text, RECIPE)
    one, two = (curves.train(cells, codes, seed) for seed in range(2))
    assert (one != two).any(axis=(1, 2)).all()
    other = LanguageCurves(recurrent, text, LanguageRecipe(**PLAIN | {"dropout_hidden": 0.2}))
    assert (one != other.train(cells, codes, 0)).any(axis=(1, 2)).all()


def test_a_model_that_diverges_saves_nothing(text, some):
    cells, codes = some
    wild = LanguageRecipe(**PLAIN | {"clip": 0, "learning_rate": 1e9, "final_learning_rate": 1e9})
    found = LanguageCurves(recurrent, text, wild).train(cells, codes, 0)
    assert (found[:, -1] == 0).all()


def test_perplexity_saved():
    assert [saved(x, 50) for x in (0.0, math.log(50), 9.0, math.nan)] == [98, 0, 0, 0]
    assert perplexity_of(saved(math.log(7), 50), 50) == pytest.approx(7)


def test_guessing_is_by_the_frequencies_of_the_words_to_train_on():
    four = np.array([0, 1, 2, 3] * 5)
    even = TextSet("even", ("a", "b", "c", "d", "e"), four, four[:4], four[:4])
    assert even.guessing == pytest.approx(4)
    odd = replace(even, train=np.array([0, 0, 0, 1]))
    assert odd.guessing == pytest.approx(4 / 3**0.75)
