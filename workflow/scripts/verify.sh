#!/usr/bin/env bash
# Build a scale (smoke) twice, in two folders, with one core and with two, and compare all files.
set -euo pipefail

scale=${1:-smoke}
work=$(mktemp -d)

# Wall-clock times differ, and so does what Snakemake notes of them.
digests() {
    cd "$1"
    mkdir -p data
    find data "results/$scale" -type f ! -name '*.wall.csv' ! -name provenance.json -print0 |
        sort -z | xargs -0 sha256sum
}

for cores in 1 2; do
    folder=$work/$cores
    mkdir "$folder"
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$folder"
    echo "building $scale in $folder with $cores core(s)"
    (cd "$folder" && PYTHONPATH=$folder/src \
        snakemake --quiet all --cores "$cores" --config "scale=$scale")
    (digests "$folder") >"$work/$cores.sha256"
done

if diff "$work/1.sha256" "$work/2.sha256"; then
    echo "equal: $(wc -l <"$work/1.sha256") files, made with one core and with two"
    rm -r "$work"
else
    echo "different: see $work" >&2
    exit 1
fi
