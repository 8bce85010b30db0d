"""Images and seeded weights for features.py, so that nothing is downloaded.

    python prepare_features.py OUT [--images 200] [--size 256]

Writes OUT/a and OUT/b with half of the images each, and OUT/seeded.pth: FID's Inception in the layout of
pt_inception-2015-12-05-6726825d.pth with the weights of fixtures/inception.
"""
import argparse
import pathlib
import sys

import numpy
import torch
import torchvision
from PIL import Image

FORMULA = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "inception"


def write_images(folder, count, seed, size):
    """Smooth colour noise, so that the files are like photographs rather than like noise."""
    rng = numpy.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=numpy.uint8))
        coarse.resize((size, size), Image.BICUBIC).save(folder / f"{i:05}.png")


def seeded_weights(path):
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(FORMULA))
    from formula import tensor
    net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    filled = {name: value if name.endswith("num_batches_tracked")
              else torch.from_numpy(tensor(name, tuple(value.shape))) for name, value in net.state_dict().items()}
    torch.save(filled, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=200, help="of both folders together")
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    for name, seed in (("a", 1), ("b", 2)):
        write_images(options.out / name, options.images // 2, seed, options.size)
    seeded_weights(options.out / "seeded.pth")


if __name__ == "__main__":
    main()
