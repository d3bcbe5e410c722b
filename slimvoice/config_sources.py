"""Reads settings from their sources, in rising order: file, Bragi's environment, environment, flags."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from slimvoice import config_bragi
from slimvoice.config import Settings, read
from slimvoice.errors import ConfigError

SYSTEM_FILE = Path("/etc/slimvoice/config.yaml")
FILE_VARIABLE = "SLIMVOICE_CONFIG"
PREFIX = "SLIMVOICE_"

OTHER_VARIABLES = frozenset(
    {FILE_VARIABLE, "SLIMVOICE_API_KEY", "SLIMVOICE_DEBUG", "SLIMVOICE_SERVER", "SLIMVOICE_VENV"}
)
"""Variables of ours that are no settings; those of the tests begin with SLIMVOICE_TEST_."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force, where each came from (`default` when absent), and what the user should know."""

    settings: Settings
    origins: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def origin(self, name: str) -> str:
        """Return where a setting's value came from."""
        return self.origins.get(name, "default")


def load(
    flags: Mapping[str, Any] | None = None,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    system_file: Path = SYSTEM_FILE,
) -> Configuration:
    """Read every source; raises ConfigError. `file` must exist, and so must one that the environment names."""
    environ = os.environ if environ is None else environ
    origins: dict[str, str] = {}
    values: dict[str, Any] = {}
    notes: list[str] = []
    for origin, found, remarks in (
        _from_file(file, environ, system_file),
        ("environment BRAGI_*", *config_bragi.from_environment(environ)),
        ("environment", _from_environment(environ), []),
        ("flag", {key: value for key, value in (flags or {}).items() if value is not None}, []),
    ):
        values |= found
        origins |= dict.fromkeys(found, origin)
        notes += remarks
    return Configuration(
        settings=_validated(values, origins), origins=origins, notes=tuple(notes), warnings=_unknown(environ)
    )


def _from_file(
    file: Path | None, environ: Mapping[str, str], system_file: Path
) -> tuple[str, dict[str, Any], list[str]]:
    """Return the first file there is, as (origin, settings, notes)."""
    named = file or environ.get(FILE_VARIABLE) or environ.get(config_bragi.FILE_VARIABLE)
    path = Path(named).expanduser() if named else system_file
    if not named and not path.is_file():
        return "", {}, []
    raw = _read_yaml(path)
    if config_bragi.is_bragi(raw):
        return f"file {path}", *config_bragi.from_file(raw)
    if unknown := [key for key in raw if key not in Settings.__struct_fields__]:
        raise ConfigError(f"{path}: unknown setting {', '.join(map(repr, unknown))}", hint=_nearest(unknown[0]))
    return f"file {path}", {key: value for key, value in raw.items() if value is not None}, []


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML: {problem}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise ConfigError(f"{path} must be a mapping of settings, like `port: 8000`")
    return raw


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the environment names; an empty variable is one that was not set."""
    known = {PREFIX + name.upper(): name for name in Settings.__struct_fields__}
    return {known[key]: value for key, value in environ.items() if key in known and value}


def _validated(values: dict[str, Any], origins: dict[str, str]) -> Settings:
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in values.items():
        try:
            found[name] = read(name, value)
        except ValueError as error:
            wrong.append(_complaint(name, str(error), origins[name]))
    if wrong:
        raise ConfigError("; ".join(wrong), hint="slimvoice config shows every setting and where it comes from")
    return Settings(**found)


def _complaint(name: str, message: str, origin: str) -> str:
    if origin == "environment":
        return f"{PREFIX}{name.upper()}: {message}"
    return f"{name}: {message} (from {origin})"


def _unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each variable that looks like a setting and is none."""
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__} | OTHER_VARIABLES
    strange = sorted(
        key for key in environ if key.startswith(PREFIX) and key not in known and not key.startswith("SLIMVOICE_TEST_")
    )
    return tuple(f"{key} is no setting{_suggestion(key.removeprefix(PREFIX).lower(), PREFIX)}" for key in strange)


def _suggestion(name: str, prefix: str) -> str:
    near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
    return f"; did you mean {prefix + near[0].upper()}?" if near else ""


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
    return f"did you mean {near[0]}?" if near else "slimvoice config shows every setting"
