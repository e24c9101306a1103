"""What Snakemake knows travels with the files."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from types import SimpleNamespace

import pytest

from dagnas.pipeline import provenance


def note(output, **known):
    place = provenance.NOTES / urlsafe_b64encode(output.encode()).decode()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(known))
    return place


def test_notes_of_a_scale_are_saved_and_restored_where_they_lack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = note("results/smoke/goal/fig4.csv", rule="result")
    gone = note("results/smoke/goal/gone.csv", rule="result")
    other = note("results/desk/goal/fig4.csv", rule="result")
    for output in ("results/smoke/goal/fig4.csv", "results/desk/goal/fig4.csv"):
        Path(output).parent.mkdir(parents=True)
        Path(output).write_text("")

    saved = Path("results/smoke/provenance.json")
    provenance.save(saved, [Path("results/smoke"), Path("data")])
    assert json.loads(saved.read_text()) == {"results/smoke/goal/fig4.csv": {"rule": "result"}}

    for file in (mine, gone, other):
        file.unlink()
    provenance.restore(saved)
    assert json.loads(mine.read_text()) == {"rule": "result"}
    assert not gone.exists()
    assert not other.exists()

    mine.write_text('{"rule": "newer"}')
    provenance.restore(saved)
    assert json.loads(mine.read_text()) == {"rule": "newer"}


def test_notes_of_a_later_version_replace_those_of_an_earlier_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = Path("results/smoke/provenance.json")
    saved.parent.mkdir(parents=True)

    def bring(**notes):
        saved.write_text(json.dumps({name: {"params": params} for name, params in notes.items()}))
        told = {name: provenance.known(saved)(Path(name)) for name in ("pulled", "made")}
        provenance.restore(saved)
        # What is told before is what is there afterwards.
        assert told == {name: provenance.known(saved)(Path(name)) for name in told}
        return [found and found["params"] for found in told.values()]

    assert bring(pulled=1, made=1) == [1, 1]
    note("made", params="here")
    assert bring(pulled=2, made=2) == [2, "here"]
    assert bring(pulled=3, made=2) == [3, "here"]
    assert bring(made=2) == [3, "here"]


def test_nothing_to_restore(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    provenance.restore(Path("provenance.json"))
    assert not list(tmp_path.iterdir())


def test_names_longer_than_a_file_name_travel_too(tmp_path, monkeypatch):
    # Older versions keep their notes elsewhere.
    persistence = pytest.importorskip("snakemake.persistence.file").FilePersistence
    monkeypatch.chdir(tmp_path)
    output = f"results/{'study' * 18}/{'method' * 15}/{'x' * 90}.parquet"
    Path(output).parent.mkdir(parents=True)
    Path(output).touch()
    # Where Snakemake itself has the note.
    snakemake = SimpleNamespace(_fetch_max_len=lambda subject: 255)
    place = Path(persistence._record_path(snakemake, str(provenance.NOTES), output))
    assert place.parent.name.startswith("@")
    place.parent.mkdir(parents=True)
    place.write_text('{"rule": "search"}')

    provenance.annotate(Path(output), {"adopted": "checked"})
    known = {"rule": "search", "adopted": "checked"}
    assert json.loads(place.read_text()) == known
    provenance.save(Path("provenance.json"), [Path("results")])
    assert json.loads(Path("provenance.json").read_text()) == {output: known}
    place.unlink()
    provenance.restore(Path("provenance.json"))
    assert json.loads(place.read_text()) == known


@pytest.mark.parametrize("damaged", ["", '{"rule": "sea', "[]", "\xff\xfe"])
def test_a_damaged_note_is_left_out_and_named(damaged, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    for name in ("good", "bad"):
        Path(f"results/{name}.csv").touch()
        place = note(f"results/{name}.csv", rule="result")
    place.write_bytes(damaged.encode("latin-1"))
    (provenance.NOTES / "no note at all").touch()
    provenance.save(Path("provenance.json"), [Path("results")])
    assert json.loads(Path("provenance.json").read_text()) == {
        "results/good.csv": {"rule": "result"}
    }
    provenance.annotate(Path("results/bad.csv"), {"adopted": "checked"})
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2
    assert all(str(place) in line and "results/bad.csv" in line for line in warnings)


@pytest.mark.parametrize(
    "damaged", ["", '{"results/a.csv": {"ru', "<<<<<<< HEAD\n{}\n", "[]", '{"": {}, "\\ud800": 3}']
)
def test_damaged_provenance_is_left_out_and_named(damaged, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("provenance.json").write_text(damaged)
    provenance.restore(Path("provenance.json"))
    assert ("left out provenance.json: " in capsys.readouterr().err) != ("ud800" in damaged)
    assert not [path for path in provenance.NOTES.rglob("*") if path.is_file()]
