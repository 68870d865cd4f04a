"""How the plan of a run looks on standard output."""

from dataclasses import fields

from lexel.progress import duration
from lexel.terminal import counted
from lexel.training.planning.plan import Plan


def print_plan(plan: Plan) -> None:
    """What a run needs, a line for each kind of thing, with what was assumed."""
    data, computation, device = plan.data, plan.computation, plan.accelerator
    millions = "unknown" if plan.parameters is None else f"{plan.parameters / 1e6:,.1f} million"
    print(
        f"{plan.name}: {millions} parameters, {plan.steps:,} steps of {plan.batch_size:,}, "
        f"{counted(plan.pairs_seen, 'pair')} seen ({plan.pairs_seen / data.epoch:.3g} epochs)"
    )
    lines = {
        "data": f"{counted(data.pairs, 'pair')} of {_size(data.pair_bytes)}: {_size(data.bytes)}; "
        f"{data.tokens:.1f} tokens a caption ({data.origin})",
        "computation": "not known: a tower is another library's, which alone could count it",
    }
    if computation.run is not None:
        loss = plan.steps * computation.loss / computation.run
        lines["computation"] = (
            f"{((computation.image or 0) + (computation.text or 0)) / 1e9:,.2f} GFLOP a pair, forward and backward "
            f"(image {(computation.image or 0) / 1e9:,.2f}, text {(computation.text or 0) / 1e9:,.2f}); "
            f"{computation.run:.3g} FLOP in all; the loss adds {loss:.1%}"
        )
    lines["devices"] = (
        f"{plan.gpus:,} × {device.name}, at {plan.mfu:.0%} of {device.flops_per_second / 1e12:,.4g} TFLOP/s (MFU), "
        f"with {_size(device.memory)}"
    )
    if plan.time:
        together = f" ({_device_time(plan.time.gpu_hours)} of all devices together)" if plan.gpus > 1 else ""
        lines["time"] = (
            f"{duration(3600 * plan.time.hours)}{together}; {_step(plan.time.step)} a step, "
            f"{plan.time.pairs_per_second:,.0f} pairs/s"
        )
    lines["memory"] = _memory(plan)
    if plan.network and plan.gpus > 1:
        sent = plan.network.gradients + plan.network.embeddings
        rate = f", {8 * sent / plan.time.step / 1e9:,.3g} Gbit/s" if plan.time else ""
        lines["network"] = (
            f"{_size(sent)} sent by each device in a step{rate}: gradients {_size(plan.network.gradients)}, "
            f"embeddings {_size(plan.network.embeddings)}"
        )
    if plan.time:
        lines["reading"] = f"{_size(plan.time.pairs_per_second * data.pair_bytes)}/s by all devices together"
    for name, line in lines.items():
        print(f"  {name:<12} {line}")
    if plan.elsewhere:
        others = ", ".join(f"{name} {_device_time(hours)}" for name, hours in plan.elsewhere.items())
        print(f"On one device of another kind, at {plan.mfu:.0%} and when nothing is recomputed: {others}")


def _memory(plan: Plan) -> str:
    if plan.memory is None:
        return "not estimated: a tower is another library's, which alone knows its activations"
    parts = ((part.name, getattr(plan.memory, part.name)) for part in fields(plan.memory))
    held = ", ".join(f"{name} {_size(size)}" for name, size in parts if size)
    again = (
        f", with {plan.recomputed} forward pass{'es' if plan.recomputed > 1 else ''} made again"
        if plan.recomputed
        else ""
    )
    fits = "" if plan.fits else ": MORE THAN THERE IS"
    part = f"{plan.micro_batch:,} of {counted(plan.local_batch, 'pair')} at a time"
    return f"{_size(plan.memory.total)}{fits}, with {part}{again}\n{'':15}{held}"


def _size(count: float) -> str:
    """Bytes, in powers of a thousand."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _step(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"


def _device_time(hours: float) -> str:
    """Hours where there are many, since budgets are counted in them."""
    return f"{hours:,.0f} hours" if hours >= 10 else duration(3600 * hours)
