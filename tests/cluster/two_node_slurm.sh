#!/bin/bash
# Runs the batch scripts on a SLURM of two nodes, for real. Not part of the tests: needs root, Debian's packages and
# about ten minutes.
#   tests/cluster/two_node_slurm.sh WORK_FOLDER VIDEOS
# Each node has a network, processes, a host name, /tmp and /dev/shm of its own, so that `ray symmetric-run` may start
# and stop Ray there without meeting any other Ray of this machine. All of it ends with this script.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
usage="usage: two_node_slurm.sh WORK_FOLDER VIDEOS"
work=$(realpath -m "${1:?$usage}")
videos=$(realpath "${2:?$usage}")
packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins libslurm38 munge libmunge2 libhwloc15)

fetch() {
    mkdir -p "$work/packages" "$work/slurm"
    (cd "$work/packages" && apt-get download --quiet "${packages[@]}")
    for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/slurm"; done
}

configure() {
    mkdir -p "$work"/{state,spool,logs,etc}
    echo CgroupPlugin=cgroup/v1 >"$work/etc/cgroup.conf"
    printf '127.0.0.1 localhost\n10.77.0.1 control\n10.77.0.11 n1\n10.77.0.12 n2\n' >"$work/etc/hosts"
    cat >"$work/etc/slurm.conf" <<CONF
ClusterName=two
SlurmctldHost=control(10.77.0.1)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdTimeout=60
KillWait=30
JobRequeue=1
PluginDir=$work/slurm/usr/lib/x86_64-linux-gnu/slurm-wlm
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/state/slurmctld.pid
SlurmdPidFile=$work/state/slurmd-%n.pid
NodeName=n1 NodeAddr=10.77.0.11 CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeAddr=10.77.0.12 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

# What runs in namespaces of its own; as their first process it takes everything in them with it when it ends.
inside() {
    mount -t tmpfs tmpfs /run
    mount --bind "$work/etc/hosts" /etc/hosts
    hostname control
    ip link set lo up
    ip link add br0 type bridge
    ip addr add 10.77.0.1/24 dev br0
    ip link set br0 up
    slurmctld-wlm -D -c >"$work/logs/slurmctld.log" 2>&1 &
    for number in 1 2; do
        ip netns add "n$number"
        ip link add "v$number" type veth peer name eth1 netns "n$number"
        ip link set "v$number" master br0 up
        ip -n "n$number" addr add "10.77.0.1$number/24" dev eth1
        ip -n "n$number" link set eth1 up
        ip -n "n$number" link set lo up
        mkdir -p "$work/spool/n$number"
        ip netns exec "n$number" unshare --pid --fork --mount --mount-proc --uts bash -c "
            set -e
            hostname n$number
            mount -t tmpfs tmpfs /sys/fs/cgroup # slurmd looks for something there; ip netns has hidden it
            mount -t tmpfs tmpfs /tmp
            mount -t tmpfs -o size=2g tmpfs /dev/shm
            slurmd-wlm -D -N n$number -d $work/slurm/usr/sbin/slurmstepd-wlm &
            wait # not exec: the first process must reap what others leave behind, which slurmd does not" \
            >"$work/logs/slurmd-n$number.log" 2>&1 &
    done
    for ((second = 0; second < 30; second++)); do
        if [[ $(sinfo --noheader --Node --format=%t 2>/dev/null | grep -c idle) == 2 ]]; then break; fi
        sleep 1
    done
    sinfo
    bash "$project/tests/cluster/two_node_jobs.sh"
}

export PATH=$work/slurm/usr/bin:$work/slurm/usr/sbin:$PATH
export LD_LIBRARY_PATH=$work/slurm/usr/lib/x86_64-linux-gnu:$work/slurm/usr/lib/x86_64-linux-gnu/slurm-wlm
export SLURM_CONF=$work/etc/slurm.conf WORK=$work VIDEOS=$videos PROJECT=$project
if [[ ${TWO_NODES_INSIDE:-} == yes ]]; then
    inside
else
    if [[ ! -d $work/slurm ]]; then fetch; fi
    rm -rf "$work"/{state,spool,logs}
    configure
    TWO_NODES_INSIDE=yes exec unshare --pid --fork --kill-child --mount --mount-proc --net --uts bash "$0" "$work" "$videos"
fi
