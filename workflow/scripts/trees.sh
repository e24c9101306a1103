# Functions of scripts that build a scale in a copy of the project and compare what comes out.

# Copy what git has, or would have, without results of the scale: copy_project SCALE FOLDER
copy_project() {
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read |
        tar --extract --directory "$2"
    rm -rf "${2:?}/results/$1"
}

# Digests of a scale's files: digests SCALE FOLDER. Wall-clock times differ, and so does what
# is made of them.
digests() (
    cd "$2"
    find "results/$1" -type f ! -name '*.wall.csv' ! -path '*/leaderboard/speed.*' \
        ! -path '*/bonas/hours.*' ! -name report.html -print0 | sort -z | xargs -0 sha256sum
)
