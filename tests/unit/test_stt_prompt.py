from __future__ import annotations

from slimvoice.backends.stt.prompt import Prompt


class Letters:
    """A tokenizer that makes a token of each character."""

    max_prompt_tokens = 20
    eot = 1000

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))[-self.max_prompt_tokens :]


def text_of(prompt: Prompt) -> str:
    return "".join(map(chr, prompt.tokens()))


def test_nothing_asked_is_no_prompt() -> None:
    assert Prompt(Letters(), " ", ("", " "), carry_text=True).tokens() == ()


def test_prompt_begins_with_a_space_as_whisper_was_taught() -> None:
    assert text_of(Prompt(Letters(), " hello ", (), carry_text=True)) == " hello"


def test_what_was_said_follows_and_pushes_the_oldest_out() -> None:
    prompt = Prompt(Letters(), "hello", (), carry_text=True)
    prompt.add([*map(ord, " " + "x" * 18), Letters.eot], 0.0)
    assert text_of(prompt) == "o " + "x" * 18


def test_keywords_stay_however_much_is_said() -> None:
    prompt = Prompt(Letters(), "", ("Oz", "Io"), carry_text=True)
    prompt.add(list(map(ord, "x" * 50)), 0.0)
    assert text_of(prompt) == " Oz, Io." + "x" * 12


def test_many_keywords_leave_room_for_what_was_said() -> None:
    prompt = Prompt(Letters(), "", tuple("abcdefghijkl"), carry_text=True)
    prompt.add(list(map(ord, "y" * 50)), 0.0)
    assert len(prompt.tokens()) == 20
    assert text_of(prompt).endswith("y" * 10)


def test_wild_guess_is_not_passed_on() -> None:
    prompt = Prompt(Letters(), "hello", (), carry_text=True)
    prompt.add(list(map(ord, "noise")), 0.8)
    assert prompt.tokens() == ()


def test_text_is_not_carried_when_switched_off() -> None:
    prompt = Prompt(Letters(), "", ("Oz",), carry_text=False)
    prompt.add(list(map(ord, "said")), 0.0)
    assert text_of(prompt) == " Oz."
