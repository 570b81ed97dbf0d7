"""ports.Slots on threads: each waits for the LLM far longer than it computes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, Condition

from linkner.errors import LinknerError, StoppedError

log = logging.getLogger("linkner.slots")


class ThreadSlots:
    """So many threads.

    `take` waits up to `gather_s` for as many slots as it is asked for: where they become free one by one,
    what fills them is fetched together.
    """

    def __init__(self, count: int, *, gather_s: float) -> None:
        self._pool = _started(ThreadPoolExecutor(count, thread_name_prefix="slot"), count)
        self._count, self._free = count, count
        self._gather_s = gather_s
        self._changed = Condition()
        self._stopping = False

    def take(self, *, at_most: int) -> int:
        """See the port."""
        enough = min(at_most, self._count)
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._free > 0 or self._stopping)
                self._changed.wait_for(lambda: self._free >= enough or self._stopping, timeout=self._gather_s)
                if self._stopping:
                    raise StoppedError("this process stops", hint="another one takes the questions")
                if taken := min(enough, self._free):  # else another thread was quicker
                    self._free -= taken
                    return taken

    def run(self, work: Callable[[], object]) -> None:
        """See the port. What goes wrong is logged: there is nobody to tell."""
        self._pool.submit(self._run, work)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            log.debug("action=done outcome=%s", work())
        except LinknerError as error:
            log.warning("action=failed error=%s", error)
        except Exception:
            log.exception("action=failed")
        finally:
            self.give_back(1)

    def give_back(self, count: int) -> None:
        """See the port."""
        with self._changed:
            self._free += count
            self._changed.notify_all()

    def stop(self) -> None:
        """Give out no more slots."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until all slots are free, and end their threads."""
        self.stop()
        self._pool.shutdown(wait=True)


def _started(pool: ThreadPoolExecutor, count: int) -> ThreadPoolExecutor:
    """The pool with all of its threads running: one that cannot be started later would leave its work queued,
    and the slot given back twice."""
    all_here = Barrier(count)
    wait([pool.submit(all_here.wait) for _ in range(count)])
    return pool
