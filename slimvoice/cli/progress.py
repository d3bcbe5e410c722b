"""Progress of pulls and transcriptions: bars on a terminal, a line per quarter elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimvoice.cli.output import info, megabytes, stderr_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from slimvoice.models.library import ModelLibrary, PullProgress
    from slimvoice.speech import InstalledModel


def pull(library: ModelLibrary, name: str, *, again: bool = False) -> InstalledModel:
    """Pull a model and show how far it is; raises ModelNotFound or PullError."""
    with PullView(name) as view:
        return library.pull(name, view.show, again=again)


async def pull_async(library: ModelLibrary, name: str) -> None:
    """Pull a model and show how far it is, leaving the event loop free; raises ModelNotFound or PullError."""
    from contextlib import aclosing
    from functools import partial

    from slimvoice.models.async_pull import pull_events
    from slimvoice.models.records import PullProgress

    with PullView(name) as view:
        async with aclosing(pull_events(partial(library.pull, name))) as events:
            async for event in events:
                if isinstance(event, PullProgress):
                    view.show(event)


class PullView:
    """Shows one pull on stderr."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = ("", "", -1)
        self._bars: Progress | None = None
        self._bar_of: dict[str, TaskID] = {}

    def __enter__(self) -> PullView:
        """Start the bar where a person watches."""
        console = stderr_console()
        if console.is_terminal:
            self._bars = _bars(console)
            self._bar_of[""] = self._bars.add_task(self._name, total=None)
            self._bars.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the bar as it stands."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, progress: PullProgress) -> None:
        """Show one report; a model's runtime comes before the model and has a bar of its own."""
        if self._bars is not None:
            if progress.model not in self._bar_of:
                waiting = self._bar_of.pop("", None)
                self._bar_of[progress.model] = (
                    self._bars.add_task(progress.model, total=None) if waiting is None else waiting
                )
            shown = "" if progress.status in {"pulling", "done"} else f" ({progress.status})"
            self._bars.update(
                self._bar_of[progress.model],
                description=progress.model + shown,
                completed=progress.done_bytes,
                total=progress.total_bytes or None,
            )
            return
        self._line(progress)

    def _line(self, progress: PullProgress) -> None:
        quarter = 4 * progress.done_bytes // max(1, progress.total_bytes)
        model, status, shown = self._shown
        same = (progress.model, progress.status) == (model, status)
        if same and (quarter <= shown or progress.status != "pulling"):
            return
        self._shown = (progress.model, progress.status, quarter)
        size = f"{megabytes(progress.done_bytes)} of {megabytes(progress.total_bytes)}"
        where = f" from {progress.source}" if progress.source else ""
        info(f"{progress.model}: {progress.status} {size}{where}")


class TranscribeView:
    """Shows how far the transcription of a long file is; `quiet` where the text itself runs on the same terminal."""

    LONG_S = 30.0

    def __init__(self, file: str, duration_s: float, *, quiet: bool) -> None:
        self._file = file
        self._duration_s = duration_s
        self._shown = duration_s >= self.LONG_S and not quiet
        self._tenth = 0
        self._bars: Progress | None = None
        self._bar: TaskID | None = None

    def __enter__(self) -> TranscribeView:
        """Start the bar where a person watches."""
        console = stderr_console()
        if self._shown and console.is_terminal:
            self._bars = _time_bars(console)
            self._bar = self._bars.add_task(self._file, total=self._duration_s)
            self._bars.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, done_s: float) -> None:
        """Show how many seconds are done."""
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, completed=done_s)
        elif self._shown and (tenth := int(10 * done_s / self._duration_s)) > self._tenth:
            self._tenth = tenth
            info(f"{self._file}: {done_s:.0f} of {self._duration_s:.0f} s")


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False)


def _time_bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
