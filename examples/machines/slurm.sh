#!/bin/sh
# The parts of a command as a Slurm job array, then the merge as a job that waits for all of them.
# usage: slurm.sh PARTS VERB ARGUMENT...    (words without spaces)
set -eu
parts=$1
shift
job=$(sbatch --parsable --array="1-$parts" --output=elbow-%a.log --wrap "elbow $* --shard env --quiet")
sbatch --dependency="afterok:$job" --output=elbow-merge.log --wrap "elbow merge out/shards/$1-*/*-of-$parts.jsonl"
