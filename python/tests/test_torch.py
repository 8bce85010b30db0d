"""PyTorch modules as denoisers; skipped where PyTorch is not installed."""

from typing import Any

import elbow_diffusion as elbow
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from elbow_diffusion.torch import masked_costs  # noqa: E402

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
