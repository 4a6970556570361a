"""Temperature scaling: makes the probabilities of a trained classifier mean what they say.

All logits are divided by one number T > 0, chosen on `val` (Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017). The order of the classes never changes, so neither does accuracy.

Few images fit a temperature badly, so their targets are smoothed (`fit_temperature`). Measured on a
linear head for the solar cells: mean log loss on the other images when fitted on n of the 785 of
val and test (150 draws), with the logits as they are, which are well calibrated, and made three
times as sure, as those of fine-tuned networks often are.

| n   | as is: T = 1 | plain | smoothed | times 3: T = 1 | plain | smoothed |
|-----|--------------|-------|----------|----------------|-------|----------|
| 10  | 0.307        | 1.023 | 0.339    | 0.528          | 2.342 | 0.339    |
| 50  | 0.307        | 0.343 | 0.319    | 0.531          | 0.328 | 0.317    |
| 395 | 0.306        | 0.309 | 0.309    | 0.526          | 0.309 | 0.309    |

Shrinking towards T = 1 instead, with the weight of 25 images, gained up to 0.06 in the first case
and lost up to 0.14 in the second.
"""

from __future__ import annotations

import numpy as np
import scipy.optimize
import scipy.special

from thawline.components.training import scores
from thawline.components.training.record import Calibration

# Beyond these, the logits are at fault, not the temperature.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
BINS = 15


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest log loss, between `MIN_TEMPERATURE` and `MAX_TEMPERATURE`.

    The loss is convex in 1/T, so its slope, which is monotone, is brought to zero. To the images is
    added one whose label is each class in equal parts, at their average loss: Laplace's rule of
    succession, as Platt (1999) smooths his targets. Without it, images that are all answered right
    would ask for T = 0, a claim to be never wrong, and a handful of images for almost as much; on
    hundreds of images it changes T by less than chance does. Classes without an image do no harm,
    because T is common to all classes; where all logits of each image are equal, T is 1.

    Args:
        logits: float [N, C].
        labels: int [N] in [0, C).

    Raises:
        ValueError: there is no image, or a logit is not finite.
    """
    if not len(labels):
        raise ValueError('no image to fit a temperature on')
    if not np.isfinite(logits).all():
        raise ValueError('a logit is not finite: the training has diverged')
    exact = logits.astype(np.float64)
    centred = exact - exact.mean(axis=1, keepdims=True)  # each row's target of a uniform label is 0
    n = len(labels)
    target = centred[np.arange(n), labels].mean() * n / (n + 1)

    def slope(inverse: float) -> float:
        """Derivative of the loss by 1/T; rises with it."""
        chances = scipy.special.softmax(centred * inverse, axis=1)
        return float((chances * centred).sum(axis=1).mean() - target)

    if not np.ptp(exact, axis=1).any():
        return 1.0
    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    if slope(low) >= 0:
        return MAX_TEMPERATURE
    if slope(high) <= 0:
        return MIN_TEMPERATURE
    return float(1 / scipy.optimize.brentq(slope, low, high, xtol=1e-9))


def expected_calibration_error(logits: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: how far stated confidence is from accuracy, in [0, 1].

    Images are sorted by the probability of their most probable class and cut into `bins` of equal
    mass (Nixon et al., "Measuring Calibration in Deep Learning", 2019): bins of equal width are
    nearly empty where a good model has no answers, and then measure noise. On few images even a
    perfectly calibrated model has an error: about 0.03 with 400.

    Args:
        logits: float [N, C].
        labels: int [N] in [0, C).
        bins: at most as many as there are images are used.

    Raises:
        ValueError: there is no image.
    """
    if not len(labels):
        raise ValueError('no image to measure a calibration on')
    chances = scipy.special.softmax(logits.astype(np.float64), axis=1)
    sure, hit = chances.max(axis=1), chances.argmax(axis=1) == labels
    order = np.lexsort((hit, sure))  # by the hits too, so that equal confidences come in one order
    off = (sure - hit)[order]
    return float(sum(abs(part.sum()) for part in np.array_split(off, bins)) / len(labels))


def calibrate(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fits the temperature and measures what it does; as `fit_temperature`."""
    temperature = fit_temperature(logits, labels)
    scaled = logits / temperature
    return Calibration(
        temperature,
        scores.score(logits, labels).log_loss,
        scores.score(scaled, labels).log_loss,
        expected_calibration_error(logits, labels),
        expected_calibration_error(scaled, labels),
    )
