"""What Snakemake knows travels with the files."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path

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


def test_nothing_to_restore(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    provenance.restore(Path("provenance.json"))
    assert not list(tmp_path.iterdir())
