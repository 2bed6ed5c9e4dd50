"""What each attribute adds to the lead of one Gaussian class over another."""

import numpy as np

from zslpipe.parts.gaussians import Gaussians

POINTS = 32  # of the path between two classes along which slopes are averaged


def attribute_differences(
    known: Gaussians, z: np.ndarray, winner: np.ndarray, rival: np.ndarray, ridge: float, variance: np.ndarray
) -> np.ndarray:
    """Integrated gradients (Sundararajan et al., ICML 2017) of log N(z; p_c, variance) along the scaled semantics u.

    The score of a regressed Gaussian is smooth in u, which its kernel compares. Its slopes are averaged along the
    straight line from the rival's u to the winner's, and multiplied by the attributes' differences.

    Args:
        known: the Gaussians.
        z: (N, r) images in their basis.
        winner, rival: (A,) semantics.
        ridge: of the regression of means.
        variance: (r,) of all classes.

    Returns:
        (N, A); the sum over attributes is the lead of the regressed Gaussians.
    """
    regression, means, z = known.regression, known.scatter.means, z.astype(np.float64)
    start, end = regression.scaled(np.stack([rival, winner]))
    slopes = np.zeros((len(start), len(z)))
    for share in (np.arange(POINTS) + 0.5) / POINTS:
        at = start + share * (end - start)
        mean = regression.at(at[None], means, ridge)[0]
        slopes += regression.slopes(at, regression.coefficients(means @ ((z - mean) / variance).T, ridge))
    return np.asarray((end - start) * slopes.T / POINTS)
