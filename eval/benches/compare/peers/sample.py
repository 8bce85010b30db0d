"""Ancestral sampling of masked diffusion in PyTorch, as the authors of MD4 write it.

    python sample.py CASE --steps T --count N [--threads 2] [--seconds 8]

T steps on a uniform grid of the linear schedule, all N sequences at once. Each step asks the network about all
sequences and positions, and draws each masked token from one categorical law over the values and the mask: it stays
masked with probability s/t. The averaged weights are used.
A unit is one sample: seconds of a repetition, divided by N.
Check: the mean over all tokens of the value. `check_error` is its standard error over sequences.
"""
import common
import torch
from case import Case
from transformer import Transformer

torch.set_num_threads(common.THREADS)


def sample_categorical(probabilities):
    """An index for each row of probabilities, by the race of exponential variables."""
    return (probabilities / torch.empty_like(probabilities).exponential_()).argmax(-1)


@torch.inference_mode()
def sample(model, count, length, steps):
    """[count, length] tokens."""
    mask = model.values
    z = torch.full((count, length), mask)
    for i in range(steps, 0, -1):
        t, s = i / steps, (i - 1) / steps
        values = (1 - s / t) * model(z, torch.full((count,), t)).softmax(-1)
        stay = torch.full((count, length, 1), s / t)
        drawn = sample_categorical(torch.cat([values, stay], -1))
        z = torch.where(z == mask, drawn, z)
    return z


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("case")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    case = Case(options.case)
    if case.config.get("schedule") != "linear":
        raise SystemExit("the sampler is for models of the linear schedule")
    model = Transformer(case.config, case.shape).load(case.weights("ema")).eval()
    length = case.shape["length"]
    means = []

    def repetition():
        z = sample(model, options.count, length, options.steps)
        means.append(z.double().mean(1))

    seconds = common.measure(repetition, options.seconds, warm_up=lambda: sample(model, options.count, length, 2))
    means = torch.cat(means)
    more = {"check_error": (means.std() / len(means) ** 0.5).item()}
    common.answer("sample", [wall / options.count for wall in seconds], means.mean().item(), ["torch"],
                  f"eager, {options.steps} steps, {options.count} at once", **more)


if __name__ == "__main__":
    main()
