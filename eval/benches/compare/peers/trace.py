"""The Frechet distance of two covariances, as pytorch-fid (sqrtm) and torch-fidelity (eigvals) find its trace.

    python trace.py A.npz B.npz --method sqrtm|eigvals [--threads 2] [--seconds 8]

A unit is one trace with its distance; reading the files is not measured. Check: the distance.
"""
import common
import numpy
import scipy.linalg


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--method", choices=["sqrtm", "eigvals"], required=True)
    options = parser.parse_args()
    (mu_a, a), (mu_b, b) = ((file["mu"], file["sigma"]) for file in map(numpy.load, (options.a, options.b)))
    found = []

    def distance():
        if options.method == "sqrtm":
            trace = numpy.trace(scipy.linalg.sqrtm(a.dot(b)).real)
        else:
            trace = numpy.sqrt(numpy.linalg.eigvals(a.dot(b)).astype(complex)).sum().real
        found.append(float((mu_a - mu_b) @ (mu_a - mu_b) + numpy.trace(a) + numpy.trace(b) - 2 * trace))

    # Small: it starts the threads.
    seconds = common.measure(distance, options.seconds, warm_up=lambda: scipy.linalg.sqrtm(a[:64, :64] @ b[:64, :64]))
    common.answer("trace", seconds, found[-1], ["numpy", "scipy"], f"{options.method}, {len(a)} dimensions")


if __name__ == "__main__":
    main()
