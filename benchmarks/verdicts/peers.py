"""The rules of other tools, on the same pairs of runs: pure functions of timings.

Each says whether head is called worse than base. Sources:

- pytest-benchmark: run as itself; `--benchmark-compare-fail=mean:5%` is head's mean over base's.
- github-action-benchmark: an alert where the ratio of the operations a second that pytest-benchmark
  reports, previous over current, exceeds `alert-threshold` (`src/write/findAlerts.ts`,
  `src/extract.ts`); 200 % by default, and 105 % to ask for what is asked of the others.
- asv: `asv compare` and `asv continuous` call a benchmark worse where the medians differ by
  `--factor` (1.1 by default) and `is_different` says so: Mann and Whitney's test at 0.002
  (`asv/commands/compare.py`, `asv/_stats.py`). Its samples are means of at least 10 ms, ten in each
  of two rounds; here twenty, spread over the run.
- Student's t-test and Mann and Whitney's test on pooled timings, one-sided at 1 %, and with the
  means or medians at least 2 % apart in the stricter variants: what is done by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.verdicts.entries import PeerCase

Timings = NDArray[np.float64]
_ALPHA = 0.01
_ASV_ALPHA = 0.002
_ASV_SAMPLES = 20
_ASV_SECONDS = 0.01


def ratio_alert(case: PeerCase, *, threshold: float) -> bool:
    """Tell whether github-action-benchmark alerts: previous over current operations a second."""
    base, head = case.means
    return (1 / base) / (1 / head) > threshold


def t_test(base: Timings, head: Timings) -> bool:
    """Tell whether Student's test on pooled timings finds head slower."""
    return bool(stats.ttest_ind(head, base, alternative="greater").pvalue < _ALPHA)


def mann_whitney(base: Timings, head: Timings) -> bool:
    """Tell whether Mann and Whitney's test on pooled timings finds head slower."""
    return bool(stats.mannwhitneyu(head, base, alternative="greater").pvalue < _ALPHA)


def asv(base: Timings, head: Timings, *, factor: float) -> bool:
    """Tell whether asv's rule calls head worse by `factor`."""
    before, after = _asv_samples(base), _asv_samples(head)
    if not np.median(before) < np.median(after) / factor:
        return False
    return bool(stats.mannwhitneyu(before, after).pvalue < _ASV_ALPHA)


def _asv_samples(timings: Timings) -> Timings:
    """Return at most twenty means of at least 10 ms each, spread over the run."""
    each = max(1, int(np.ceil(_ASV_SECONDS / float(np.median(timings)))))
    count = max(1, min(_ASV_SAMPLES, len(timings) // each))
    parts = np.array_split(timings, count)
    return np.array([part[:each].mean() for part in parts])


def _on_timings(rule: Callable[[Timings, Timings], bool]) -> Callable[[PeerCase], bool]:
    return lambda case: rule(*case.timings())


RULES: Mapping[str, Callable[[PeerCase], bool]] = MappingProxyType(
    {
        "pytest-benchmark, `--benchmark-compare-fail=mean:5%`": lambda case: case.failed,
        "github-action-benchmark, `alert-threshold: 200%` (default)": lambda case: ratio_alert(
            case, threshold=2.0
        ),
        "github-action-benchmark, `alert-threshold: 105%`": lambda case: ratio_alert(
            case, threshold=1.05
        ),
        "t-test on pooled timings, 1 %": _on_timings(t_test),
        "t-test, and means 2 % apart": _on_timings(
            lambda base, head: t_test(base, head) and bool(head.mean() > 1.02 * base.mean())
        ),
        "Mann-Whitney test on pooled timings, 1 %": _on_timings(mann_whitney),
        "Mann-Whitney test, and medians 2 % apart": _on_timings(
            lambda base, head: (
                mann_whitney(base, head) and bool(np.median(head) > 1.02 * np.median(base))
            )
        ),
        "asv, `--factor 1.1` (default)": _on_timings(
            lambda base, head: asv(base, head, factor=1.1)
        ),
        "asv, `--factor 1.05`": _on_timings(lambda base, head: asv(base, head, factor=1.05)),
    }
)
"""By what the tables call them."""
