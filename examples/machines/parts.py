"""The parts of a command of elbow as tasks of Ray, then the merge.

usage: python parts.py PARTS VERB ARGUMENT...
"""

import json
import subprocess
import sys

import ray


@ray.remote(num_cpus=1)
def part(words: list[str], number: int, parts: int) -> str:
    """Makes one part; its file, which all machines of the cluster must see."""
    command = ["elbow", *words, "--shard", f"{number}/{parts}", "--json", "--quiet"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["file"]


def main() -> int:
    parts, words = int(sys.argv[1]), sys.argv[2:]
    ray.init()
    files = ray.get([part.remote(words, number, parts) for number in range(1, parts + 1)])
    return subprocess.run(["elbow", "merge", *files]).returncode


if __name__ == "__main__":
    sys.exit(main())
