#!/usr/bin/env bash
# Compare a scale (smoke), made here, with what made it before: with the results that git has, which
# another checkout made. If they differ, as after a change of them, or if ANEW=1, build it anew in
# another folder, with one job more at a time than make has (so in another order), and compare all
# files, traces too.
set -euo pipefail
. "$(dirname "$0")/trees.sh"

scale=${1:-smoke}
jobs=$((${2:-2} + 1))

if [[ -z ${ANEW:-} && -n $(git ls-files "results/$scale") &&
    -z $(git status --porcelain "results/$scale") ]]; then
    echo "equal to the results in git: $(git ls-files "results/$scale" | wc -l) files"
    exit
fi
work=$(mktemp -d)
copy_project "$scale" "$work"
echo "building $scale in $work, $jobs jobs at a time"
(cd "$work" && PYTHONPATH=$work/src snakemake --quiet all --cores "$jobs" --config "scale=$scale")

if diff <(digests "$scale" "$PWD") <(digests "$scale" "$work"); then
    echo "equal: $(digests "$scale" "$work" | wc -l) files"
    rm -r "$work"
else
    echo "different: see $work" >&2
    exit 1
fi
