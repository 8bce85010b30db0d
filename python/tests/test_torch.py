"""PyTorch modules as denoisers; skipped where PyTorch is not installed."""

from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from elbow_diffusion.torch import drawn_values, masked_costs  # noqa: E402

VALUES, LENGTH = 5, 6
X = np.random.default_rng(0).integers(VALUES, size=(30, LENGTH))


class Network(torch.nn.Module):  # type: ignore[misc]
    """An embedding of each token, and of the mean of all."""

    def __init__(self, columns: int = VALUES + 1, dtype: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(VALUES + 1, 16, dtype=dtype)
        self.out = torch.nn.Linear(16, columns, dtype=dtype)
        self.rows = 0

    def forward(self, z: Any) -> Any:
        self.rows += len(z)
        h = self.embed(z)
        return self.out(torch.nn.functional.gelu(h + h.mean(dim=1, keepdim=True)))


def of(model: Any, **more: Any) -> elbow.Denoiser:
    return elbow.denoiser(model, values=VALUES, length=LENGTH, schedule="linear", **more)


def test_a_module_and_the_same_function_of_numpy_have_the_same_likelihood() -> None:
    model = Network().eval()
    direct = elbow.likelihood(of(model), X, draws=16)
    through = of(lambda z: model(torch.from_numpy(z)).detach().numpy())
    # Measured 2e-8: the costs are normalised by PyTorch, and by elbow.
    assert direct.value == pytest.approx(elbow.likelihood(through, X, draws=16).value, abs=2e-7)
    assert direct["model"]["model"]["python"] == "test_torch:Network"


def test_logits_stay_on_the_device() -> None:
    den = of(Network().eval())

    def call(_: Any) -> Any:
        raise AssertionError("logits crossed")

    den.function.call = call  # type: ignore[method-assign]
    assert elbow.likelihood(den, X).value > 0.0
    for sampler in ("ancestral", "first-hitting", "remasking", "confidence"):
        assert elbow.sample(den, 5, sampler=sampler, steps=None if sampler == "first-hitting" else 4).tokens.max() < VALUES


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_costs_are_the_negative_logarithm_of_the_softmax_over_the_data(chunk: int) -> None:
    torch.manual_seed(1)
    logits, x = torch.randn(4, 7, 9), torch.randint(5, (4, 7))
    masked = torch.rand(4, 7) < 0.5
    costs = masked_costs(logits, x, masked, first=2, values=5, chunk=chunk)
    exact = -logits[:, :, 2:7].double().log_softmax(2).gather(2, x[:, :, None])[:, :, 0]
    assert (costs - exact).abs()[masked].max() < 1e-6 and (costs[~masked] == 0).all()
    over_all = -logits.double().log_softmax(2).gather(2, x[:, :, None] + 2)[:, :, 0]
    assert (costs - over_all).abs()[masked].max() > 0.1, "witness: the other columns counted"


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}, {"top_k": 2}, {"top_p": 0.8}, {"temperature": 1.5, "top_k": 3, "top_p": 0.7}])
@pytest.mark.parametrize("sampler", ["ancestral", "first-hitting", "remasking", "confidence"])
def test_draws_on_the_device_are_those_of_elbow(sampler: str, options: dict[str, Any]) -> None:
    """The same numbers draw the same values: only a number within a rounding of a boundary would draw another."""
    model = Network().eval()
    more = {**options, "seed": 3}
    if sampler == "confidence" and "temperature" in options:
        more["logit_temperature"] = more.pop("temperature")
    if sampler != "first-hitting":
        more["steps"] = 5
    through = of(lambda z: model(torch.from_numpy(z)).detach().numpy())
    ours, theirs = (elbow.sample(den, 200, sampler=sampler, **more).tokens for den in (of(model), through))
    assert (ours == theirs).all()
    other = elbow.sample(of(model), 200, sampler=sampler, **{**more, "seed": 4}).tokens
    assert (ours != other).any(), "witness: another seed"


@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_drawn_values_have_the_tempered_law(chunk: int) -> None:
    p = torch.tensor([0.0, 0.2, 0.5, 0.05, 0.25, 0.0])
    logits = p.log()[None, None].expand(1, 20_000, 6)
    logits = logits + 0.0 if chunk > 4 else logits[:, :200] + 0.0
    count = logits.shape[1]
    rows, positions = torch.zeros(count, dtype=torch.int64), torch.arange(count)
    uniforms = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    laws: list[tuple[dict[str, Any], list[float]]] = [
        ({}, [0.2, 0.5, 0.05, 0.25]),
        ({"temperature": 0.5}, [0.04 / 0.355, 0.25 / 0.355, 0.0025 / 0.355, 0.0625 / 0.355]),
        ({"temperature": 0.0}, [0.0, 1.0, 0.0, 0.0]),
        ({"top_k": 2}, [0.0, 2 / 3, 0.0, 1 / 3]),
        ({"top_p": 0.76}, [0.2 / 0.95, 0.5 / 0.95, 0.0, 0.25 / 0.95]),
        ({"top_k": 2, "top_p": 0.6}, [0.0, 1.0, 0.0, 0.0]),
        ({"temperature": 0.5, "top_p": 0.6}, [0.0, 1.0, 0.0, 0.0]),
    ]
    for options, law in laws:
        values, log_mu = drawn_values(logits, rows, positions, uniforms, first=1, values=4, chunk=chunk, **options)
        # Evenly spaced numbers: each value has its share to one draw.
        assert np.allclose(np.bincount(values, minlength=4) / count, law, atol=1.01 / count), options
        assert torch.allclose(log_mu, p[1:5].double().log()[values], atol=1e-6), "the law before any tempering"


def test_draws_are_in_double_precision() -> None:
    """In single precision a value with a probability of 1e-9 is never drawn, or far too often."""
    logits = torch.log(torch.tensor([1.0 - 1e-9, 1e-9], dtype=torch.float64)).float()[None, None].expand(1, 4, 2)
    uniforms = torch.tensor([1.0 - 2e-9, 1.0 - 0.5e-9, 0.5, 1.0 - 1e-16], dtype=torch.float64)
    values, _ = drawn_values(logits, torch.zeros(4, dtype=torch.int64), torch.arange(4), uniforms)
    assert values.tolist() == [0, 1, 0, 1]
    assert uniforms.float().tolist()[:2] == [1.0, 1.0], "witness: single precision cannot tell them apart"


def test_half_precision_and_gradients_are_no_obstacle() -> None:
    model = Network(dtype=torch.bfloat16).eval()
    assert 0.0 < elbow.likelihood(of(model), X).value < 10.0
    assert model.out.weight.grad is None and model.rows > 0


def test_wrong_modules_are_refused_in_words() -> None:
    with pytest.raises(elbow.InputError, match="training mode"):
        elbow.likelihood(of(Network()), X)
    with pytest.raises(elbow.InputError, match="4 columns"):
        elbow.likelihood(of(Network(columns=4).eval()), X)
    broken = Network().eval()
    torch.nn.init.constant_(broken.out.bias, float("nan"))
    with pytest.raises(elbow.InputError, match="not numbers"):
        elbow.likelihood(of(broken), X)
    with pytest.raises(elbow.InputError, match="return a tensor"):
        elbow.likelihood(of(lambda z: [1.0], framework="torch"), X)
    with pytest.raises(IndexError):
        elbow.likelihood(of(torch.nn.Embedding(2, 3).eval()), X)


def torch_mdlm(denoiser: Any, x: Any) -> Any:
    """MDLM's training loss as its code has it."""
    t = 1e-3 + (1 - 1e-3) * (torch.rand(len(x)) + torch.arange(len(x))) / len(x)
    sigma, slope = -torch.log1p(-(1 - 1e-3) * t), (1 - 1e-3) / (1 - (1 - 1e-3) * t)
    move = 1 - torch.exp(-sigma[:, None])
    z = torch.where(torch.rand(x.shape) < move, 3, x)
    logits = denoiser(z, sigma[:, None])
    logits[:, :, 3] += -1e6
    logits = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    visible = z != 3
    logits[visible] = -1e6
    logits[visible, z[visible]] = 0
    log_p = torch.gather(logits, -1, x[:, :, None])[:, :, 0]
    return (-log_p * (slope / torch.expm1(sigma))[:, None]).mean()


def torch_edm(denoiser: Any, x: Any) -> Any:
    """EDM's training loss as its code has it."""
    sigma = (torch.randn(len(x), 1) * 1.2 - 1.2).exp()
    weight = (sigma**2 + 0.5**2) / (sigma * 0.5) ** 2
    return (weight * (denoiser(x + torch.randn_like(x) * sigma, sigma) - x) ** 2).sum(-1)


def torch_vdm(denoiser: Any, x: Any) -> Any:
    """VDM's diffusion loss in continuous time."""
    gamma = -13.3 + 18.3 * torch.rand(len(x), 1)
    eps = torch.randn_like(x)
    z = torch.sigmoid(-gamma).sqrt() * x + torch.sigmoid(gamma).sqrt() * eps
    return 0.5 * 18.3 * ((eps - denoiser(z, gamma)) ** 2).sum(-1).mean()


@pytest.mark.parametrize(("objective", "loss"), [("mdlm", torch_mdlm), ("edm", torch_edm), ("vdm", torch_vdm)])
def test_published_losses_of_pytorch_pass_and_their_halves_do_not(objective: str, loss: Any) -> None:
    state = torch.get_rng_state()
    check = elbow.check_loss(loss, objective, framework="torch", calls=1000)
    assert check.agrees, check
    assert (torch.get_rng_state() == state).all()
    wrong = elbow.check_loss(lambda denoiser, x: 0.5 * loss(denoiser, x), objective, framework="torch", calls=300)
    assert any("a factor of 0.5" in what for what in wrong.mistakes), wrong


def of_tokens(wrong: str = "") -> Any:
    """The bound of MD4 with the linear schedule; its gradient may be wrong where its values are right."""

    def loss(denoiser: Any, x: Any) -> Any:
        t = torch.rand(len(x), 1)
        hidden = torch.rand(x.shape) < t
        logits = denoiser(torch.where(hidden, 3, x), t)
        if wrong == "detached":
            logits = logits.detach().requires_grad_()
        if wrong == "half of the rows":
            logits = torch.cat([logits[:8], logits[8:].detach()])
        costs = -logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
        rows = (costs * hidden / t).sum(-1)
        if wrong == "twice":
            rows = 2 * rows - rows.detach()
        return rows if wrong == "per row" else rows.mean()

    return loss


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("detached", "it is detached"),
        ("half of the rows", "% of the outputs that the loss depends on have none"),
        ("twice", "a factor of 2 beside that of the values"),
    ],
)
def test_gradients_that_are_not_those_of_the_values_are_found(wrong: str, named: str) -> None:
    for right in ("", "per row"):
        assert elbow.check_loss(of_tokens(right), "md4", schedule="linear", framework="torch", calls=300).agrees
    check = elbow.check_loss(of_tokens(wrong), "md4", schedule="linear", framework="torch", calls=300)
    assert [finding.about for finding in check.findings] == ["gradient"] and named in check.mistakes[0], check


def torch_any_order(denoiser: Any, x: Any) -> Any:
    k = torch.randint(1, x.shape[1] + 1, (len(x), 1))
    hidden = torch.rand(x.shape).argsort(-1).argsort(-1) < k
    logits = denoiser(torch.where(hidden, 3, x))
    costs = -logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return ((costs * hidden).sum(-1) * x.shape[1] / k[:, 0]).mean()


def torch_block(denoiser: Any, x: Any) -> Any:
    """BD3-LM's loss, blocks of two."""
    t = 1e-3 + (1 - 1e-3) * torch.rand(len(x), 2).repeat_interleave(2, dim=1)
    z = torch.where(torch.rand(x.shape) < t, 3, x)
    logits = denoiser(torch.cat([z, x], dim=1), t)[:, : x.shape[1], :3]
    costs = -logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
    return (costs * (z == 3) / t).mean()


def torch_genmd4(score: bool = True) -> Any:
    """GenMD4's loss with its surrogate: the gradient by the exponents is autograd's."""

    def loss(denoiser: Any, x: Any, exponents: Any) -> Any:
        t = 1e-3 + (1 - 1e-3) * torch.rand(len(x), 1)
        own = exponents[x]
        log_q, values = [], []
        for _ in range(2):
            rate = (1 - 1e-4) * t**own
            hidden = torch.rand(x.shape) < rate
            log_mu = denoiser(torch.where(hidden, 3, x), t).log_softmax(-1)
            costs = -log_mu.gather(-1, x[..., None])[..., 0]
            values.append(((own * costs - own + log_mu.exp() @ exponents) * hidden).sum(-1) / t[:, 0])
            log_q.append(torch.where(hidden, rate.log(), (-rate).log1p()).sum(-1))
        surrogate = (values[0] - values[1]).detach() / 2 * (log_q[0] - log_q[1])
        return (sum(values) / 2 + score * (surrogate - surrogate.detach())).mean()

    return loss


def d3pm_uniform(denoiser: Any, x: Any) -> Any:
    """D3PM's uniform loss in ten steps, alpha = 1 - t."""
    i = torch.randint(1, 11, (len(x), 1))
    z = torch.where(torch.rand(x.shape) < i / 10, torch.randint(0, 3, x.shape), x)
    s, t = ((i - 1) / 10)[..., None], (i / 10)[..., None]
    replaced = (t - s) / (1 - s)
    back = torch.eye(3)[z] * (1 - replaced) + replaced / 3
    mu = denoiser(z, i / 10).softmax(-1)
    p, q = (back * (law * (1 - s) + s / 3) for law in (mu, torch.eye(3)[x]))
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    return 10 * (torch.xlogy(q, q) - q * p.log()).sum(-1).mean()


def conditioned(detach: bool = True) -> Any:
    """Self-conditioning: the first answer is what the second is told."""

    def loss(denoiser: Any, x: Any) -> Any:
        t = torch.rand(len(x), 1)
        hidden = torch.rand(x.shape) < t
        z = torch.where(hidden, 3, x)
        first = denoiser(z, t)
        logits = denoiser(z, t, first.detach())
        if not detach:
            logits = logits + 1e-6 * first
        costs = -logits.log_softmax(-1).gather(-1, x[..., None])[..., 0]
        return ((costs * hidden).sum(-1) / t[:, 0]).mean()

    return loss


@pytest.mark.parametrize(
    ("objective", "loss", "options"),
    [
        ("any-order", torch_any_order, {}),
        ("block", torch_block, {"columns": 4}),
        ("genmd4", torch_genmd4(), {"passes": "mean"}),
        ("d3pm-uniform", d3pm_uniform, {}),
        ("md4", conditioned(), {"passes": "last", "schedule": "linear"}),
    ],
)
def test_values_and_gradients_of_further_losses_pass(objective: str, loss: Any, options: dict[str, Any]) -> None:
    check = elbow.check_loss(loss, objective, framework="torch", calls=500, **options)
    assert check.agrees, check


def test_wrong_gradients_of_further_losses_are_named() -> None:
    learned = elbow.check_loss(torch_genmd4(score=False), "genmd4", passes="mean", framework="torch", calls=1000)
    assert any("the score-function term is left out" in what for what in learned.mistakes), learned
    flows = elbow.check_loss(conditioned(detach=False), "md4", schedule="linear", passes="last", framework="torch", calls=300)
    assert any("which is to be detached" in what for what in flows.mistakes), flows
