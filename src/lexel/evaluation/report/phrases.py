"""Numbers in words, for the report page, its warnings and the terminal."""

from lexel.evaluation.metrics.metric import Metric

SPACE = "\u00a0"  # that does not break a line


def percent(share: float) -> str:
    """A share with as many digits as are worth reading: "91 %", "4.2 %", "0.15 %"."""
    value = 100 * share
    if value >= 99.95 or 9.95 <= value < 99:
        return f"{value:.0f}{SPACE}%"
    return f"{value:.1f}{SPACE}%" if value >= 0.95 else f"{value:.2g}{SPACE}%"


def interval(metric: Metric) -> str:
    """The 95 % interval: "89–93 %", "3–12", "0.41–0.44", "-2.2 to -1.9"."""
    low, high = in_unit(metric, metric.low), in_unit(metric, metric.high)
    if metric.low < 0 and low != high:
        return f"{low} to {high}"
    return low if low == high else f"{low.removesuffix(SPACE + '%')}–{high}"


def rank(value: float) -> str:
    """A rank: "3", "12.5", "1,204"."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def in_unit(metric: Metric, value: float) -> str:
    """A value of the metric as its unit is written."""
    match metric.unit:
        case "share":
            return percent(value)
        case "rank":
            return rank(value)
        case "number":
            return f"{value:.3g}"


def chance(metric: Metric) -> str:
    """What guessing would give; a dash where nothing can be guessed."""
    return "–" if metric.chance is None else in_unit(metric, metric.chance)


def metric_in_words(name: str) -> str:
    """ "retrieval/image_to_text/recall@1" as people say it: "image → text, recall@1"."""
    task, _, metric = name.removeprefix("average/").rpartition("/")
    if task.startswith("languages/"):
        task = task.removeprefix("languages/").replace("/", ": ")
    task = task.removeprefix("retrieval/").replace("_to_", " → ").replace("zero_shot", "naming")
    return f"{task}, {metric.replace('_', ' ')}{' of the average' if name.startswith('average/') else ''}"
