"""Wall-clock times of a scale's searches: ``python -m studies.wall_times``.

Prints the seconds of a trial and the minutes of one core that all trials took, for each method of
each study. Read from the .wall.csv files beside the traces, so times are of the machine that made
these, and of what else it was doing.
"""

from __future__ import annotations

from perf.common import command_line, run
from studies.common import add_scale, artifacts


def main() -> None:
    """Print a line for each method of each study, and one for the study."""
    parser = command_line("studies.wall_times", __doc__, "--scale config/smoke.yaml")
    add_scale(parser)
    total = 0.0
    with artifacts(parser.parse_args(), "search") as made:
        for study in made.scale.section("studies"):
            walls = made.walls(study)
            for method, trials in walls.groupby("method", sort=False)["seconds"]:
                print(
                    f"{study:50}{method:24}{len(trials):4} trials{trials.mean():9.1f} s each"
                    f"{trials.sum() / 60:8.1f} min"
                )
            minutes = walls["seconds"].sum() / 60
            print(f"{study:50}{'all':24}{minutes:36.1f} min", flush=True)
            total += minutes
    print(f"{'all':74}{total:36.1f} min")


if __name__ == "__main__":
    run(main)
