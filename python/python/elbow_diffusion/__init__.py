"""Bounds, likelihoods and distances of diffusion models that can be trusted, with standard errors.

| function | what |
|---|---|
| `theory.masked`, `theory.uniform`, `theory.gaussian` | exact bounds of a toy |
| `frechet_distance`, `kid`, `precision_recall`, `inception_score` | metrics of feature arrays |
| `evaluate`, `report` | the bundled claims, and the report of recorded results |

The command line is the same program: `elbow`, or `python -m elbow_diffusion`.
"""

from . import theory
from ._elbow import VERSION as __version__
from .commands import Model
from .denoisers import Denoiser, denoiser
from .errors import ElbowError, InputError, InternalError, MissingError
from .likelihood import Likelihood, likelihood
from .losses import LossCheck, check_loss
from .metrics import Measure, frechet_distance, inception_score, kid, precision_recall
from .results import Document, Estimate
from .sampling import Samples, sample

__all__ = [
    "Denoiser",
    "Document",
    "ElbowError",
    "Estimate",
    "InputError",
    "InternalError",
    "Likelihood",
    "LossCheck",
    "Measure",
    "MissingError",
    "Model",
    "Samples",
    "__version__",
    "check_loss",
    "denoiser",
    "frechet_distance",
    "inception_score",
    "kid",
    "likelihood",
    "precision_recall",
    "sample",
    "theory",
]
