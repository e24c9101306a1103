"""What the searches of a scale took: seconds of a trial, and minutes of one core in all.

    python -m studies.wall_times [config/desk.yaml]

Read from the .wall.csv beside the traces, so they are of the machine that made these, and of what
else it was doing.
"""

import sys
from pathlib import Path

import pandas as pd

from dagnas.pipeline import config


def main() -> None:
    """Print a line for each method of each study, and one for the study."""
    scale = config.load(Path(*sys.argv[1:] or ["config/desk.yaml"]))
    total = 0.0
    for study in scale.studies:
        jobs = pd.DataFrame(
            [
                (job.method, seconds)
                for job in scale.search_jobs(study)
                for seconds in pd.read_csv(job.path.with_suffix(".wall.csv"))["seconds"]
            ],
            columns=["method", "seconds"],
        )
        for method, trials in jobs.groupby("method", sort=False)["seconds"]:
            print(
                f"{study:50}{method:24}{len(trials):4} trials{trials.mean():9.1f} s each"
                f"{trials.sum() / 60:8.1f} min"
            )
        minutes = jobs["seconds"].sum() / 60
        print(f"{study:50}{'all':24}{minutes:36.1f} min", flush=True)
        total += minutes
    print(f"{'all':74}{total:36.1f} min")


if __name__ == "__main__":
    main()
