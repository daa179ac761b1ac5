#!/bin/bash
# What two_node_slurm.sh submits: a training that is stopped once and goes on, a job that is cancelled, and a
# segmentation in two shares. Prints what SLURM says of each, and ends with 1 where a run is not whole.
set -euo pipefail

export STREAMER_ENV=$PROJECT/.venv STREAMER_SCRIPTS=$PROJECT/cluster/slurm STREAMER_VIDEOS=$VIDEOS STREAMER_SHARES=2
export STREAMER_MODEL=$WORK/runs/train OMP_NUM_THREADS=1
small=(-e 's/^#SBATCH --cpus-per-task=.*/#SBATCH --cpus-per-task=2/' -e '/^#SBATCH --gpus-per-node/d')

wait_for_end() {
    while [[ -n $(squeue --noheader --jobs="$1" 2>/dev/null) ]]; do
        # SLURM lets requeued jobs wait.
        if [[ $(squeue --noheader --jobs="$1" --format=%r) == BeginTime ]]; then
            scontrol update JobId="$1" StartTime=now
        fi
        sleep 3
    done
    scontrol show job "$1" | grep -oE '(JobState|Restarts|ExitCode)=\S+' | xargs
}

wait_for_checkpoint() {
    until [[ -n $(find "$1/checkpoints" -name '*.pt' 2>/dev/null | head -n 1) ]]; do
        if [[ -z $(squeue --noheader --jobs="$2") ]]; then exit 1; fi
        sleep 1
    done
}

rm -rf "$WORK/runs" && mkdir -p "$WORK/runs" && cd "$WORK/runs"
sed "${small[@]}" -e 's/^options=.*/options=(--lanes 1 --checkpoint_every_s 10)/' \
    "$PROJECT/cluster/slurm/train.sbatch" >train.sbatch
sed "${small[@]}" -e 's/^options=.*/options=(--lanes 1)/' -e 's/^#SBATCH --array=.*/#SBATCH --array=0-1/' \
    "$PROJECT/cluster/slurm/segment.sbatch" >segment.sbatch

echo "== training, TERM after the first checkpoint"
job=$(STREAMER_OUT=$WORK/runs/train sbatch --parsable train.sbatch)
wait_for_checkpoint "$WORK/runs/train" "$job"
scancel --batch --signal=TERM "$job"
wait_for_end "$job"
ls "$WORK/runs/train/_SUCCESS"

echo "== training, cancelled"
job=$(STREAMER_OUT=$WORK/runs/cancelled sbatch --parsable train.sbatch)
wait_for_checkpoint "$WORK/runs/cancelled" "$job"
scancel "$job"
wait_for_end "$job"

echo "== segmentation in two shares"
job=$(STREAMER_OUT=$WORK/runs/segmented sbatch --parsable segment.sbatch)
wait_for_end "$job"
ls "$WORK"/runs/segmented/part-0000{0,1}/_SUCCESS
