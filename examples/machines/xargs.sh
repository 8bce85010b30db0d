#!/bin/sh
# The parts of a command as processes of this machine, then the merge.
# usage: xargs.sh PARTS AT-ONCE VERB ARGUMENT...
set -eu
parts=$1
at_once=$2
shift 2
seq "$parts" | xargs -P "$at_once" -I M elbow "$@" --shard "M/$parts" --json --quiet > parts.json
# The folder that all parts have written to.
folder=$(sed -n 's/^ *"folder": "\(.*\)"$/\1/p' parts.json | sort -u)
elbow merge "$folder"/*-of-"$parts".jsonl
