"""FID of two folders of images by torch-fidelity on the CPU, from files to the number.

    python features.py FOLDER_A FOLDER_B WEIGHTS.pth [--threads 2] [--seconds 8]

A unit is one image: seconds of a repetition (both folders, loading the network included), divided by their number of
images.
Check: the FID.
"""
import pathlib

import common
import torch
import torch_fidelity

torch.set_num_threads(common.THREADS)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("a", type=pathlib.Path)
    parser.add_argument("b", type=pathlib.Path)
    parser.add_argument("weights")
    options = parser.parse_args()
    images = [path for folder in (options.a, options.b) for path in sorted(folder.iterdir())]
    found = []

    def fid(a, b):
        metrics = torch_fidelity.calculate_metrics(
            input1=str(a), input2=str(b), fid=True, cuda=False, verbose=False, cache=False,
            feature_extractor_weights_path=options.weights, samples_find_deep=False)
        found.append(metrics["frechet_inception_distance"])

    # Once, without a warm-up: what is compared is the whole process.
    seconds = common.seconds_of(lambda: fid(options.a, options.b))
    common.answer("image", [seconds / len(images)], found[-1], ["torch-fidelity", "torch"],
                  f"{len(images)} images, end to end")


if __name__ == "__main__":
    main()
