"""A recorder that measures itself inside ``nequip-train``."""

import json
import time

from ltau.adapters.nequip import ErrorRecorderCallback


class TimedErrorRecorder(ErrorRecorderCallback):
    """Record, and write how long recording and epochs took to ``times.json``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.recording, self.epochs = [0.0], []

    def on_train_epoch_start(self, *args):
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, *args, **kwargs):
        """Record a batch."""
        self._timed(super().on_train_batch_end, *args, **kwargs)

    def on_train_epoch_end(self, *args):
        """Write an epoch."""
        self._timed(super().on_train_epoch_end, *args)
        self.epochs.append(time.perf_counter() - self._start)
        self.recording.append(0.0)

    def on_fit_end(self, *args):
        """Write the times."""
        super().on_fit_end(*args)
        times = {"recording": self.recording[:-1], "epochs": self.epochs}
        (self.folder / "times.json").write_text(json.dumps(times))

    def _keep(self, *args):
        self._timed(super()._keep, *args)

    def _timed(self, call, *args, **kwargs):
        start = time.perf_counter()
        call(*args, **kwargs)
        self.recording[-1] += time.perf_counter() - start
