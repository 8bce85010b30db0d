"""Makes report.png (for README) and card.png (1280x640, for links) from a recorded report.

Run in the root of the repository, with a Chromium on the path or named by CHROME:

    python3 reports/assets/make_pictures.py reports/record/2026-11-23-cpu/report/index.html
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parent
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]

CARD = """<!doctype html><meta charset="utf-8"><style>{style}
body {{ width: 1280px; height: 640px; max-width: none; margin: 0; padding: 56px 64px; display: grid; overflow: hidden;
  grid-template-columns: 500px 1fr; gap: 48px; align-items: center; }}
h1 {{ font-size: 92px; margin: 0 0 16px; letter-spacing: -0.03em; }}
p {{ font-size: 27px; line-height: 1.35; margin: 0 0 24px; }}
.counts {{ margin: 0 0 12px; }}
.counts p {{ font-size: 19px; margin: 0 0 4px; }}
.counts .chip {{ font-size: 17px; }}
.plot {{ max-width: none; }}
</style><body><div><h1>elbow</h1>
<p>Benchmarks for diffusion models whose numbers can be trusted: bounds, weightings, likelihoods, samples.</p>
{counts}</div><div class="plot">{plot}</div></body>"""


def shot(page: Path, picture: Path, width: int, height: int, density: int) -> None:
    """A picture of a page, with `density` pixels per CSS pixel."""
    browser = os.environ.get("CHROME") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("no browser: install chromium, or name one with CHROME")
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000",
         "--blink-settings=preferredColorScheme=1", f"--force-device-scale-factor={density}",
         f"--window-size={width},{height}", f"--screenshot={picture}", page.absolute().as_uri()],
        check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )


def main(report: Path) -> None:
    shot(report, ASSETS / "report.png", 1000, 1240, 1)
    page = report.read_text()
    style = "".join(re.findall(r"<style>(.*?)</style>", page, re.S))
    counts = "".join(re.findall(r'<div class="counts">.*?</div>', page, re.S))
    cascade = re.search(r'<figure id="figure-cascade">.*?</figure>', page, re.S).group()
    plot = re.search(r"<svg.*?</svg>", cascade, re.S).group()
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder) / "card.html"
        card.write_text(CARD.format(style=style, counts=counts, plot=plot))
        shot(card, ASSETS / "card.png", 1280, 640, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
