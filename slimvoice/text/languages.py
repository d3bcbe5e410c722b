"""Whisper's languages: ISO 639 code and the English name that OpenAI's verbose_json says. Pure.

Source: https://github.com/openai/whisper/blob/main/whisper/tokenizer.py
"""

from __future__ import annotations

from slimvoice.errors import InvalidRequest

LANGUAGE_NAMES: dict[str, str] = {
    "en": "english", "zh": "chinese", "de": "german", "es": "spanish", "ru": "russian", "ko": "korean",
    "fr": "french", "ja": "japanese", "pt": "portuguese", "tr": "turkish", "pl": "polish", "ca": "catalan",
    "nl": "dutch", "ar": "arabic", "sv": "swedish", "it": "italian", "id": "indonesian", "hi": "hindi",
    "fi": "finnish", "vi": "vietnamese", "he": "hebrew", "uk": "ukrainian", "el": "greek", "ms": "malay",
    "cs": "czech", "ro": "romanian", "da": "danish", "hu": "hungarian", "ta": "tamil", "no": "norwegian",
    "th": "thai", "ur": "urdu", "hr": "croatian", "bg": "bulgarian", "lt": "lithuanian", "la": "latin",
    "mi": "maori", "ml": "malayalam", "cy": "welsh", "sk": "slovak", "te": "telugu", "fa": "persian",
    "lv": "latvian", "bn": "bengali", "sr": "serbian", "az": "azerbaijani", "sl": "slovenian", "kn": "kannada",
    "et": "estonian", "mk": "macedonian", "br": "breton", "eu": "basque", "is": "icelandic", "hy": "armenian",
    "ne": "nepali", "mn": "mongolian", "bs": "bosnian", "kk": "kazakh", "sq": "albanian", "sw": "swahili",
    "gl": "galician", "mr": "marathi", "pa": "punjabi", "si": "sinhala", "km": "khmer", "sn": "shona",
    "yo": "yoruba", "so": "somali", "af": "afrikaans", "oc": "occitan", "ka": "georgian", "be": "belarusian",
    "tg": "tajik", "sd": "sindhi", "gu": "gujarati", "am": "amharic", "yi": "yiddish", "lo": "lao",
    "uz": "uzbek", "fo": "faroese", "ht": "haitian creole", "ps": "pashto", "tk": "turkmen", "nn": "nynorsk",
    "mt": "maltese", "sa": "sanskrit", "lb": "luxembourgish", "my": "myanmar", "bo": "tibetan", "tl": "tagalog",
    "mg": "malagasy", "as": "assamese", "tt": "tatar", "haw": "hawaiian", "ln": "lingala", "ha": "hausa",
    "ba": "bashkir", "jw": "javanese", "su": "sundanese", "yue": "cantonese",
}  # fmt: skip

_OTHER_NAMES = {
    "burmese": "my", "castilian": "es", "flemish": "nl", "haitian": "ht", "letzeburgesch": "lb", "mandarin": "zh",
    "moldavian": "ro", "moldovan": "ro", "panjabi": "pa", "pushto": "ps", "sinhalese": "si", "valencian": "ca",
    "nb": "no", "iw": "he", "in": "id", "jv": "jw", "fil": "tl",
}  # fmt: skip

_CODES = {name: code for code, name in LANGUAGE_NAMES.items()} | _OTHER_NAMES


def language_name(code: str) -> str:
    """Return the English name in lower case (`english`); a code not known stays itself."""
    return LANGUAGE_NAMES.get(code, code)


def parse_language(text: str | None, param: str = "language") -> str | None:
    """Return the code of a language that a request names, None to detect it; raises InvalidRequest."""
    if text is None or text.strip().casefold() in {"", "auto"}:
        return None
    code = language_code(text)
    if code is None:
        raise InvalidRequest(f"unknown language {text!r}", hint="use an ISO 639-1 code such as en", param=param)
    return code


def language_code(text: str) -> str | None:
    """Return the code that `en`, `EN-us`, `en_US` or `English` means; None when it means none."""
    wanted = text.strip().casefold()
    if wanted in _CODES:
        return _CODES[wanted]
    primary = wanted.replace("_", "-").partition("-")[0]
    return primary if primary in LANGUAGE_NAMES else _CODES.get(primary)
