"""The processes that train together: which one this is, on which device, and how they agree.

Under `torchrun -m lexel train`, which sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, each process has
a part of every batch. Process 0, the main one, is the only one that reads the sources, decides, prints and writes; what
it finds or raises there, all of them do (`once`). With one process, nothing here does anything.
"""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
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
from lexel.training.distributed.watchdog import Watch, in_words

Value = TypeVar("Value")

# Deaths are noticed by `Watch`, so these end a deadlock only, and need not be short: processes wait for the slowest.
FOR_A_STEP = timedelta(hours=1)
FOR_THE_STORE = timedelta(seconds=10)
FOR_LAST_WORDS = 1.0  # seconds in which a process prints a line that is ready
FOR_THE_MAIN = timedelta(days=2)  # while it reads sources, learns a vocabulary or measures


@dataclass(frozen=True)
class World:
    """This process among those that train together."""

    rank: int
    size: int
    device: torch.device
    _talk: dist.ProcessGroup | None = None  # over gloo, for what is said rarely and may be waited for

    @classmethod
    @contextmanager
    def join(cls, device: str | None) -> Iterator["World"]:
        """Be one of the processes for as long as the block lasts, on the `device` that torch calls so.

        Should one of them fail, all end: the main one raises the reason as LexelError, the others just leave.
        Raises UsageError when there is no such device.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            yield cls(0, 1, torch.device(choose_device(device)))
            return
        shared, rank, _ = next(iter(rendezvous("env://", timeout=FOR_A_STEP)))
        store = PrefixStore(_meet(shared, rank, size), shared)
        watch = Watch(PrefixStore("watch", store), rank, size)
        with _failing_together(watch, main=rank == 0):
            here = _own_device(device)
            backend = "cpu:gloo,cuda:nccl" if here.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=FOR_A_STEP)
            talk = dist.new_group(backend="gloo", timeout=FOR_THE_MAIN)
            assert isinstance(talk, dist.ProcessGroup)
            yield cls(rank, size, here, talk)
            dist.barrier(talk)
        watch.stop()
        dist.destroy_process_group()

    def __str__(self) -> str:
        return str(self.device) if self.size == 1 else f"{self.size} × {self.device.type}"

    @property
    def main(self) -> bool:
        """Whether this process is the one that decides, prints and writes."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """The part of divided work that is this process's."""
        return Share(self.rank, self.size)

    def once(self, work: Callable[[], Value]) -> Value:
        """What `work` gives, or raises as LexelError, on the main process, which alone does it."""
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.main:
            try:
                outcome[0] = work()
            except LexelError as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, src=0, group=self._talk)
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
        """The values of all processes, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._talk)
        return values

    def tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The main process's `tensors`, of the host's memory, on every process."""
        if self.size == 1:
            return dict(tensors)
        kinds = self.once(lambda: {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()})
        everywhere = {}
        for name, (shape, dtype) in kinds.items():
            everywhere[name] = tensors[name] if self.main else torch.empty(shape, dtype=dtype)
            dist.broadcast(everywhere[name], src=0, group=self._talk)
        return everywhere

    def sum(self, *numbers: int) -> list[int]:
        """Each number, summed over all processes. Quick enough for every step."""
        if self.size == 1:
            return list(numbers)
        sums = torch.tensor(numbers, device=self.device)
        dist.all_reduce(sums)
        return sums.tolist()

    def least(self, number: int) -> int:
        """The least of all processes' numbers."""
        return min(self.gather(number))


def is_told_by_another(message: str) -> bool:
    """Whether another process that torchrun has started beside this one has told the user `message`, or is about to.

    For what is found before the processes have met: all of them may find it, or one alone.
    """
    with suppress(RuntimeError):  # torchrun's store is gone, with the machine that kept it
        store, *_ = next(iter(rendezvous("env://", timeout=FOR_THE_STORE)))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        if store.add(f"told/{attempt}/{message}", 1) > 1:
            time.sleep(FOR_LAST_WORDS)  # torchrun ends all as soon as one has ended
            return True
    return False


def _meet(store: Store, rank: int, size: int) -> str:
    """A name that the processes agree on, and that no other meeting has.

    torchrun may keep one store over all its restarts. What processes that are dead by now have left there would mislead
    those of today: gloo asks it for addresses.
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


class _TerminatedError(BaseException):
    """This process was told to end, as torchrun tells it when another one has died."""


@contextmanager
def _failing_together(watch: Watch, main: bool) -> Iterator[None]:
    """Tell the others why this process fails, or find out why they did; the main one then says so."""
    failing = False

    def end(number: int, frame: FrameType | None) -> None:
        if not failing:  # else there is something to be said first
            raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end) if main else None
    try:
        yield
    except BaseException as error:
        failing = True
        raise _outcome(error, watch, main) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _outcome(error: BaseException, watch: Watch, main: bool) -> BaseException:
    """What this process ends with, when `error` has stopped it."""
    if isinstance(error, LexelError):
        watch.fail(str(error))
        watch.leave()
        return error if main else SystemExit(error.exit_status)
    reason = None
    # Torch's word for its own trouble and for what another's death does to it, and torchrun's for such a death.
    if isinstance(error, RuntimeError | _TerminatedError):
        reason = watch.blame()
    if reason is None:
        watch.fail(f"{type(error).__name__}: {error}")
        return SystemExit(128 + signal.SIGTERM) if isinstance(error, _TerminatedError) else error
    watch.leave()
    return LexelError(in_words(reason)) if watch.tells else SystemExit(1)
