"""The catalog: models.yaml expanded into models and files, and found by name or alias."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

import slimvoice
from slimvoice.backends.info import IndexedVoice
from slimvoice.backends.registry import BACKENDS
from slimvoice.errors import ConfigError, ModelNotFound, Unsupported
from slimvoice.models.records import Alternate, CatalogEntry, ModelFile, PackagePart
from slimvoice.models.schema import CatalogSpec, ModelSpec, PartSpec, PinSpec, VariantSpec, parse
from slimvoice.models.voice_index import VoiceIndex
from slimvoice.speech import Model, Task, Voice

_MB = 1_000_000
_RANGE = re.compile(r"\{(\d+)-(\d+)\}")


class Catalog:
    """Models by name: each backend's models.yaml, the packaged one of all, and the user's own, which adds to them and
    overrides them by name.
    """

    def __init__(self, specs: Iterable[CatalogSpec], index: VoiceIndex | None = None) -> None:
        self._specs = tuple(specs)
        self._index = index

    @classmethod
    def load(cls, user_file: Path | None = None, index: VoiceIndex | None = None) -> Catalog:
        """Read the packaged catalog and the user's own where it exists; raises ConfigError.

        `index` has voices that a repository lists beyond the catalog.
        """
        specs = [*_parts(), _parsed(packaged_file())]
        if user_file is not None and user_file.is_file():
            specs.append(_parsed(user_file))
        return cls(specs, index)

    @cached_property
    def entries(self) -> dict[str, CatalogEntry]:
        """Every named model, in catalog order; a later file replaces an earlier one's model of the same name."""
        found: dict[str, CatalogEntry] = {}
        for spec in self._specs:
            for family in spec.models:
                for entry in self._expand(family):
                    found[entry.model.name] = entry
        return found

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Alias -> model name."""
        return {alias: entry.model.name for entry in self.entries.values() for alias in entry.model.aliases}

    @property
    def starters(self) -> tuple[str, ...]:
        """Models that a first start pulls."""
        return tuple(name for name, entry in self.entries.items() if entry.starter)

    @property
    def indexes(self) -> dict[str, tuple[str, str]]:
        """Repository -> backend, and path of the list of voices that it keeps."""
        return {family.repo: (family.backend, family.index) for family in self._families() if family.index}

    def noted(self, model: Model) -> Model:
        """Return a model with the notes on its voices and their aliases, and without the languages it speaks badly."""
        notes: dict[str, str] = {}
        aliases: dict[str, tuple[str, ...]] = {}
        for spec in self._specs:
            notes |= spec.notes.get(model.backend, {})
            for alias, voice in spec.openai_voices.get(model.backend, {}).items():
                aliases[voice] = (*aliases.get(voice, ()), alias)
        return msgspec.structs.replace(
            model,
            languages=tuple(language for language in model.languages if not notes.get(language)),
            voices=tuple(_noted(voice, notes, aliases) for voice in model.voices) if notes or aliases else model.voices,
        )

    def openai_task(self, name: str) -> Task | None:
        """Return the task whose default an OpenAI name means; raises Unsupported for what has no equal here."""
        for spec in self._specs:
            if name in spec.openai.unsupported:
                raise Unsupported(
                    f"{name} is not supported: {spec.openai.unsupported[name]}",
                    hint="use gpt-4o-transcribe or whisper-1 instead",
                    param="model",
                )
            if name in spec.openai.speech_to_text:
                return Task.SPEECH_TO_TEXT
            if name in spec.openai.text_to_speech:
                return Task.TEXT_TO_SPEECH
        return None

    @property
    def openai_names(self) -> dict[str, Task]:
        """OpenAI's names that work here."""
        names: dict[str, Task] = {}
        for spec in self._specs:
            names |= dict.fromkeys(spec.openai.speech_to_text, Task.SPEECH_TO_TEXT)
            names |= dict.fromkeys(spec.openai.text_to_speech, Task.TEXT_TO_SPEECH)
        return names

    def get(self, name: str) -> CatalogEntry | None:
        """Return the model of this name or alias, in any case; None when there is none."""
        name = self.aliases.get(name, name)
        if name in self.entries:
            return self.entries[name]
        return self._open_variant(name) or self._any_case(name)

    def find(self, name: str) -> CatalogEntry:
        """Return the model of this name or alias; raises ModelNotFound with the nearest names as hint."""
        if entry := self.get(name):
            return entry
        raise ModelNotFound(f"no model is named {name!r}", hint=self._suggest(name), param="model")

    def _any_case(self, name: str) -> CatalogEntry | None:
        folded = name.casefold()
        for known, target in [*((key, key) for key in self.entries), *self.aliases.items()]:
            if known.casefold() == folded:
                return self.entries[target]
        return None

    def _suggest(self, name: str) -> str:
        names = [*self.entries, *self.aliases]
        near = difflib.get_close_matches(name.casefold(), {known.casefold(): known for known in names}, n=3, cutoff=0.6)
        proper = {known.casefold(): known for known in names}
        return "did you mean " + ", ".join(proper[key] for key in near) + "?" if near else "slimvoice list --all"

    def _families(self) -> Iterator[ModelSpec]:
        for spec in reversed(self._specs):
            yield from spec.models

    def _open_variant(self, name: str) -> CatalogEntry | None:
        head, _, variant = name.partition(":")
        for family in self._families():
            if family.pattern and family.name == head and re.fullmatch(family.pattern, variant):
                return self._entry(family, variant, VariantSpec())
        return None

    def _expand(self, family: ModelSpec) -> Iterator[CatalogEntry]:
        if not family.variants and not family.pattern:
            yield self._entry(family, "", VariantSpec(starter=family.starter, aliases=family.aliases))
        for variant, spec in family.variants.items():
            yield self._entry(family, variant, spec)
        listed = self._index.voices(family.repo, family.backend) if family.index and self._index else {}
        for variant in dict.fromkeys([*family.known.split(), *listed]):
            if variant not in family.variants and re.fullmatch(family.pattern, variant):
                yield _listed(self._entry(family, variant, VariantSpec()), listed.get(variant))

    def _entry(self, family: ModelSpec, variant: str, spec: VariantSpec) -> CatalogEntry:
        fields = _fields(family, variant)
        files = tuple(self._files(family, spec, fields))
        pinned = sum(file.size for file in files) if all(file.size for file in files) else 0
        approx_mb = spec.approx_mb or family.approx_mb or 0
        model = Model(
            name=f"{family.name}:{variant}" if variant else family.name,
            task=family.task,
            backend=family.backend,
            licence=spec.licence or family.licence,
            languages=_languages(family, spec, fields),
            voices=_voices(family, fields),
            default_voice=family.default_voice or fields.get("voice", ""),
            aliases=tuple(spec.aliases),
            description=spec.description or family.description,
            size_bytes=pinned or approx_mb * _MB,
            memory_bytes=(spec.memory_mb or family.memory_mb or 0) * _MB,
            settings=family.settings if spec.settings is None else spec.settings,
        )
        return CatalogEntry(model=self.noted(model), files=files, starter=spec.starter)

    def _files(self, family: ModelSpec, spec: VariantSpec, fields: dict[str, str]) -> Iterator[ModelFile]:
        repo, revision = spec.repo or family.repo, spec.revision or family.revision
        voices = [voice for genders in family.voices.values() for names in genders.values() for voice in names]
        for role, rule in family.files.items():
            many = voices if "{voice}" in rule and "voice" not in fields else [""]
            for voice in many:
                path = _fill(rule, {"voice": voice, **fields}, family.name)
                yield self._pinned(ModelFile(role=role, repo=repo, path=path, revision=revision))

    def _pinned(self, file: ModelFile) -> ModelFile:
        pin = self._pins.get((file.repo, file.path))
        if pin is None:
            return file
        size, sha256, alternates = pin
        return ModelFile(
            role=file.role,
            repo=file.repo,
            path=file.path,
            revision=file.revision,
            size=size,
            sha256=sha256,
            alternates=alternates,
        )

    @cached_property
    def _pins(self) -> dict[tuple[str, str], tuple[int, str, tuple[Alternate, ...]]]:
        pins: dict[tuple[str, str], tuple[int, str, tuple[Alternate, ...]]] = {}
        for spec in self._specs:
            for repo, files in spec.pins.items():
                for path, pin in files.items():
                    many = pin.sha256 if isinstance(pin.sha256, dict) else {"": pin.sha256}
                    for key, sha256 in many.items():
                        pins[repo, path.replace("{}", key)] = (pin.size, sha256, _alternates(pin, key))
        return pins


def _listed(entry: CatalogEntry, voice: IndexedVoice | None) -> CatalogEntry:
    """Add what a repository's own list says of a voice."""
    if voice is None:
        return entry
    speakers = voice.speakers or entry.model.voices
    model = msgspec.structs.replace(
        entry.model,
        size_bytes=entry.model.size_bytes or voice.size_bytes,
        voices=speakers,
        default_voice=speakers[0].id,
    )
    return msgspec.structs.replace(entry, model=model)


def _noted(voice: Voice, notes: dict[str, str], aliases: dict[str, tuple[str, ...]]) -> Voice:
    note = notes.get(voice.language.split("-")[0], "")
    return msgspec.structs.replace(voice, note=note, aliases=aliases.get(voice.id, ()))


def _parsed(path: Path) -> CatalogSpec:
    return parse(_read(path), str(path))


def _parts() -> Iterator[CatalogSpec]:
    """Yield each backend's part of the catalog; one whose part is wrong is broken, and left out."""
    for name in tuple(BACKENDS):
        path = BACKENDS.catalog_file(name)
        if path is not None:
            try:
                yield _parsed(path)
            except ConfigError as error:
                BACKENDS.set_broken(name, str(error))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="it must be UTF-8, and readable") from error


def packaged_file() -> Path:
    """Return models.yaml beside the installed package, or at the top of a checkout."""
    package = Path(slimvoice.__file__).parent
    inside = package / "models.yaml"
    return inside if inside.is_file() else package.parent / "models.yaml"


def _alternates(pin: PinSpec, key: str) -> tuple[Alternate, ...]:
    return tuple(
        Alternate(parts=tuple(_part(part, key) for part in spec.parts), recipe=spec.recipe) for spec in pin.alternates
    )


def _part(spec: PartSpec, key: str) -> PackagePart:
    if spec.pypi is not None:
        package, _, version = spec.pypi.partition("==")
    else:
        package, _, version = (spec.npm or "").rpartition("@")
    members = tuple(name.replace("{}", key) for member in spec.members for name in _numbered(member))
    return PackagePart(index="pypi" if spec.pypi else "npm", package=package, version=version, members=members)


def _numbered(member: str) -> list[str]:
    """Expand `part{0-6}.bin` into its seven names."""
    if not (match := _RANGE.search(member)):
        return [member]
    first, last = int(match[1]), int(match[2])
    return [member[: match.start()] + str(number) + member[match.end() :] for number in range(first, last + 1)]


def _fields(family: ModelSpec, variant: str) -> dict[str, str]:
    fields = {"variant": variant} if variant else {}
    if family.pattern:
        match = re.fullmatch(family.pattern, variant)
        if match is None:
            raise ConfigError(f"{family.name}:{variant} does not fit the pattern of its family")
        fields |= {key: value for key, value in match.groupdict().items() if value is not None}
    return fields


def _fill(rule: str, fields: dict[str, str], name: str) -> str:
    try:
        path = rule.format_map(fields)
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigError(f"model {name}: the path {rule!r} has an unknown placeholder") from error
    if path.startswith("/") or ".." in path.split("/"):
        raise ConfigError(f"model {name}: the path {path!r} leaves its repository")
    return path


def _languages(family: ModelSpec, spec: VariantSpec, fields: dict[str, str]) -> tuple[str, ...]:
    if spec.languages is not None:
        return tuple(spec.languages)
    if family.languages:
        return (*family.languages, *spec.more_languages)
    if "lang" in fields:
        return (fields["lang"],)
    return tuple(dict.fromkeys(tag.split("-")[0] for tag in family.voices))


def _voices(family: ModelSpec, fields: dict[str, str]) -> tuple[Voice, ...]:
    if "voice" in fields:
        tag = "-".join(part for part in (fields.get("lang", ""), fields.get("region", "")) if part)
        return (Voice(id=fields["voice"], language=tag, name=fields["voice"]),)
    return tuple(
        Voice(id=voice, language=tag, name=voice.partition("_")[2] or voice, gender=_GENDERS[gender])
        for tag, genders in family.voices.items()
        for gender, names in genders.items()
        for voice in names
    )


_GENDERS: dict[str, Literal["female", "male", ""]] = {"female": "female", "male": "male", "other": ""}
