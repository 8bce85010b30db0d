"""The exact cascade of bounds of masked diffusion on a toy, in NumPy: what `elbow theory masked` prints.

    python enumeration.py TOY.json [--steps 10] [--threads 2] [--seconds 8]

The linear schedule, ELBO weighting. All (states + 1)^length patterns are one array with an axis a position, the mask
last on each; the patterns with given positions masked are a slice of it.
A unit is one whole computation once the file is read: the bounds E L^(i), the gaps as expected joint KLs and their unavoidable
part, the KL of the data to the model of each bound (left out where elbow leaves it out), the limit of continuous time.
What elbow does beside that for each outcome (Theorem 2) is not done.
Check: the sum of all these numbers, nats. `elbo`, `gap`, `factorization` and `data_model_kl` are printed too, by elbow's
names.
"""
import itertools
import json
import math

import common
import numpy

MASKED, REVEALED, SHOWN = range(3)
# Most (steps * transitions) for which the model's law is computed, elbow's own limit.
MAX_WORK = 1e9


def load(path):
    """The probabilities of all outcomes, an axis a position, and the file's denoiser."""
    with open(path) as file:
        toy = json.load(file)
    data = numpy.zeros((toy["states"],) * toy["length"])
    words = numpy.frombuffer("".join(toy["data"]).encode(), numpy.uint8).reshape(-1, toy["length"]) - ord("0")
    data[tuple(words.T)] = list(toy["data"].values())
    return data, toy["denoiser"]


def marginals(data):
    """Q(z) of all patterns: on each axis the values, then their sum for the mask."""
    for axis in range(data.ndim):
        data = numpy.concatenate([data, data.sum(axis, keepdims=True)], axis)
    return data


def denoise(q, axis, denoiser):
    """The exact posterior of a masked position given the others, and the denoiser's.

    Its values are on its axis, the others' patterns on theirs. Uniform for patterns that do not occur."""
    states = q.shape[axis] - 1
    joint, total = q.take(range(states), axis), q.take([states], axis)
    occurs = total > 0
    exact = numpy.where(occurs, joint / numpy.where(occurs, total, 1), 1 / states)
    if denoiser["kind"] == "exact":
        return exact, exact
    if denoiser["kind"] == "uniform":
        return exact, numpy.full_like(exact, 1 / states)
    if denoiser["kind"] != "tempered":
        raise SystemExit(f"denoiser {denoiser['kind']!r}: exact, uniform and tempered are here")
    spoilt = (exact + denoiser["floor"]) ** (1 / denoiser["temperature"])
    spoilt /= spoilt.sum(axis, keepdims=True)
    return exact, numpy.where(occurs, spoilt, 1 / states)


def piece(roles, states):
    """The slice of the patterns in which each position is masked, or any value."""
    return tuple(slice(states, None) if role == MASKED else slice(states) for role in roles)


def reveals(length):
    """All ways in which positions are shown already, revealed now, or masked still: (before, after, revealed) as roles
    before and after the step, and the revealed positions."""
    for roles in itertools.product((MASKED, REVEALED, SHOWN), repeat=length):
        before = tuple(MASKED if role == REVEALED else role for role in roles)
        yield before, roles, [n for n, role in enumerate(roles) if role == REVEALED]


def product_of(answers, before, revealed, states):
    """The product of the revealed positions' probabilities, each given the pattern before the step."""
    product = 1.0
    for n in revealed:
        product = product * answers[n][piece(before[:n] + (SHOWN,) + before[n + 1:], states)]
    return product


def log(p):
    """log p, and 0 where p is 0: it is multiplied by 0 then."""
    return numpy.log(p, where=p > 0, out=numpy.zeros_like(p))


def reveal_kl(q, answers):
    """By masks before and tokens revealed: the sum over patterns of Q times the KL of what is revealed.

    The KL is that of the data's law from the product of `answers`."""
    states, length = q.shape[0] - 1, q.ndim
    sums = numpy.zeros((length + 1, length + 1))
    for before, after, revealed in reveals(length):
        if revealed:
            joint = q[piece(after, states)]
            ratio = log(joint) - log(q[piece(before, states)]) - log(product_of(answers, before, revealed, states))
            sums[before.count(MASKED), len(revealed)] += (joint * ratio).sum()
    return sums


def learned_step(law, answers, xi):
    """The law of the pattern after a reverse step that reveals each masked token with probability xi."""
    states = law.shape[0] - 1
    following = numpy.zeros_like(law)
    for before, after, revealed in reveals(law.ndim):
        probability = xi ** len(revealed) * (1 - xi) ** after.count(MASKED)
        if probability > 0:
            product = product_of(answers, before, revealed, states)
            following[piece(after, states)] += law[piece(before, states)] * probability * product
    return following


def divergence(data, q, law):
    """KL(q || p~) of the outcomes decoded from a law of the pattern by the exact posterior."""
    states = len(data)
    ratio = numpy.divide(law, q, where=q > 0, out=numpy.zeros_like(q))
    for axis in range(data.ndim):  # the sum over all sets of shown positions
        ratio = ratio.take(range(states), axis) + ratio.take([states], axis)
    return -(data * log(ratio)).sum()


def cascade(data, denoiser, steps):
    """The numbers of `elbow theory masked --json`, by their names there."""
    states, length = len(data), data.ndim
    q = marginals(data)
    shown = sum(numpy.indices(q.shape, sparse=True)[n] < states for n in range(length))
    exact, learned = zip(*(denoise(q, axis, denoiser) for axis in range(length)))

    # Sums over the patterns with k shown tokens: then every expectation is a polynomial of the time.
    shown_log = numpy.bincount(shown.ravel(), (q * log(q)).ravel(), length + 1)
    cross_entropy = numpy.zeros(length + 1)
    for n in range(length):
        revealed = (slice(None),) * n + (slice(states),)
        loss = -q[revealed] * log(learned[n])
        cross_entropy += numpy.bincount(shown[revealed].ravel() - 1, loss.ravel(), length + 1)

    t = numpy.arange(steps + 1) / steps
    k = numpy.arange(length + 1)
    weight = (1 - t[:, None]) ** k * t[:, None] ** (length - k)
    xi = (t[1:] - t[:-1]) / t[1:]
    entropy = -(data * log(data)).sum()
    decoder = -entropy - weight @ shown_log
    kl_step = xi * (weight[1:] @ cross_entropy)
    elbo = decoder - numpy.append(kl_step[::-1].cumsum()[::-1], 0)

    def expected(sums):
        """Over the pattern before each step, and over what the step reveals."""
        stay = k[:, None] - k  # masks before, less revealed
        chance = xi[:, None, None] ** k * (1 - xi[:, None, None]) ** numpy.maximum(stay, 0)
        return (weight[1:, ::-1, None] * chance * sums).sum((1, 2))

    result = {"elbo": elbo, "gap": expected(reveal_kl(q, learned)), "factorization": expected(reveal_kl(q, exact)),
              "data_model_kl": numpy.empty(0)}
    if steps * (2 * states + 1) ** length <= MAX_WORK:
        law = numpy.zeros_like(q)
        law[(states,) * length] = 1.0
        laws = [law] + [law := learned_step(law, learned, x) for x in xi[::-1]]
        result["data_model_kl"] = numpy.array([divergence(data, q, law) for law in laws[::-1]])
    # The integral of sum over k of (1-t)^k t^(N-k-1) cross_entropy[k]: polynomials, for which the rule is exact.
    nodes, weights = numpy.polynomial.legendre.leggauss(length)
    u = (nodes[:, None] + 1) / 2
    integrand = (1 - u) ** k[:-1] * u ** (length - 1 - k[:-1]) @ cross_entropy[:-1]
    return result, float(weights @ integrand / 2)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("toy")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    data, denoiser = load(options.toy)
    found = []
    seconds = common.measure(lambda: found.append(cascade(data, denoiser, options.steps)), options.seconds)
    arrays, bound = found[-1]
    check = bound + sum(float(array.sum()) for array in arrays.values())
    common.answer("computation", seconds, check, ["numpy"], f"{options.steps} steps",
                  **{name: array.tolist() for name, array in arrays.items()})


if __name__ == "__main__":
    main()
