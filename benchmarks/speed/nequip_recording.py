"""A recorder that measures itself inside ``nequip-train``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.harness.timing import wall_seconds
from ltau.adapters.nequip import ErrorRecorderCallback


class TimedErrorRecorder(ErrorRecorderCallback):
    """Record, and write how long recording and epochs took to ``times.json``.

    What is not counted is that the model's output is kept until the end of the batch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recording, self.epochs = [0.0], list[float]()

    def on_train_epoch_start(self, *args: Any) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Record a batch."""
        self._timed(lambda: super(TimedErrorRecorder, self).on_train_batch_end(*args, **kwargs))

    def on_train_epoch_end(self, *args: Any) -> None:
        """Write an epoch."""
        self._timed(lambda: super(TimedErrorRecorder, self).on_train_epoch_end(*args))
        self.epochs.append(time.perf_counter() - self.start)
        self.recording.append(0.0)

    def on_fit_end(self, *args: Any) -> None:
        """Write the times."""
        super().on_fit_end(*args)
        times = {"recording": self.recording[:-1], "epochs": self.epochs}
        (self.folder / "times.json").write_text(json.dumps(times))

    def _timed(self, call: Callable[[], None]) -> None:
        self.recording[-1] += wall_seconds(call)[1]
