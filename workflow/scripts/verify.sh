#!/usr/bin/env bash
# Build a scale (smoke) anew in another folder, with one job more at a time than make has (so in
# another order), and compare all files with those here.
set -euo pipefail

scale=${1:-smoke}
jobs=$((${2:-2} + 1))
work=$(mktemp -d)

# Wall-clock times differ, and so do what is made of them and what Snakemake notes.
digests() {
    cd "$1"
    find "results/$scale" -type f ! -name '*.wall.csv' ! -path '*/leaderboard/speed.*' \
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
