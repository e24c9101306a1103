"""Numbers of claims with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number and the interval that it is known to lie in.

    Attributes
    ----------
    value, low, high : float
        Estimate and ends of its interval; all equal for what is exact.
    """

    value: float
    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether the interval is a point."""
        return self.low == self.high

    def __str__(self) -> str:
        """Write it, such as "8.51 [8.4, 8.6]"."""
        ends = f" [{_short(self.low)}, {_short(self.high)}]"
        return f"{self.value:.6g}" + ("" if self.exact else ends)


def _short(end: float) -> str:
    """Four digits, or all before the point."""
    return f"{end:.4g}" if abs(end) < 1000 else f"{end:.0f}"


def exact(value: float) -> Estimate:
    """Number without an error."""
    return Estimate(value, value, value)


def mean(value: float, se: float, trials: float, level: float) -> Estimate:
    """Mean over trials, by Student's t; by the normal distribution where ``trials`` is infinite.

    Parameters
    ----------
    value, se : float
        Mean and its standard error.
    trials : float
    level : float
        Coverage of the interval.
    """
    from scipy.stats import norm, t

    tail = (1 + level) / 2
    half = se * float(norm.ppf(tail) if math.isinf(trials) else t.ppf(tail, trials - 1))
    return Estimate(value, value - half, value + half)


def fraction(share: float, of: float, level: float) -> Estimate:
    """Share of successes among ``of`` trials, with its exact interval (Clopper and Pearson, 1934).

    The numbers need not be whole: clusters of equal trials count as one each.
    """
    from scipy.stats import beta

    tail, found = (1 - level) / 2, share * of
    low = float(beta.ppf(tail, found, of - found + 1)) if found > 0 else 0.0
    high = float(beta.ppf(1 - tail, found + 1, of - found)) if found < of else 1.0
    return Estimate(share, low, high)


def spread(sd: float, trials: float, level: float) -> Estimate:
    """Standard deviation of normal values, by the distribution of chi squared."""
    from scipy.stats import chi2

    tail, freedom = (1 - level) / 2, trials - 1
    low, high = (sd * math.sqrt(freedom / float(chi2.ppf(p, freedom))) for p in (1 - tail, tail))
    return Estimate(sd, low, high)


def correlation(r: float, pairs: float, level: float, ranks: bool) -> Estimate:
    """Correlation of so many pairs, by Fisher's z; of ranks as Bonett and Wright (2000)."""
    from scipy.stats import norm

    if abs(r) >= 1:
        return exact(r)
    variance = (1 + r * r / 2) if ranks else 1.0
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance / (pairs - 3))
    z = math.atanh(r)
    return Estimate(r, math.tanh(z - half), math.tanh(z + half))


def bounded_below(value: float, most: float, trials: float, level: float) -> float:
    r"""Lower end of the interval of a mean over trials of numbers between 0 and ``most``.

    It is valid whatever their distribution is (Hoeffding, 1963, theorem 1): the mean is ``most``
    times a fraction :math:`p`, and the least :math:`p` is sought with which a mean fraction
    :math:`q` or more has a probability above :math:`\alpha`,

    .. math:: P(Q \ge q) \le \left[ \left(\frac{p}{q}\right)^q
       \left(\frac{1 - p}{1 - q}\right)^{1 - q} \right]^n = \alpha .

    With :math:`q = 1` it is :math:`\alpha^{1/n}`, the exact end of a fraction of successes.

    Parameters
    ----------
    value : float
        Mean found.
    most : float
        Largest number that is possible.
    trials : float
    level : float
        Coverage; the end alone is above the mean with half of what is left.
    """
    from scipy.optimize import bisect
    from scipy.special import rel_entr

    found, alpha = value / most, (1 - level) / 2
    if found <= 0:
        return 0.0

    def excess(p: float) -> float:
        entropy = rel_entr(found, p) + rel_entr(1 - found, 1 - p)
        return float(trials * entropy + math.log(alpha))

    # It falls from infinity at 0 to log(alpha) at what was found; bisection needs signs alone.
    return most * float(bisect(excess, 0, found))


def wait(
    counted: float, se: float, trials: float, finished: float, upto: float, level: float
) -> Estimate:
    """Mean waiting time of trials, some of which may have been stopped.

    Parameters
    ----------
    counted : float
        Mean of the times counted up to where trials were stopped.
    se : float
        Its standard error; NaN with one trial.
    trials, finished : float
        Trials, and those that were not stopped.
    upto : float
        Where times are counted up to; of no account if none was stopped.
    level : float
        Coverage of the interval.

    Returns
    -------
    Estimate
        Without stopped trials that of a mean. Else the interval has no upper end. Its lower end is
        that of the mean counted, which the mean is not below whatever the times are; one by
        exponential times would be higher, and wrong of methods that learn. If most were stopped,
        the spread of those counted says little of the times that are shorter, nothing if all were,
        and the lower end is that of any numbers up to ``upto`` (`bounded_below`).
    """
    whole = mean(counted, se, trials, level)
    if finished >= trials:
        return whole
    few = finished < trials / 2
    low = bounded_below(counted, upto, trials, level) if few else whole.low
    return Estimate(counted, low, math.inf)


def combine(*terms: tuple[float, Estimate], constant: float = 0.0) -> Estimate:
    """Sum of independent estimates times factors, by MOVER (Zou and Donner, 2008).

    The interval's ends are as far from the sum as the root of the sum of squares of what each term
    may be off; with standard errors this is the usual interval of a sum.

    Parameters
    ----------
    terms : tuple of float and Estimate
        Factor and estimate.
    constant : float
        Added to the sum.
    """
    terms = tuple((factor, term) for factor, term in terms if factor)
    value = constant + sum(factor * term.value for factor, term in terms)
    reach = [
        (factor * term.low, factor * term.high)
        if factor > 0
        else (factor * term.high, factor * term.low)
        for factor, term in terms
    ]
    middles = [factor * term.value for factor, term in terms]
    below = math.hypot(*(m - low for m, (low, _) in zip(middles, reach, strict=True)))
    above = math.hypot(*(high - m for m, (_, high) in zip(middles, reach, strict=True)))
    return Estimate(value, value - below, value + above)


def least(numbers: Iterable[Estimate], corrected: Iterable[Estimate]) -> Estimate:
    """Least of several numbers.

    All of them are above a bound if all their lower ends are, so these need no correction. That one
    is below it is said if the upper end of any is, so upper ends are ``corrected`` for the number
    of them, as Bonferroni did.
    """
    numbers, corrected = list(numbers), list(corrected)
    return Estimate(
        min(number.value for number in numbers),
        min(number.low for number in numbers),
        min(number.high for number in corrected),
    )


def negative(number: Estimate) -> Estimate:
    """Number with the other sign."""
    return Estimate(-number.value, -number.high, -number.low)
