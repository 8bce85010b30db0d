"""elbow beside pytorch-fid and torch-fidelity: images a second, peak memory, and the Frechet trace at 2048 dimensions.

The same images, the same network (FID's Inception with seeded weights, so that nothing is downloaded), the same machine, in
turns. Needs: pip install numpy scipy torch torchvision pillow pytorch-fid torch-fidelity onnxruntime

    python3 eval/benches/fid.py [--elbow target/release/elbow] [--images 200] [--rounds 3] [--threads 2]

Prints one table of medians with their ranges, and the numbers that each tool gave: a faster wrong number is no result.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

PYTORCH_FID = """
import sys, pytorch_fid.inception as inception, torch
weights, threads, a, b = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(threads)
inception.load_state_dict_from_url = lambda *a, **k: torch.load(weights)
from pytorch_fid import fid_score
print(fid_score.calculate_fid_given_paths([a, b], 50, "cpu", 2048, 0))
"""
TORCH_FIDELITY = """
import sys, torch, torch_fidelity
weights, threads, a, b = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(threads)
print(torch_fidelity.calculate_metrics(input1=a, input2=b, fid=True, cuda=False, verbose=False, cache=False,
      feature_extractor_weights_path=weights, samples_find_deep=False)["frechet_inception_distance"])
"""
TRACE = """
import sys, time, numpy, scipy.linalg
a, b = (numpy.load(path)["sigma"] for path in sys.argv[1:3])
start = time.perf_counter()
if sys.argv[3] == "sqrtm":
    trace = numpy.trace(scipy.linalg.sqrtm(a.dot(b)).real)
else:
    trace = numpy.sqrt(numpy.linalg.eigvals(a.dot(b)).astype(complex)).sum().real
print(time.perf_counter() - start, numpy.trace(a) + numpy.trace(b) - 2 * trace)
"""


def run(command, threads, **env):
    """Last line on stdout, wall seconds, peak memory in MB."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)} | env
    start = time.perf_counter()
    # The same cores for every contestant, whatever its own idea of threads.
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT,
                               preexec_fn=lambda: os.sched_setaffinity(0, cores))
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[:3]} failed")
    return out.decode(), time.perf_counter() - start, usage.ru_maxrss / 1024


def write_images(folder, count, seed, size):
    """Smooth colour noise, so that the files are like photographs rather than like noise."""
    import numpy
    from PIL import Image
    rng = numpy.random.default_rng(seed)
    folder.mkdir()
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=numpy.uint8))
        coarse.resize((size, size), Image.BICUBIC).save(folder / f"{i:05}.png")


def seeded_weights(path):
    import torch
    sys.path.insert(0, str(ROOT / "fixtures" / "inception"))
    sys.dont_write_bytecode = True
    from formula import tensor
    import pytorch_fid.inception as inception
    net = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    state = net.state_dict()
    filled = {name: value if name.endswith("num_batches_tracked")
              else torch.from_numpy(tensor(name, tuple(value.shape))) for name, value in state.items()}
    torch.save(filled, path)


def onnxruntime_library():
    import onnxruntime
    found = sorted((pathlib.Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    return str(found[0])


def compare(contestants, rounds):
    """Runs every contestant once a round, in turns."""
    seen = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            seen[name].append(contestant())
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--elbow", default=str(ROOT / "target" / "release" / "elbow"))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=["images", "trace"])
    options = parser.parse_args()
    import numpy
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if options.only != "trace":
            images(options, scratch)
        if options.only != "images":
            trace(options, scratch, numpy)


def images(options, scratch):
    half = options.images // 2
    a, b = scratch / "a", scratch / "b"
    write_images(a, half, 1, options.size)
    write_images(b, half, 2, options.size)
    weights, network = str(scratch / "seeded.pth"), str(scratch / "inception.onnx")
    seeded_weights(weights)
    subprocess.run([options.elbow, "fid", "export", weights, "-o", network], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

    def elbow(convention, library):
        command = [options.elbow, "fid", "calc", str(a), str(b), "--network", network, "--convention", convention,
                   "--metrics", "fd", "--blocks", "0", "--no-cache", "--json", "-q"]
        out, seconds, memory = run(command, options.threads, ORT_DYLIB_PATH=library)
        return json.loads(out)["value"], seconds, memory

    def python(program):
        out, seconds, memory = run([sys.executable, "-c", program, weights, str(options.threads), str(a), str(b)], options.threads)
        return float(out.split()[-1]), seconds, memory

    library = onnxruntime_library()
    seen = compare({
        "pytorch-fid": lambda: python(PYTORCH_FID),
        "elbow pytorch, ONNX Runtime": lambda: elbow("pytorch", library),
        "elbow pytorch, embedded": lambda: elbow("pytorch", ""),
        "torch-fidelity": lambda: python(TORCH_FIDELITY),
        "elbow tf, ONNX Runtime": lambda: elbow("tf", library),
        "elbow tf, embedded": lambda: elbow("tf", ""),
    }, options.rounds)
    print(f"\n{2 * half} PNG of {options.size}x{options.size}, {options.threads} threads, whole process, median of {options.rounds}")
    print(f"{'':30}{'images/s':>10}{'(range)':>18}{'peak MB':>10}{'distance':>16}")
    for name, runs in seen.items():
        rates = sorted(2 * half / seconds for _, seconds, _ in runs)
        memory = statistics.median(memory for *_, memory in runs)
        span = f"{rates[0]:.2f} to {rates[-1]:.2f}"
        print(f"{name:30}{statistics.median(rates):10.2f}{span:>18}{memory:10.0f}{runs[0][0]:16.7f}")


def trace(options, scratch, numpy):
    paths = []
    for seed in (1, 2):
        rng = numpy.random.default_rng(seed)
        # A spectrum that falls as that of Inception features does.
        x = rng.standard_normal((6000, 2048)) * (1 + numpy.arange(2048)) ** -0.6 @ numpy.linalg.qr(rng.standard_normal((2048, 2048)))[0]
        paths.append(str(scratch / f"{seed}.npz"))
        numpy.savez(paths[-1], mu=numpy.zeros(2048), sigma=numpy.cov(x, rowvar=False))

    def elbow():
        out, seconds, _ = run([options.elbow, "fid", "calc", *paths, "--metrics", "fd", "--json", "-q"], options.threads)
        return json.loads(out)["value"], seconds

    def python(method):
        out, _, _ = run([sys.executable, "-c", TRACE, *paths, method], options.threads)
        seconds, value = map(float, out.split())
        return value, seconds

    seen = compare({
        "scipy sqrtm (pytorch-fid)": lambda: python("sqrtm"),
        "numpy eigvals (torch-fidelity)": lambda: python("eigvals"),
        "elbow, whole process, both": elbow,
    }, options.rounds)
    print(f"\nFrechet trace at 2048 dimensions, {options.threads} threads, seconds, median of {options.rounds}")
    for name, runs in seen.items():
        times = sorted(seconds for _, seconds in runs)
        print(f"{name:32}{statistics.median(times):8.2f}  ({times[0]:.2f} to {times[-1]:.2f}){runs[0][0]:20.10f}")


main()
