"""A seeded toy for enumeration.py and `elbow theory masked`, with a tempered denoiser.

    python prepare_toy.py OUT.json --states 9 --length 6 [--outcomes K]

K random outcomes have positive probability, or all states^length.
"""
import argparse
import json

import numpy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--states", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--outcomes", type=int)
    options = parser.parse_args()
    rng = numpy.random.default_rng(0)
    every = options.states**options.length
    chosen = numpy.sort(rng.choice(every, options.outcomes or every, replace=False))
    words = numpy.array(numpy.unravel_index(chosen, (options.states,) * options.length)).T
    probabilities = rng.dirichlet(numpy.ones(len(chosen)))
    data = {"".join(map(str, word)): p for word, p in zip(words.tolist(), probabilities.tolist())}
    denoiser = {"kind": "tempered", "temperature": 1.5, "floor": 0.02}
    with open(options.out, "w") as file:
        json.dump({"states": options.states, "length": options.length, "data": data, "denoiser": denoiser}, file)


if __name__ == "__main__":
    main()
