"""Which seconds are charged to the budget, and where did the others go?"""

import contextlib
import time
from collections.abc import Callable, Iterator

__all__ = ["Clock"]

BUCKETS = ("train", "data_wait", "eval", "checkpoint", "warmup", "build", "logging", "gallery")


class Clock:
    """Sorts monotonic, device-synchronised seconds into buckets; its state can be saved.

    Only `train` is charged. `data_wait` is a part of `train`; all other buckets are apart.
    `started` is the monotonic time at which the process began, if that was earlier.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        synchronise: Callable[[], None] = lambda: None,
        started: float | None = None,
    ) -> None:
        self._now = now
        self.synchronise = synchronise
        self._started = now() if started is None else started
        self._earlier = 0.0
        self.seconds: dict[str, float] = dict.fromkeys(BUCKETS, 0.0)

    @property
    def charged(self) -> float:
        """Seconds charged to the budget so far."""
        return self.seconds["train"]

    @contextlib.contextmanager
    def measure(self, bucket: str) -> Iterator[None]:
        """Add the seconds of a block to a bucket, the device being idle at both ends."""
        self.synchronise()
        start = self._now()
        try:
            yield
        finally:
            self.synchronise()
            self.seconds[bucket] += self._now() - start

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within a charged block: note the seconds spent waiting for data, without a sync."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds["data_wait"] += self._now() - start

    def take_over(self, charged: float) -> None:
        """Charge as much as another process, which decides, was charged so far."""
        self.seconds["train"] = charged

    def total(self) -> float:
        """Return all seconds since the start, those of earlier processes included."""
        return self._earlier + self._now() - self._started

    def state(self) -> dict[str, float]:
        """Return the buckets and the total, to travel with a checkpoint."""
        return {**self.seconds, "total": self.total()}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from saved buckets; what this process has measured so far is added."""
        for bucket in BUCKETS:
            self.seconds[bucket] += state.get(bucket, 0.0)  # an older one has fewer
        self._earlier += state["total"]
