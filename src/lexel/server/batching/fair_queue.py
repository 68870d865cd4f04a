"""A queue in which requests take turns: one with a thousand inputs does not hold up one with a single input."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What waits in a queue."""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for it."""
        ...


Entry = TypeVar("Entry", bound=Waiting)


class FairQueue(Generic[Entry]):
    """First in, first out for each request, and one from each request in turn."""

    def __init__(self) -> None:
        self._requests: OrderedDict[Hashable, deque[Entry]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """The number of waiting inputs, with cancelled ones until their turn comes."""
        return self._count

    def put(self, request: Hashable, entry: Entry) -> None:
        """Add to the end of a request's own line."""
        self._requests.setdefault(request, deque()).append(entry)
        self._count += 1

    def take(self, fits: Callable[[Entry], bool]) -> list[Entry]:
        """The next inputs, one from each request in turn, as long as each `fits`; cancelled ones are dropped."""
        taken: list[Entry] = []
        while self._requests:
            request, line = next(iter(self._requests.items()))
            while line and not line[0].is_wanted:
                line.popleft()
                self._count -= 1
            if line:
                if not fits(line[0]):
                    break
                taken.append(line.popleft())
                self._count -= 1
            if line:
                self._requests.move_to_end(request)
            else:
                del self._requests[request]
        return taken
