"""What a client calls a language, against the languages a whisper model knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from slimvoice.errors import InvalidRequest, Unsupported

# Tags and names that whisper's own table lacks, from OpenAI's tokenizer.py (TO_LANGUAGE_CODE) and BCP 47 practice.
_SYNONYMS = {
    "burmese": "my",
    "valencian": "ca",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "pushto": "ps",
    "panjabi": "pa",
    "moldavian": "ro",
    "moldovan": "ro",
    "sinhalese": "si",
    "castilian": "es",
    "mandarin": "zh",
    "cmn": "zh",
    "nb": "no",
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "jv": "jw",
    "mo": "ro",
    "fil": "tl",
}


def language_code(asked: str, known: Mapping[str, str]) -> str:
    """Return whisper's code of the language `asked` for: `en`, `English`, `en-US`, `zh_Hans_CN`.

    `known` maps the model's codes to English names. Raises InvalidRequest: whisper.cpp itself would silently guess.
    """
    name = asked.strip().lower().replace("_", "-")
    by_name = {full: code for code, full in known.items()}
    for candidate in (name, name.partition("-")[0]):
        code = _SYNONYMS.get(candidate, candidate)
        code = by_name.get(code, code)
        if code in known:
            return code
    raise InvalidRequest(
        f"the model does not know the language {asked!r}",
        hint="give an ISO 639-1 code such as en, de or ja, or leave it out to detect the language",
        param="language",
    )


def check_english_only(language: str | None, task: str, model: str) -> None:
    """Raise Unsupported for what an English-only model cannot do."""
    hint = f"use the multilingual model ({model.removesuffix('.en')})" if model.endswith(".en") else ""
    if task == "translate":
        raise Unsupported(f"{model} knows English only and cannot translate", hint=hint, param="model")
    if language not in (None, "en"):
        raise Unsupported(f"{model} knows English only", hint=hint, param="language")
