#!/usr/bin/env bash
# Compare a scale (smoke), made here, with what made it before: with the results that git has, which
# another checkout made. If they differ, as after a change of them, or if ANEW=1, build it anew in
# another folder, with one job more at a time than make has (so in another order), and compare all
# files, traces too.
set -euo pipefail

scale=${1:-smoke}
jobs=$((${2:-2} + 1))

if [[ -z ${ANEW:-} && -n $(git ls-files "results/$scale") &&
    -z $(git status --porcelain "results/$scale") ]]; then
    echo "equal to the results in git: $(git ls-files "results/$scale" | wc -l) files"
    exit
fi
work=$(mktemp -d)

# Wall-clock times differ, and so do what is made of them and what Snakemake notes.
digests() {
    cd "$1"
    find "results/$scale" -type f ! -name '*.wall.csv' ! -path '*/leaderboard/speed.*' \
        ! -path '*/bonas/hours.*' \
        ! -name provenance.json ! -name report.html -print0 | sort -z | xargs -0 sha256sum
}

git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$work"
rm -rf "$work/results/$scale"
echo "building $scale in $work, $jobs jobs at a time"
(cd "$work" && PYTHONPATH=$work/src snakemake --quiet all --cores "$jobs" --config "scale=$scale")

if diff <(digests "$PWD") <(digests "$work"); then
    echo "equal: $(digests "$work" | wc -l) files"
    rm -r "$work"
else
    echo "different: see $work" >&2
    exit 1
fi
