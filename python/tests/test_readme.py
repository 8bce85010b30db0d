"""The lines of the README, on a network of PyTorch; skipped where it is not installed."""

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

README = Path(__file__).parents[2] / "README.md"


def test_the_lines_of_the_readme_give_a_number_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    (lines,) = re.findall(r"```python\n(import elbow_diffusion as elbow.*?)```", README.read_text(), re.DOTALL)
    torch.manual_seed(0)

    class Model(torch.nn.Module):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.out = torch.nn.Embedding(257, 16), torch.nn.Linear(16, 256)

        def forward(self, z: object, t: object) -> object:
            return 0.1 * self.out(self.token(z))

    exec(lines, {"model": Model().eval(), "x": torch.randint(256, (300, 64))})
    printed = re.match(r"NELBO (\d+\.\d+) \+- (0\.\d+) bits/dim", capsys.readouterr().out)
    assert printed and abs(float(printed[1]) - 8.0) < 0.2 and 0.0 < float(printed[2]) < 0.2
