"""`slimvoice serve` as a process that tests start, read the log of, and stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading


class Served:
    """A running server and its log."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slimvoice", "serve", "--port", "0", *options],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line(self, word: str) -> str:
        """Wait for a line with a word in it."""
        with self._grown:
            assert self._grown.wait_for(lambda: self._found(word) is not None, 60), self.lines
        found = self._found(word)
        assert found is not None
        return found

    @property
    def url(self) -> str:
        return str(json.loads(self.line('"listening"'))["url"])

    def stop(self, *signals: signal.Signals) -> int:
        for each in signals:
            self.process.send_signal(each)
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _found(self, word: str) -> str | None:
        return next((line for line in self.lines if word in line), None)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._grown:
                self.lines.append(line)
                self._grown.notify_all()
