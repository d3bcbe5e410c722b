"""The global options, which stand before the command, and the settings that follow from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from slimvoice.cli.output import info

if TYPE_CHECKING:
    from slimvoice.config import Settings
    from slimvoice.config_sources import Configuration
    from slimvoice.models.library import ModelLibrary


class GlobalOptions:
    """The global options of one command line."""

    def __init__(self, file: Path | None, flags: dict[str, Any], *, debug: bool) -> None:
        self._file = file
        self._flags = flags
        self.debug = debug

    def configuration(self, **flags: Any) -> Configuration:
        """Read the settings, with a command's own flags on top, and pass their warnings on; raises ConfigError."""
        from slimvoice.config_sources import load

        given = self._flags | {key: value for key, value in flags.items() if value is not None}
        configuration = load(given, self._file)
        for warning in configuration.warnings:
            info(f"warning: {warning}")
        return configuration

    def settings(self, **flags: Any) -> Settings:
        """Return the settings in force."""
        settings = self.configuration(**flags).settings
        if self.debug:
            self.show_logs()
        return settings

    def show_logs(self) -> None:
        """Send logs to the person; left to the commands that run what logs, as setting it up costs 70 ms."""
        from slimvoice import log

        log.configure("debug" if self.debug else "warning", "text")

    def library(self, **flags: Any) -> ModelLibrary:
        """Return the models."""
        return library_of(self.settings(**flags))


def library_of(settings: Settings) -> ModelLibrary:
    """Return the models of the volume that the settings name."""
    from slimvoice.models.library import ModelLibrary

    return ModelLibrary(settings)


def global_options_of(context: typer.Context) -> GlobalOptions:
    """Return the global options of the running command."""
    options = context.find_root().obj
    if not isinstance(options, GlobalOptions):  # the callback has not run
        raise TypeError("no session")
    return options
