"""Bulk embedding on a Ray cluster: the `shards` are handed out one by one to actors, each with its own encoder.

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

from lexel.bulk.items import BulkItem, ItemSource
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import EmbeddingPlan, begin
from lexel.bulk.shards import PartDone, finish, lacking_shards, write_shard
from lexel.encoder import Encoder
from lexel.errors import DataError, LexelError, UsageError
from lexel.extras import missing_library
from lexel.progress import say, track

LOCAL_ADDRESS = "local"  # makes a cluster of this machine
MAX_TRIES = 3  # of a shard, where the actor stays but an error comes, such as from a store that does not answer
NOTE_AFTER = 30.0  # seconds without an answer, after which a note says what is waited for

Resources = dict[str, float]  # what an actor takes of a node: CPU, GPU


def embed_on_ray(
    load: Callable[[], Encoder], source: ItemSource, folder: OutputFolder, address: str, rows: int | None = None
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
            crew = _Crew(load, plan, source, folder.given, lacking)
            for _ in track(crew.finished_shards(), f"Embedding shards on {len(crew.places)} actors", len(lacking)):
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
    where = {"include_dashboard": False} if address == LOCAL_ADDRESS else {"address": address}
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


class _ShardWriter:
    """Lives in a process of its own on some node."""

    def __init__(self, load: Callable[[], Encoder], plan: EmbeddingPlan, folder: str) -> None:
        self.encoder = load()
        self.plan = plan
        self.folder = OutputFolder.open(folder)
        if self.encoder.fingerprint != plan.fingerprint:
            raise UsageError(f"A node has another model: {self.encoder.fingerprint}, not {plan.fingerprint}.")

    def ready(self) -> None:
        """Answers once the model is loaded."""

    def embed(self, number: int, items: list[BulkItem]) -> int:
        """Write one shard; its rows."""
        return write_shard(self.encoder, self.plan, self.folder, number, items)


@dataclass(frozen=True)
class _Busy:
    """An actor that has been asked for something and has not answered yet."""

    actor: Any
    place: Resources
    shard: int | None  # that it embeds; None: it loads its model


@dataclass
class _Crew:
    """The actors and the shards that they are to write.

    An actor is started, says that it is ready, and is given one shard after the other until none is waiting. What can
    come of each request:

        answer    shard                          actor
        done      finished                       gets the next shard
        failed    waits again, MAX_TRIES times   gets the next shard
        lost      waits again                    another is started in its place
    """

    load: Callable[[], Encoder]
    plan: EmbeddingPlan
    source: ItemSource
    folder: str
    lacking: list[int]
    places: list[Resources] = field(init=False)  # one for each actor
    _waiting: deque[int] = field(init=False)  # shards
    _busy: dict[Any, _Busy] = field(init=False, default_factory=dict)  # by the reference to the answer
    _failures: dict[int, int] = field(init=False, default_factory=dict)  # by shard
    _lost: int = field(init=False, default=0)  # actors since a shard was last finished

    def __post_init__(self) -> None:
        self.places = _places()[: len(self.lacking)]
        self._waiting = deque(self.lacking)
        if not self.places:
            raise UsageError("The Ray cluster has no node with a free core or GPU.")

    def finished_shards(self) -> Iterator[int]:
        """The numbers of the shards as they are finished."""
        for place in self.places:
            self._start_actor(place)
        unfinished = set(self.lacking)
        while unfinished:
            for reference in self._answers():
                busy = self._busy.pop(reference)
                outcome = self._outcome(reference, busy.shard)
                if busy.shard is not None and outcome == "done":
                    unfinished.discard(busy.shard)
                    yield busy.shard
                elif busy.shard is not None:
                    self._waiting.appendleft(busy.shard)
                if outcome == "lost":
                    self._start_actor(busy.place)
                else:
                    self._give_work(busy)

    def _answers(self) -> list[Any]:
        """References to what has been answered; none after NOTE_AFTER seconds."""
        import ray

        answers, _ = ray.wait(list(self._busy), timeout=NOTE_AFTER)
        if not answers and all(busy.shard is None for busy in self._busy.values()):
            say("No node of the Ray cluster is free yet; waiting.")
        return answers

    def _outcome(self, reference: Any, shard: int | None) -> Literal["done", "failed", "lost"]:
        """What came of a request. Raises what no other try would mend."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            ray.get(reference)
        except RayTaskError as error:
            self._count_failure(shard, error)
            return "failed"
        except RayError as error:  # the actor, its process or its node is gone
            self._count_loss(error)
            return "lost"
        if shard is not None:
            self._lost = 0
        return "done"

    def _start_actor(self, place: Resources) -> None:
        """Ask for an actor; it gets work once it is ready, which may be when a node is free again."""
        import ray

        # An actor that Ray itself restarted would be asked again for what others do by now.
        remote: Any = ray.remote(_ShardWriter)
        kind = remote.options(max_restarts=0, num_cpus=place.get("CPU", 0), num_gpus=place.get("GPU", 0))
        actor = kind.remote(self.load, self.plan, self.folder)
        self._busy[actor.ready.remote()] = _Busy(actor, place, shard=None)

    def _give_work(self, free: _Busy) -> None:
        """Give the actor the next shard; without any left it is let go."""
        if self._waiting:
            shard = self._waiting.popleft()
            items = list(self.plan.piece(self.source, shard))
            self._busy[free.actor.embed.remote(shard, items)] = _Busy(free.actor, free.place, shard)

    def _count_failure(self, shard: int | None, error: Any) -> None:
        if isinstance(error.cause, LexelError) and not isinstance(error.cause, DataError):
            raise error.cause
        if shard is not None:
            self._failures[shard] = self._failures.get(shard, 0) + 1
            if self._failures[shard] >= MAX_TRIES:
                raise DataError(f"Shard {shard} could not be written in {MAX_TRIES} tries: {error.cause}")

    def _count_loss(self, error: Any) -> None:
        self._lost += 1
        reason = str(error).strip().splitlines()
        if self._lost > MAX_TRIES * len(self.places):
            raise DataError(f"Actors on the Ray cluster end before they have done anything: {reason[-1]}")
        say(f"An actor was lost ({type(error).__name__}); what it had goes to another.")


def _places() -> list[Resources]:
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
