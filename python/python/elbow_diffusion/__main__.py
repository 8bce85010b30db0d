"""The command line: `elbow` and `python -m elbow_diffusion`."""

import sys

from . import _elbow


def main() -> int:
    """Runs the command line on `sys.argv`; the exit code. Model files may name Python functions."""
    sys.path.insert(0, "")
    try:
        return _elbow.main(["elbow", *sys.argv[1:]])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
