#!/usr/bin/env bash
# Run a target of the smoke scale through workflow/profiles/slurm on a Slurm of one node, and compare
# its files with those of a local run, byte for byte: slurm.sh TARGET
#
# Needs slurmctld, slurmd, the client commands and munge; on Debian: apt-get install
# slurmctld slurmd slurm-client munge. All daemons run in the foreground, as the user who calls this,
# in a temporary folder, and are ended by their process ids.
set -euo pipefail
. "$(dirname "$0")/trees.sh"

target=${1:-goal_ablation}
scale=smoke
PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd sbatch squeue; do
    type -P "$program" > /dev/null || {
        echo "$program is missing: apt-get install slurmctld slurmd slurm-client munge" >&2
        exit 1
    }
done

work=$(mktemp -d)
# munged asks that all may reach its socket.
chmod 755 "$work"
mkdir "$work"/{munge,state,spool,bin,local,cluster}
running=()

stop() {
    kill "${running[@]}" 2> /dev/null || true
    wait "${running[@]}" 2> /dev/null || true
}
trap stop EXIT

# Start a daemon with its log: start NAME COMMAND...
start() {
    "${@:2}" > "$work/$1.log" 2>&1 &
    running+=($!)
}

# Try a command for half a minute: wait_for WORDS COMMAND...
wait_for() {
    for _ in $(seq 60); do
        "${@:2}" > /dev/null 2>&1 && return
        sleep 0.5
    done
    echo "$1 did not start: see the logs in $work" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

free_port() {
    python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

(umask 077 && head -c 1024 /dev/urandom > "$work/munge/key")
socket=$work/munge/socket
start munged munged --foreground --key-file="$work/munge/key" --socket="$socket" \
    --pid-file="$work/munge/pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed"
wait_for munged munge --socket="$socket" --no-input

node=$(slurmd -C | sed -n 's/^NodeName=[^ ]*//p' | sed 's/UpTime=.*//')
cat > "$work/slurm.conf" << END
ClusterName=one
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# No accounting, as on many a small cluster: how jobs ended is asked of squeue.
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=300
NodeName=one NodeAddr=127.0.0.1 NodeHostname=$(hostname) $node
PartitionName=all Nodes=one Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$work/slurm.conf
# The plug-in keeps SLURM_CONF from srun, which then looks in /etc alone.
printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(type -P srun)" > "$work/bin/srun"
chmod +x "$work/bin/srun"
export PATH=$work/bin:$PATH
start slurmctld slurmctld -D
start slurmd slurmd -D -N one
node_is_idle() { [[ $(sinfo --noheader --format=%T) == idle ]]; }
wait_for slurm node_is_idle

# Run the target in a copy of the project: build FOLDER OPTIONS...
build() {
    copy_project "$scale" "$1"
    (cd "$1" && PYTHONPATH=$1/src:${PYTHONPATH:-} snakemake "$target" "${@:2}" --quiet all \
        --config "scale=$scale")
}
# Jobs are short, so how they are is asked soon; nothing may need a second try.
build "$work/cluster" --profile workflow/profiles/slurm --retries 0 \
    --slurm-init-seconds-before-status-checks 2
build "$work/local" --cores 2

if diff <(digests "$scale" "$work/local") <(digests "$scale" "$work/cluster"); then
    echo "equal on Slurm: $(digests "$scale" "$work/cluster" | wc -l) files"
    stop
    rm -r "$work"
else
    echo "different: see $work" >&2
    exit 1
fi
