from __future__ import annotations

from slimvoice.backends.whisper_cpp.prompt import Prompt


class Letters:
    """A tokenizer that makes a token of each character."""

    max_prompt_tokens = 20
    eot = 1000

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))[-self.max_prompt_tokens :]


def text_of(prompt: Prompt) -> str:
    return "".join(map(chr, prompt.tokens()))


def test_nothing_asked_is_no_prompt() -> None:
    assert Prompt(Letters(), " ", ("", " "), 8).tokens() == ()


def test_prompt_begins_with_a_space_as_whisper_was_taught() -> None:
    assert text_of(Prompt(Letters(), " hello ", (), 8)) == " hello"


def test_keywords_follow_the_prompt_as_a_list() -> None:
    assert text_of(Prompt(Letters(), "hi", ("Oz", " Io "), 8)) == " hi Oz, Io."


def test_prompt_stays_and_the_end_of_what_was_said_follows() -> None:
    prompt = Prompt(Letters(), "hello", (), 4)
    prompt.add([*map(ord, " first words"), Letters.eot], 0.0)
    prompt.add([Letters.eot + 1, *map(ord, " and more"), Letters.eot], 0.0)
    assert text_of(prompt) == " hellomore"


def test_of_an_overlong_prompt_the_end_counts() -> None:
    prompt = Prompt(Letters(), "x" * 30, ("Oz",), 4)
    assert text_of(prompt) == "x" * 16 + " Oz."
    prompt.add(list(map(ord, "said")), 0.0)
    assert text_of(prompt) == "x" * 12 + " Oz." + "said"


def test_wild_guess_is_not_passed_on() -> None:
    prompt = Prompt(Letters(), "hello", (), 8)
    prompt.add(list(map(ord, "noise")), 0.8)
    assert text_of(prompt) == " hello"


def test_nothing_is_carried_when_switched_off() -> None:
    prompt = Prompt(Letters(), "", ("Oz",), 0)
    prompt.add(list(map(ord, "said")), 0.0)
    assert text_of(prompt) == " Oz."
