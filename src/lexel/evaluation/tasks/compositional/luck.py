"""Whether a result of a probe may be luck."""

from lexel.evaluation.metrics.metric import Metric


def about_luck(name: str, found: Metric) -> tuple[str, ...]:
    """A warning where guessing might give as much, or more."""
    if found.chance is None or found.low > found.chance:
        return ()
    if found.high < found.chance:  # such as a model that prefers one of two captions whatever it sees
        return (f"{name}: right less often than by guessing; one caption is preferred to the other.",)
    return (f"{name}: not distinguishable from guessing.",)
