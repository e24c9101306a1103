"""Keep what the desk has made in DVC's store: `make keep`.

Writes Snakemake's notes beside the results, tells DVC of each of its outputs that is here, and
copies them to the store, with the checkpoints of jobs that are half done: they go on elsewhere.
A file that was kept before and is missing from a folder that is here would be gone from the next
version of that folder: then nothing is done, unless LESS=1 asks for it.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from dvc.repo import Repo

from dagnas.pipeline import provenance
from dagnas.pipeline.scales import Scale, load


def main() -> None:
    """Keep all that is here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config/desk.yaml", metavar="FILE", help="scale file")
    parser.add_argument("--notes", action="store_true", help="write the notes, and no more")
    options = parser.parse_args()
    scale = load(options.config)
    notes = scale.results / "provenance.json"
    if options.notes:
        write(notes, scale)
        return
    lost = lacking(notes)
    if lost and not os.environ.get("LESS"):
        shown = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        sys.exit(
            f"{len(lost)} kept before and not here: {shown}; `dvc pull --allow-missing` brings "
            "them, LESS=1 keeps the rest without them"
        )
    write(notes, scale)
    stages = [
        stage.addressing
        for stage in Repo().index.stages
        if all(out.use_cache and out.exists for out in stage.outs)
    ]
    dvc("commit", "--quiet", "--force", *stages)
    dvc("push", "--quiet")
    print(f"kept: {', '.join(stages)}; next: git add dvc.lock store && git commit")


def write(notes: Path, scale: Scale) -> None:
    """Write the notes; those that came with what others kept count where Snakemake has none."""
    provenance.restore(notes)
    provenance.save(notes, [scale.results, scale.data])


def lacking(notes: Path) -> list[str]:
    """Files that DVC keeps and that are missing from outputs that are here.

    The notes count wherever they are missing: those on outputs that are not here would be lost.
    """
    said = json.loads(dvc("data", "status", "--granular", "--json"))
    changes = said.get("uncommitted", {})
    # A folder of which DVC has no list of files was never pulled. Checkpoints go when jobs end.
    marks = (".part", ".checkpoint/")
    deleted = [path for path in changes.get("deleted", []) if not any(m in path for m in marks)]
    paths = [*deleted, *changes.get("unknown", [])]
    outs = [Path(out.fspath) for stage in Repo().index.stages for out in stage.outs]
    here = [os.path.relpath(out) for out in outs if out.exists()]
    return [
        path
        for path in sorted(paths)
        if Path(path) == notes or any(Path(path).is_relative_to(out) for out in here)
    ]


def dvc(*words: str) -> str:
    """What a command of DVC prints; ends the script where it fails."""
    done = subprocess.run([sys.executable, "-m", "dvc", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    main()
