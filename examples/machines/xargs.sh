#!/bin/sh
# The parts of a command as processes of this machine, then the merge, which names a part that failed.
# usage: xargs.sh PARTS AT-ONCE VERB ARGUMENT...
set -eu
parts=$1
at_once=$2
shift 2
made=$(seq "$parts" | xargs -P "$at_once" -I M elbow "$@" --shard "M/$parts" --json --quiet || true)
folder=$(echo "$made" | sed -n 's/^ *"folder": "\(.*\)"$/\1/p' | sort -u)
elbow merge "$folder"/*-of-"$parts".jsonl
