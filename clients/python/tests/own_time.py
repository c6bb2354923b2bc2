"""The time for which this process was allowed to run, for bounds that it keeps by its own waits."""

import threading
import time

_TICK_S = 0.01


class OwnTime:
    """Counts seconds. A late tick shows that the process was not running, so it counts as at most two ticks."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._seconds = 0.0
        self._ticked_at = time.monotonic()
        threading.Thread(target=self._run, daemon=True).start()

    def seconds(self) -> float:
        with self._guard:
            now = time.monotonic()
            self._seconds += min(now - self._ticked_at, 2 * _TICK_S)
            self._ticked_at = now
            return self._seconds

    def _run(self) -> None:
        while True:
            time.sleep(_TICK_S)
            self.seconds()
