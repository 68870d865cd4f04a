"""Bulk embedding on a Ray cluster: the shards of `parts`, handed out one by one to actors, each with its own encoder.

Plain actors rather than Ray Data: an actor writes its shard itself, and it is there or not, so nothing comes back but
a number of rows, and nothing has to be kept in order. An actor has one shard at a time, so nothing piles up. What a
node was working on when it died is given to another; should the dead one have written it after all, it is the same
file.
"""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.shards import PartDone, Plan, begin, finish, lacking_shards, write_shard
from lexel.data.pairs import Pair, Source
from lexel.encoder import Encoder
from lexel.errors import DataError, LexelError, UsageError
from lexel.extras import missing_library
from lexel.progress import say, track

LOCAL = "local"
TRIES = 3  # of a shard that fails by itself, such as for a store that does not answer
PATIENCE = 30.0  # seconds without an answer, after which is told what is waited for


def embed_on_ray(
    load: Callable[[], Encoder], source: Source, folder: OutputFolder, address: str, rows: int | None = None
) -> PartDone:
    """Embed the source into the folder on the cluster at this address; "local" makes one of this machine.

    `load` makes the model ready, here and on each node: model, pictures and folder must be reachable from all under the
    same names. One actor for each GPU or, on a node without, one with all its cores. Raises UsageError when there is no
    such cluster, and DataError when shards cannot be written however often they are tried.
    """
    encoder = load()
    plan = begin(encoder, source, folder, rows)
    lacking = lacking_shards(plan, source, folder, range(plan.shards))
    if lacking:
        with _cluster(address):
            work = _Work(load, plan, source, folder.given, lacking)
            for _ in track(work.done(), f"Embedding shards on {len(work.places)} actors", len(lacking)):
                pass
    return PartDone(plan, len(lacking), plan.shards - len(lacking), *finish(plan, folder))


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Joined to the cluster, and left again; a cluster that this process has joined already is used as it is."""
    try:
        import ray
    except ImportError as error:
        raise missing_library("Working on a Ray cluster", "ray", error) from None
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    _check_answers(address)
    where = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **cast(Any, where))
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:  # pyright: ignore
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"There is no Ray cluster at {address}: {reason}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise UsageError where nobody listens: Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # local, or auto
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"There is no Ray cluster at {address}: {error}") from None


class _Worker:
    """Lives in a process of its own on some node."""

    def __init__(self, load: Callable[[], Encoder], plan: Plan, folder: str) -> None:
        self.encoder = load()
        self.plan = plan
        self.folder = OutputFolder.open(folder)
        if self.encoder.fingerprint != plan.fingerprint:
            raise UsageError(f"A node has another model: {self.encoder.fingerprint}, not {plan.fingerprint}.")

    def ready(self) -> None:
        """Answers once the model is loaded."""

    def embed(self, number: int, pairs: list[Pair]) -> int:
        """Write one shard; its rows."""
        return write_shard(self.encoder, self.plan, self.folder, number, pairs)


@dataclass
class _Work:
    """The shards that are to do, and who does them."""

    load: Callable[[], Encoder]
    plan: Plan
    source: Source
    folder: str
    lacking: list[int]
    places: list[dict[str, float]] = field(init=False)  # what each actor takes of a node
    _open: deque[int] = field(init=False)
    _busy: dict[Any, tuple[Any, int | None, dict[str, float]]] = field(init=False, default_factory=dict)
    _failures: dict[int, int] = field(init=False, default_factory=dict)
    _lost: int = field(init=False, default=0)  # actors since a shard was last finished

    def __post_init__(self) -> None:
        self.places = _places()[: len(self.lacking)]
        self._open = deque(self.lacking)
        if not self.places:
            raise UsageError("The Ray cluster has no node with a free core or GPU.")

    def done(self) -> Iterator[int]:
        """The numbers of the shards as they are finished."""
        import ray

        for place in self.places:
            self._hire(place)
        finished = 0
        while finished < len(self.lacking):
            answers, _ = ray.wait(list(self._busy), timeout=PATIENCE)
            if not answers and all(number is None for _, number, _ in self._busy.values()):
                say("No node of the Ray cluster is free yet; waiting.")
            for answer in answers:
                actor, number, place = self._busy.pop(answer)
                outcome = self._outcome(answer, number)
                if outcome != "done" and number is not None:
                    self._open.appendleft(number)
                if outcome == "lost":
                    self._hire(place)
                else:
                    self._hand_out(actor, place)
                if outcome == "done" and number is not None:
                    finished += 1
                    yield number

    def _outcome(self, answer: Any, number: int | None) -> Literal["done", "failed", "lost"]:
        """What came of what an actor was asked. Raises what no other try would mend."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            ray.get(answer)
        except RayTaskError as error:
            self._count_failure(number, error)
            return "failed"
        except RayError as error:  # the actor, its process or its node is gone
            self._count_loss(error)
            return "lost"
        if number is not None:
            self._lost = 0
        return "done"

    def _hire(self, place: dict[str, float]) -> None:
        """Ask for an actor; it gets work once it is ready, which may be when a node is free again."""
        import ray

        # An actor that Ray itself restarted would be asked again for what others do by now.
        remote: Any = ray.remote(_Worker)
        kind = remote.options(max_restarts=0, num_cpus=place.get("CPU", 0), num_gpus=place.get("GPU", 0))
        actor = kind.remote(self.load, self.plan, self.folder)
        self._busy[actor.ready.remote()] = (actor, None, place)

    def _hand_out(self, actor: Any, place: dict[str, float]) -> None:
        """Give the actor the next shard; without any left it is let go."""
        if self._open:
            number = self._open.popleft()
            pairs = list(self.plan.piece(self.source, number))
            self._busy[actor.embed.remote(number, pairs)] = (actor, number, place)

    def _count_failure(self, number: int | None, error: Any) -> None:
        if isinstance(error.cause, LexelError) and not isinstance(error.cause, DataError):
            raise error.cause
        if number is not None:
            self._failures[number] = self._failures.get(number, 0) + 1
            if self._failures[number] >= TRIES:
                raise DataError(f"Shard {number} could not be written in {TRIES} tries: {error.cause}")

    def _count_loss(self, error: Any) -> None:
        self._lost += 1
        reason = str(error).strip().splitlines()
        if self._lost > TRIES * len(self.places):
            raise DataError(f"Actors on the Ray cluster end before they have done anything: {reason[-1]}")
        say(f"An actor was lost ({type(error).__name__}); what it had goes to another.")


def _places() -> list[dict[str, float]]:
    """A share of a node for each actor: a GPU with its part of the cores, or all cores of a node without a GPU."""
    import ray

    places = []
    for node in ray.nodes():
        cores, gpus = node["Resources"].get("CPU", 0.0), int(node["Resources"].get("GPU", 0))
        if not node["Alive"]:
            continue
        if gpus:
            places += [{"CPU": cores // gpus, "GPU": 1.0}] * gpus
        elif cores:
            places.append({"CPU": cores})
    return places
