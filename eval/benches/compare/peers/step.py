"""One optimiser step of masked diffusion (MD4, continuous time) in PyTorch.

    python step.py CASE [--mode eager|compile] [--threads 2] [--seconds 8]

A unit is a step: draw a batch, times and masks, forward, backward, clip the global norm, AdamW, moving average of the
weights. Training starts at the case's weights with a fresh optimiser.
Check: bits/dim of the case's fixed batch under its weights. `loss` is the mean training loss of the measured steps.
"""
import itertools
import math

import common
import torch
import torch.nn.functional as F
from case import Case, average_decay, learning_rate
from transformer import Transformer

torch.set_num_threads(common.THREADS)


def bits(model, x, z, t, weight):
    """Weighted cross-entropy of the masked tokens in bits, divided by the number of all tokens."""
    cost = F.cross_entropy(model(z, t).flatten(0, 1), x.flatten(), reduction="none").view_as(x)
    cost = torch.where(z == model.values, cost, 0).sum(1)
    return (weight * cost).sum() / (x.numel() * math.log(2))


def batches(data, size):
    """Epoch after epoch, each in its own random order; a batch may begin in one and end in the next."""
    order = torch.empty(0, dtype=torch.long)
    while True:
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(data))])
        yield data[order[:size]].long()
        order = order[size:]


def masked_loss(model, x, weighting):
    """The training loss of a batch: one time in each of equal strata, each token masked with the probability t."""
    t = (torch.arange(len(x)) + torch.rand(len(x), dtype=torch.float64)) / len(x)
    weight = 1 / t if weighting == "elbo" else torch.ones_like(t)
    t, weight = t.float(), weight.float()
    z = torch.where(torch.rand(x.shape) < t[:, None], model.values, x)
    return bits(model, x, z, t, weight)


class Training:
    """A model in training: calling it makes a step."""

    def __init__(self, model, config, data, loss):
        self.model, self.config, self.loss = model, config, loss
        self.batches = batches(data, config["batch_size"])
        self.parameters = list(model.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config["learning_rate"], betas=(config["beta_1"], config["beta_2"]), eps=1e-8,
            weight_decay=config["weight_decay"], fused=True)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: learning_rate(config, step))
        self.steps = itertools.count()
        self.losses = []

    def __call__(self):
        loss = self.loss(self.model, next(self.batches), self.config["weighting"])
        loss.backward()
        if self.config["clip_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.config["clip_norm"])
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - average_decay(self.config, next(self.steps)))
        self.losses.append(loss.item())


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("case")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    options = parser.parse_args()
    torch.manual_seed(0)
    case = Case(options.case)
    case.require_masked_training()
    model = Transformer(case.config, case.shape).load(case.weights("model"))
    x, z, t, weight = map(torch.from_numpy, case.batch())
    with torch.inference_mode():
        check = bits(model.eval(), x.long(), z, t, weight).item()
    loss = torch.compile(masked_loss) if options.mode == "compile" else masked_loss
    training = Training(model.train(), case.config, torch.from_numpy(case.data()), loss)
    first = common.seconds_of(training)
    seconds = common.measure(training, options.seconds)
    more = {"compile_seconds": first} if options.mode == "compile" else {}
    losses = training.losses[-len(seconds):]
    common.answer("step", seconds, check, ["torch"], f"{options.mode}, fused AdamW", loss=sum(losses) / len(losses),
                  **more)


if __name__ == "__main__":
    main()
