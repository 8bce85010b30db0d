"""Bounds, likelihoods and distances of diffusion models that can be trusted, with standard errors.

| function | what |
|---|---|
| `denoiser` | a callable of PyTorch, JAX or NumPy, with what it means |
| `likelihood`, `compare`, `sample` | the bound of a denoiser, a run or a model file; the difference of two; samples |
| `frontier` | generative perplexity against entropy over temperatures, compared at equal entropy |
| `conditional_likelihood` | log p(target | prompt), multiple choice, with errors |
| `check_loss` | whether a training loss is the objective that it should be |
| `frechet_distance`, `kid`, `mind`, `precision_recall`, `inception_score` | metrics of images or features |
| `frechet_statistics` | mean and covariance of a set's features, in a file |
| `theory.masked`, `theory.uniform`, `theory.gaussian` | exact bounds of a toy |
| `dataset` | data sets as arrays |
| `eval`, `rows`, `report` | the bundled claims, their recorded rows, and the report |
| `merge` | the parts that calls with `shard=(rank, world)` made on several machines, put together |

The command line is the same program: `elbow`, or `python -m elbow_diffusion`.
"""

from . import theory
from ._elbow import VERSION as __version__
from .claims import Claims, report, rows
from .claims import evaluate as eval
from .commands import Model
from .comparison import Comparison, compare
from .conditional import ConditionalLikelihood, conditional_likelihood
from .data import Dataset, dataset
from .denoisers import Denoiser, denoiser
from .errors import ElbowError, InputError, InternalError, MissingError
from .frontier import Frontier, frontier
from .images import Statistics, frechet_statistics
from .likelihood import Likelihood, likelihood
from .losses import LossCheck, check_loss
from .metrics import Measure, frechet_distance, inception_score, kid, mind, precision_recall
from .results import Document, Estimate
from .sampling import Samples, sample
from .shards import Shard, merge

__all__ = [
    "Claims",
    "Comparison",
    "ConditionalLikelihood",
    "Dataset",
    "Denoiser",
    "Document",
    "ElbowError",
    "Estimate",
    "Frontier",
    "InputError",
    "InternalError",
    "Likelihood",
    "LossCheck",
    "Measure",
    "MissingError",
    "Model",
    "Samples",
    "Shard",
    "Statistics",
    "__version__",
    "check_loss",
    "compare",
    "conditional_likelihood",
    "dataset",
    "denoiser",
    "eval",
    "frechet_distance",
    "frechet_statistics",
    "frontier",
    "inception_score",
    "kid",
    "likelihood",
    "merge",
    "mind",
    "precision_recall",
    "report",
    "rows",
    "sample",
    "theory",
]
