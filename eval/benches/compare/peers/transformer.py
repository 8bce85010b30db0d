"""elbow's transformer in PyTorch, from a run's settings and weights.

Over tokens (logits come out) or over the points of a Gaussian diffusion (one number each comes out); a position is a
token or a patch of an image. Without conditioning the norms are root-mean-square norms; with the time, adaLN-zero.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-5


class Transformer(nn.Module):
    """`config`: the settings of a run. `shape`: values, length and image of its data."""

    def __init__(self, config, shape):
        super().__init__()
        if config["network"] != "transformer" or config["class_conditioning"] or config["implementation"] == "ar":
            raise SystemExit("only transformers that see everything and no class are here")
        self.values, self.image, self.patch = shape["values"], shape["image"], config.get("patch_size")
        self.is_points = config["implementation"] in ("vdm", "flow", "edm")
        self.fourier = config.get("fourier")
        tokens = self.patch**2 * self.image[2] if self.patch else 1
        positions = shape["length"] // tokens
        width, conditioned = config["width"], config["time_conditioning"]
        if self.is_points:
            features = 1 + 2 * (self.fourier[1] - self.fourier[0] + 1) if self.fourier else 1
        else:
            features = config.get("embedding", width)
            self.token = nn.Embedding(self.values + 1, features)
        if self.is_points or self.patch or "embedding" in config:
            self.widen = nn.Linear(features * tokens, width)
        else:
            self.widen = nn.Identity()
        learned = config["positions"] == "learned"
        self.position = nn.Parameter(torch.empty(positions, width)) if learned else None
        self.conditioning = Conditioning(config) if conditioned else None
        self.blocks = nn.ModuleList(Block(config, positions) for _ in range(config["layers"]))
        self.norm, self.modulation = norm_and_modulation(config, 2)
        outputs = 1 if self.is_points else self.values + (config["implementation"] == "d3pm-absorbing")
        self.head = nn.Linear(width, outputs * tokens, bias=False)

    def load(self, weights):
        """Takes the weights of a run: each must have its place. Dense layers are [in, out] there."""
        dense = {f"{name}.weight" for name, module in self.named_modules() if isinstance(module, nn.Linear)}
        tensors = {name.replace("gamma", "weight"): torch.from_numpy(array) for name, array in weights.items()}
        self.load_state_dict({name: t.T.contiguous() if name in dense else t for name, t in tensors.items()})
        return self

    def forward(self, z, time):
        """Tokens z, [batch, length], to logits, [batch, length, values]; points to numbers, [batch, length].

        `time`: [batch], not looked at without conditioning."""
        x = self.features(z) if self.is_points else self.token(z)
        x = self.widen(self.cut(x))
        if self.position is not None:
            x = x + self.position
        condition = self.conditioning(time) if self.conditioning else None
        for block in self.blocks:
            x = block(x, condition)
        if condition is None:
            x = self.norm(x)
        else:
            shift, scale = self.modulation(condition).unsqueeze(1).chunk(2, -1)
            x = self.norm(x) * (1 + scale) + shift
        x = self.join(self.head(x))
        return x.squeeze(-1) if self.is_points else x[..., :self.values]

    def features(self, z):
        """z and its Fourier features: z, sin, cos, sin, cos, ..."""
        waves = [z]
        if self.fourier:
            for k in range(self.fourier[0], self.fourier[1] + 1):
                waves += [torch.sin(2 * math.pi * 2**k * z), torch.cos(2 * math.pi * 2**k * z)]
        return torch.stack(waves, -1)

    def cut(self, x):
        """[batch, height * width * channels, n] to [batch, patches, numbers of a patch]."""
        if not self.patch:
            return x
        (height, width, channels), p = self.image, self.patch
        x = x.view(len(x), height // p, p, width // p, p, channels * x.shape[2])
        return x.transpose(2, 3).flatten(3).flatten(1, 2)

    def join(self, x):
        """The inverse, for the numbers that leave the network."""
        if not self.patch:
            return x
        (height, width, channels), p = self.image, self.patch
        x = x.view(len(x), height // p, width // p, p, p, -1).transpose(2, 3)
        return x.reshape(len(x), height * width * channels, -1)


class Conditioning(nn.Module):
    """The time through a sinusoid and a perceptron, ready for the modulations: [batch] to [batch, width]."""

    def __init__(self, config):
        super().__init__()
        width = config["condition_width"]
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.activation = torch.sigmoid if config["perceptron"] == "glu" else F.silu
        half = width // 2
        rates = 10_000 ** (-torch.arange(half, dtype=torch.float64) / (half - 1))
        self.register_buffer("rates", rates.float(), persistent=False)

    def forward(self, time):
        angles = 1000 * time[:, None] * self.rates
        features = torch.cat([angles.sin(), angles.cos()], 1)
        return self.activation(self.outer(F.silu(self.inner(features))))


class Block(nn.Module):
    """Attention and a perceptron, each on a normed x and added to it."""

    def __init__(self, config, positions):
        super().__init__()
        width, hidden = config["width"], config["hidden"]
        self.heads, self.dropout = config["heads"], config["dropout"]
        self.attention_norm, self.modulation = norm_and_modulation(config, 6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.projection = nn.Linear(width, width, bias=False)
        self.mlp_norm, _ = norm_and_modulation(config, 0)
        self.perceptron_kind = config["perceptron"]
        self.gate = nn.Linear(width, hidden, bias=False) if self.perceptron_kind != "relu2" else None
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        at = torch.arange(positions)
        if config["positions"] == "learned":
            self.relative = nn.Parameter(torch.empty(self.heads, 2 * positions - 1))
            offsets = (at[:, None] - at + positions - 1).flatten()
            self.register_buffer("offsets", offsets, persistent=False)
        else:
            self.relative = None
            half = width // self.heads // 2
            angles = at[:, None] * 10_000 ** (-torch.arange(half, dtype=torch.float64) / half)
            self.register_buffer("cos", angles.cos().float(), persistent=False)
            self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x, condition):
        if condition is None:
            x = x + self.drop(self.attention(self.attention_norm(x)))
            return x + self.drop(self.perceptron(self.mlp_norm(x)))
        parts = self.modulation(condition).unsqueeze(1).chunk(6, -1)
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = parts
        x = x + gate_a * self.drop(self.attention(self.attention_norm(x) * (1 + scale_a) + shift_a))
        return x + gate_m * self.drop(self.perceptron(self.mlp_norm(x) * (1 + scale_m) + shift_m))

    def drop(self, x):
        return F.dropout(x, self.dropout, self.training)

    def attention(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = None
        if self.relative is None:
            q, k = self.rotate(q), self.rotate(k)
        else:
            bias = self.relative.index_select(1, self.offsets).view(1, self.heads, length, length)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.projection(x.transpose(1, 2).reshape(batch, length, width))

    def rotate(self, x):
        """Neighbouring coordinates of [batch, heads, length, size] by the position's angles."""
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([a * self.cos - b * self.sin, a * self.sin + b * self.cos], -1).flatten(-2)

    def perceptron(self, x):
        if self.perceptron_kind == "relu2":
            hidden = F.relu(self.up(x)).square()
        else:
            activation = torch.sigmoid if self.perceptron_kind == "glu" else F.silu
            hidden = activation(self.gate(x)) * self.up(x)
        return self.down(hidden)


def norm_and_modulation(config, parts):
    """A norm with a learned scale and no modulation; or one without and a dense layer of `parts` modulations."""
    width = config["width"]
    if not config["time_conditioning"]:
        return nn.RMSNorm(width, eps=EPSILON), None
    modulation = nn.Linear(config["condition_width"], parts * width) if parts else None
    return nn.LayerNorm(width, eps=EPSILON, elementwise_affine=False), modulation
