"""What all peers share: arguments, threads, the timing loop, the answer. To be imported before NumPy, PyTorch and JAX.

Every peer takes --threads N and --seconds S, and prints one JSON object as the last line of stdout:

    {"unit": "step", "seconds": [seconds of each unit that was measured], "check": number, "note": "versions, options"}

The check is the number by which two programs show that they did the same work; each peer says which.
"""
import argparse
import importlib.metadata
import json
import os
import time

_SHARED = argparse.ArgumentParser(add_help=False)
_SHARED.add_argument("--threads", type=int, default=2, help="threads, and cores (default 2)")
_SHARED.add_argument("--seconds", type=float, default=8.0, help="how long to measure, after a warm-up (default 8)")

THREADS = _SHARED.parse_known_args()[0].threads
# Libraries read these when they are imported. NPROC is XLA's.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
    os.environ[_variable] = str(THREADS)
if hasattr(os, "sched_setaffinity"):
    # The same cores for every contestant, whatever its own idea of threads.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def arguments(description):
    """A parser that knows the shared options."""
    return argparse.ArgumentParser(description=description, parents=[_SHARED],
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def seconds_of(unit):
    """How long one call takes."""
    start = time.perf_counter()
    unit()
    return time.perf_counter() - start


def measure(unit, seconds, warm_up=None):
    """Seconds of each call of `unit`, called again and again for `seconds`, at least once.

    Before that comes a warm-up that is not measured: a call of `warm_up`, or `unit` for a quarter of the time."""
    if warm_up:
        warm_up()
    else:
        _repeat(unit, seconds / 4)
    return _repeat(unit, seconds)


def _repeat(unit, seconds):
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        times.append(seconds_of(unit))
    return times


def answer(unit, seconds, check, packages, options="", **more):
    """Prints the JSON object. `packages` are named in the note with their versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    note = "; ".join(part for part in (versions, options, f"{THREADS} threads") if part)
    print(json.dumps({"unit": unit, "seconds": seconds, "check": check, "note": note} | more))
