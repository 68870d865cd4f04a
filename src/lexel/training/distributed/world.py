"""The processes that train together: which one this is, on which device, and how they agree.

`torchrun -m lexel train` sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Each process has a part of
every batch. Only process 0, the main one, reads the sources, decides, prints and writes; `once` gives all the others
what it returns or raises. With one process, nothing here does anything. `failure.py` says how they end together.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from lexel.batches import cores
from lexel.data.order import Share
from lexel.errors import LexelError, UsageError
from lexel.runtimes.torch import choose_device
from lexel.training.distributed.failure import failing_together
from lexel.training.distributed.watchdog import Watchdog

Value = TypeVar("Value")

# The watchdog notices deaths, so these end a deadlock only, and need not be short: processes wait for the slowest.
STEP_TIMEOUT = timedelta(hours=1)
MAIN_TIMEOUT = timedelta(days=2)  # while the main process reads sources, learns a vocabulary or measures
STORE_TIMEOUT = timedelta(seconds=10)
PRINT_SECONDS = 1.0  # in which a process prints a line that is ready


@dataclass(frozen=True)
class World:
    """This process among those that train together."""

    rank: int
    size: int
    device: torch.device
    _slow_group: dist.ProcessGroup | None = None  # over gloo, for objects that are rare and may be waited for

    @classmethod
    @contextmanager
    def join(cls, device: str | None) -> Iterator["World"]:
        """Be one of the processes for as long as the block lasts, on the device of this name in torch.

        Should one of them fail, all end: the main one raises the reason as LexelError, the others just leave.
        Raises UsageError when there is no such device.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            yield cls(0, 1, torch.device(choose_device(device)))
            return
        shared, rank, _ = next(iter(rendezvous("env://", timeout=STEP_TIMEOUT)))
        store = PrefixStore(_agree_on_a_name(shared, rank, size), shared)
        watchdog = Watchdog(PrefixStore("watch", store), rank, size)
        with failing_together(watchdog, main=rank == 0):
            here = _own_device(device)
            backend = "cpu:gloo,cuda:nccl" if here.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=STEP_TIMEOUT)
            slow_group = dist.new_group(backend="gloo", timeout=MAIN_TIMEOUT)
            assert isinstance(slow_group, dist.ProcessGroup)
            yield cls(rank, size, here, slow_group)
            dist.barrier(slow_group)
        watchdog.stop()
        dist.destroy_process_group()

    def __str__(self) -> str:
        return str(self.device) if self.size == 1 else f"{self.size} × {self.device.type}"

    @property
    def main(self) -> bool:
        """Whether this process is the one that decides, prints and writes."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """This process's part of work that is divided."""
        return Share(self.rank, self.size)

    def once(self, work: Callable[[], Value]) -> Value:
        """Let the main process alone do `work`; all processes return its value or raise its LexelError."""
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.main:
            try:
                outcome[0] = work()
            except LexelError as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, src=0, group=self._slow_group)
        value, error = outcome
        if error is not None:
            raise error
        return value

    @contextmanager
    def main_in(self, context: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        """Let the main process be in `context` for as long as the block lasts. What entering it raises, all raise."""
        with ExitStack() as stack:
            self.once(lambda: stack.enter_context(context()))
            yield

    def gather(self, value: Value) -> list[Value]:
        """All-gather of any object: the values of all processes, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._slow_group)
        return values

    def tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Broadcast: the main process's `tensors`, in the host's memory, on every process."""
        if self.size == 1:
            return dict(tensors)
        kinds = self.once(lambda: {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()})
        everywhere = {}
        for name, (shape, dtype) in kinds.items():
            everywhere[name] = tensors[name] if self.main else torch.empty(shape, dtype=dtype)
            dist.broadcast(everywhere[name], src=0, group=self._slow_group)
        return everywhere

    def sum(self, *numbers: int) -> list[int]:
        """All-reduce: each number, summed over all processes. Quick enough for every step."""
        if self.size == 1:
            return list(numbers)
        sums = torch.tensor(numbers, device=self.device)
        dist.all_reduce(sums)
        return sums.tolist()

    def least(self, number: int) -> int:
        """The least of all processes' numbers."""
        return min(self.gather(number))


def is_reported_by_another(message: str) -> bool:
    """Whether another process of this torchrun has shown the user the error `message`, or is about to.

    For errors before the processes have met in a World: all of them may find the same, or one alone.
    """
    with suppress(RuntimeError):  # torchrun's store is gone, with the machine that kept it
        store, *_ = next(iter(rendezvous("env://", timeout=STORE_TIMEOUT)))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        if store.add(f"reported/{attempt}/{message}", 1) > 1:
            time.sleep(PRINT_SECONDS)  # torchrun ends all as soon as one has ended
            return True
    return False


def _agree_on_a_name(store: Store, rank: int, size: int) -> str:
    """A name that these processes agree on and that none before had, to keep their keys in the store apart.

    torchrun may keep one store over all its restarts. What processes that are dead by now have left there would mislead
    those of today: gloo asks it for addresses.

    Each process calls with a name of its own; the main one answers with the name for all, until it is confirmed.
    """
    mine = secrets.token_hex(8)
    if rank > 0:
        store.set(f"call/{rank}", mine)
        name = store.get(f"answer/{mine}").decode()  # waits for it
        store.set(f"heard/{name}/{rank}", "")
        return name
    waiting = set(range(1, size))
    while waiting:
        for other in waiting:
            if store.check([f"call/{other}"]):  # perhaps a dead one's, until the living one has called
                store.set(f"answer/{store.get(f'call/{other}').decode()}", mine)
        waiting = {other for other in waiting if not store.check([f"heard/{mine}/{other}"])}
        time.sleep(0.02)
    return mine


def _own_device(wanted: str | None) -> torch.device:
    """The device of this process: on a machine with GPUs each process has one of its own. Sets torch's threads too."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes on this machine
    device = torch.device(choose_device(wanted))
    if device.type != "cuda":
        torch.set_num_threads(max(1, cores() // beside))  # torchrun says 1, whatever there is
        return device
    if beside > torch.cuda.device_count():
        raise UsageError(
            f"{beside} processes cannot share the {torch.cuda.device_count()} GPUs of this machine.\n"
            f"Start one for each: torchrun --nproc-per-node {torch.cuda.device_count()} …"
        )
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
