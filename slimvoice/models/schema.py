"""The schema of models.yaml: unknown keys and bad values are errors that name their place."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from slimvoice.errors import ConfigError
from slimvoice.speech import Task

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_NAME = r"^\w[\w.:/\-]*\Z"
Name = Annotated[str, Meta(pattern=_NAME, max_length=200)]
Repo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._\-]+/[A-Za-z0-9._\-]+\Z")]


class PartSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Members of one package: `pypi: name==version` or `npm: name@version`."""

    pypi: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._\-]+==[A-Za-z0-9._\-]+\Z")] | None = None
    npm: Annotated[str, Meta(pattern=r"^(@[a-z0-9._\-]+/)?[a-z0-9._\-]+@[A-Za-z0-9._\-]+\Z")] | None = None
    members: Annotated[list[str], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if (self.pypi is None) == (self.npm is None):
            raise ValueError("name either a pypi or an npm package")


class AlternateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Packages that carry a file: joined as they are, or rebuilt from the same tensors in another format."""

    recipe: Annotated[str, Meta(pattern=r"^[a-z0-9\-]+\Z")] = "join"
    """`join`, or one of a backend's own recipes."""
    parts: Annotated[list[PartSpec], Meta(min_length=1)]


class PinSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size and sha256 of bytes that were seen; a map of sha256 stands for one file per key (`{}` in the path)."""

    size: Annotated[int, Meta(gt=0)]
    sha256: Sha256 | dict[str, Sha256]
    alternates: list[AlternateSpec] = []


class VariantSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one variant says differently from its family."""

    approx_mb: Annotated[int, Meta(gt=0)] | None = None
    memory_mb: Annotated[int, Meta(gt=0)] | None = None
    starter: bool = False
    aliases: list[Name] = []
    languages: list[str] | None = None
    more_languages: list[str] = []
    description: str | None = None
    licence: str | None = None
    repo: Repo | None = None
    revision: str | None = None
    settings: dict[str, Any] | None = None


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, or a family of models when it has variants or a pattern."""

    name: Name
    task: Task
    backend: str
    repo: Repo
    revision: str = "main"
    files: Annotated[dict[str, str], Meta(min_length=1)]
    description: str = ""
    licence: str = ""
    languages: list[str] = []
    voices: dict[str, dict[Annotated[str, Meta(pattern=r"^(female|male|other)\Z")], list[str]]] = {}
    default_voice: str = ""
    aliases: list[Name] = []
    settings: dict[str, Any] = {}
    approx_mb: Annotated[int, Meta(gt=0)] | None = None
    memory_mb: Annotated[int, Meta(gt=0)] | None = None
    starter: bool = False
    variants: dict[str, VariantSpec] = {}
    pattern: str = ""
    known: str = ""
    index: str = ""
    """A list of voices in the repository, in its backend's form, which names more variants once it was fetched."""


class OpenAISpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"speech_to_text": "speech-to-text", "text_to_speech": "text-to-speech"},
):
    """OpenAI's model names, by the task whose default they mean."""

    speech_to_text: list[str] = []
    text_to_speech: list[str] = []
    unsupported: dict[str, str] = {}


class CatalogSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole models.yaml."""

    openai: OpenAISpec = OpenAISpec()
    models: list[ModelSpec] = []
    pins: dict[Repo, dict[str, PinSpec]] = {}
    notes: dict[str, dict[str, str]] = {}
    """Backend -> language -> what its voices do not do well there; the language is then not listed as one it knows."""
    openai_voices: dict[str, dict[str, str]] = {}
    """Backend -> OpenAI's name of a voice -> the voice nearest to it."""


def is_model_name(name: str) -> bool:
    """Return whether a model may be called so."""
    return re.fullmatch(_NAME, name) is not None and len(name) <= 200


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Refuses a key that stands twice, of which YAML would silently drop one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := {key for key in keys if isinstance(key, str) and keys.count(key) > 1}:
            raise yaml.MarkedYAMLError(problem=f"{sorted(twice)[0]!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)  # type: ignore[no-any-return]


def parse(text: str, origin: str) -> CatalogSpec:
    """Parse a models.yaml; raises ConfigError that names `origin` and the wrong place."""
    try:
        return msgspec.convert(yaml.load(text, Loader=_Loader) or {}, CatalogSpec)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not valid YAML: {' '.join(str(error).split())}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {error}", hint="see models.yaml of the package") from error
