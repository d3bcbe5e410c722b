"""What is written in figures and signs, and how it is said in English: kind by kind, and what must stay as it is."""
# ruff: noqa: RUF001, E501 - signs of many kinds; one case, one line

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.backends.tts import phonemizer
from slimvoice.text.chunking import chunk_text
from slimvoice.text.cleanup import clean, clean_for_speech
from slimvoice.text.normalize import normalize


def said(written: str, language: str = "en-us") -> str:
    """Return `written` as it goes to the phonemizer, on one line."""
    return " ".join(" ".join(normalize(piece.text, language) for piece in chunk_text(clean(written))).split())


def each(*cases: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("written", "expected"), cases, ids=[written[:40] for written, _ in cases])


# --- compatibility characters ---------------------------------------------------------------------


@each(
    ("the oﬃce ﬁle", "the office file"),
    ("Ｈｅｌｌｏ　ｗｏｒｌｄ", "Hello world"),
    ("It is 25℃ outside, 77℉.", "It is 25 degrees Celsius outside, 77 degrees Fahrenheit."),
    ("Chapter Ⅳ begins.", "Chapter 4 begins."),
    ("un\u00adbe\u00adliev\u00adable", "unbelievable"),
    ("word\u2060joiner, \ufeffmark", "wordjoiner, mark"),
    ("￥100, ￡5", "100 yen, 5 pounds"),
    ("𝓗𝓮𝓵𝓵𝓸 𝐰𝐨𝐫𝐥𝐝", "Hello world"),
    ("ʜᴇʟʟᴏ", "HELLO"),
    ("① Buy ② Call", "1 Buy 2 Call"),
    ("H₂O and CO₂", "H2O and CO2"),
    ("5㎡, 3㎞, 2㎏", "5 square meters, 3 kilometers, 2 kilograms"),
    ("Nguyễn Văn Đức spoke.", "Nguyen Văn Duc spoke."),
    ("café, naïve, Müller, Łódź, Dvořák", "café, naïve, Müller, Łódź, Dvořák"),
    ("a&nbsp;b &amp; c &#8364;5", "a b & c 5 euros"),
    ("R&D, AT&T; x&y", "R&D, AT&T; x&y"),
)
def test_letters_of_compatibility_are_plain_letters(written: str, expected: str) -> None:
    assert said(written) == expected


def test_vietnamese_keeps_its_letters() -> None:
    assert said("Nguyễn Văn Đức", "vi") == "Nguyễn Văn Đức"


def test_full_width_marks_stay_for_those_who_end_clauses_with_them() -> None:
    assert clean("你好，世界！３．５　１０：３０") == "你好，世界！3.5 10:30"


# --- signs ----------------------------------------------------------------------------------------


@each(
    ("!!! Ok.", "Ok."),
    ("(!) Note this.", "Note this."),
    (": ok then", "ok then"),
    ("...and then he left.", "and then he left."),
    ("He wrote [...] to her.", "He wrote to her."),
    ("It ended.Next one began.", "It ended. Next one began."),
    ("Really?Yes, he did.", "Really? Yes, he did."),
    ("He left Paris.Then it rained.", "He left Paris. Then it rained."),
    ("E = mc²", "E equals m c squared"),
    ("x² + y³ = z", "x squared plus y cubed equals z"),
    ("10⁶ or 2^10", "10 to the power of 6 or 2 to the power of 10"),
    ("a footnote² here.³", "a footnote here."),
    ("x ≤ 10, y ≥ 2, z ≠ 3", "x less than or equal to 10, y greater than or equal to 2, z not equal to 3"),
    ("5 ± 2, ≈7", "5 plus or minus 2, about 7"),
    ("5 × 3 = 15", "5 times 3 equals 15"),
    ("10 × 15 cm, 1920×1080, 3x4", "10 by 15 centimeters, 1920 by 1080, 3 by 4"),
    ("10-5=5", "10 minus 5=5"),
    ("5‰ of it", "5 per mille of it"),
    ("№ 5 and §3", "number 5 and section 3"),
    ("<5 and >10", "less than 5 and more than 10"),
    ("Home → Settings -> Wi-Fi", "Home, Settings, Wi-Fi"),
    ("only .5 left", "only 0.5 left"),
    ("10 000 km, 1\u00a0000\u00a0000 people", "10,000 kilometers, 1,000,000 people"),
)
def test_signs_are_said_or_left_out(written: str, expected: str) -> None:
    assert said(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "Hello !",
        "What?! No!",
        '"Hello", she said. "Yes."',
        "'Well', he said.",
        "Try Node.js or ASP.Net.",
        "Use Console.WriteLine here.",
        "room 12, page 12 300 people",
        "in 2025 or C++ and C#",
        "Version 3.11, v2.0 and 3.11.2",
        "192.168.1.1 and 10.0.0.1",
        "COVID-19, F-16, B-52, 3-D, 7-Eleven, GPT-4, A4, MP3, 4K, 5G and 3D",
        "use --help now",
        "snake_case and kebab-case",
        "He said 5. Then he left.",
        "Paris–London",
    ],
)
def test_what_is_right_already_stays(written: str) -> None:
    assert said(written).replace(" 20 25 ", " 2025 ") == written


# --- ranges, fractions ----------------------------------------------------------------------------


@each(
    ("Open 9am-5pm.", "Open 9 AM to 5 PM."),
    ("Open 9:00-17:00.", "Open 9 o'clock to 17 hundred."),
    ("at 9–11 a.m. or 5 p.m.-6 p.m.", "at 9 to 11 AM or 5 PM to 6 PM."),
    ("It costs $1-2 million.", "It costs 1 to 2 million dollars."),
    ("$5-$10, £3–5", "5 to 10 dollars, 3 to 5 pounds"),
    ("Mon-Fri only.", "Monday to Friday only."),
    ("Jan-Mar and Sat–Sun", "January to March and Saturday to Sunday"),
    ("50-60%, 10%-20%", "50 to 60%, 10% to 20%"),
    ("5-10 km, 5km-10km, 20–25°C", "5 to 10 kilometers, 5 kilometers to 10 kilometers, 20 to 25 degrees Celsius"),
    ("1914-1918, 1990-95, 2020–21", "19 14 to 19 18, 19 90 to 95, 20 20 to 21"),
    ("1.5-2.5 and 1,000-2,000", "1.5 to 2.5 and 1,000 to 2,000"),
    ("won 3-1", "won 3 to 1"),
    ("5 - 3 and 3 - 5", "5 minus 3 and 3 to 5"),
    ("ZIP 94105-1234.", "ZIP 9 4 1 0 5, 1 2 3 4."),
    ("Order #12345-67 shipped.", "Order number 12345 dash 67 shipped."),
    ("a 16:9 screen, 3:1", "a 16 to 9 screen, 3 to 1"),
    ("a 5-year-old", "a 5-year-old"),
)
def test_ranges(written: str, expected: str) -> None:
    assert said(written) == expected


@each(
    ("Add 2 1/2 cups.", "Add 2 and a half cups."),
    ("Add 2½ cups and ¾ of it.", "Add 2 and a half cups and three quarters of it."),
    ("1 1/8 and 5/8", "1 and an eighth and 5 eighths"),
    ("We offer 24/7 support.", "We offer 24 7 support."),
    ("after 9/11, split 50/50", "after 9 11, split 50 50"),
    ("rated 8/10", "rated 8 out of 10"),
    ("on 3/4 we met", "on March 4th we met"),
    ("5/99", "5/99"),
    ("1 1/2 km, 1/2 mi", "1 and a half kilometers, one half mile"),
)
def test_fractions(written: str, expected: str) -> None:
    assert said(written) == expected


# --- telephone ------------------------------------------------------------------------------------


@each(
    ("Call 1-800-555-0199 now.", "Call 1, 8 0 0, 5 5 5, 0 1 9 9 now."),
    ("Call +1 555 123 4567.", "Call plus 1, 5 5 5, 1 2 3, 4 5 6 7."),
    ("Call +44 20 7946 0958.", "Call plus 4 4, 2 0, 7 9 4 6, 0 9 5 8."),
    ("+49 (0)30 123456, +14155550100", "plus 4 9, 0, 3 0, 1 2 3 4 5 6, plus 1 4 1 5 5 5 5 0 1 0 0"),
    ("Ring 020 7946 0958 or 123 456 7890", "Ring 0 2 0, 7 9 4 6, 0 9 5 8 or 1 2 3, 4 5 6, 7 8 9 0"),
    ("Card 4111 1111 1111 1111.", "Card 4 1 1 1, 1 1 1 1, 1 1 1 1, 1 1 1 1."),
    ("SSN 123-45-6789", "SSN 1 2 3, 4 5, 6 7 8 9"),
    ("+5 points, +10 and 12345", "+5 points, +10 and 12345"),
    ("in 2019 2020 2021 2022", "in 20 19 20 20 20 21 20 22"),
)
def test_telephone_numbers_are_read_digit_by_digit(written: str, expected: str) -> None:
    assert said(written) == expected


# --- dates and times ------------------------------------------------------------------------------


@each(
    ("Due Jan. 5, 2024.", "Due January 5, 20 24."),
    ("Due 5 Nov 2020.", "Due 5 November 20 20."),
    ("Due 5-Nov-2020, Sept. 3rd, Feb 2021", "Due 5 November 20 20, September 3rd, February 20 21"),
    ("We met in Dec. It rained.", "We met in Dec. It rained."),
    ("Aug. 12-14", "August 12 to 14"),
    ("Mon., Sept. 3, and Tue 5pm", "Monday, September 3, and Tuesday 5 PM"),
    ("Mon, Wed and Fri", "Monday, Wednesday and Friday"),
    ("The Sun is hot, I sat, Jan is here", "The Sun is hot, I sat, Jan is here"),
    ("The mid-1990s were loud.", "The mid-19 nineties were loud."),
    ("the '90s and the early 80s, in his 20s", "the nineties and the early eighties, in his 20s"),
    ("pre-1950", "pre-19 50"),
    ("Lap time 1:02:03.", "Lap time 1 hour 2 minutes 3 seconds."),
    ("at 10:15:30 or 10:15:30 PM", "at 10 15 and 30 seconds or 10 15 and 30 seconds PM"),
    ("2024-01-05T10:30:00Z", "January 5th, 20 24 at 10 30 and 0 seconds"),
    ("John 3:16, 10:30am, 12 a.m.", "John 3 16, 10 30 AM, 12 AM."),
    ("1850 km, 1500 people, 1984", "1850 kilometers, 1500 people, 19 84"),
)
def test_dates_and_times(written: str, expected: str) -> None:
    assert said(written) == expected


# --- units ----------------------------------------------------------------------------------------


@each(
    ("a 10m pool", "a 10 meter pool"),
    ("a 10-km run and a 6-ft man", "a 10 kilometer run and a 6 foot man"),
    ("Add 500 g flour.", "Add 500 grams flour."),
    ("Wait 5 sec.", "Wait 5 seconds."),
    ("It takes 2 hrs. of work.", "It takes 2 hours of work."),
    ("5 lbs. The end.", "5 pounds. The end."),
    ("Drink 1 L daily.", "Drink 1 liter daily."),
    ("It is 5 m² large, 5 m2, 500 sq. ft. big", "It is 5 square meters large, 5 square meters, 500 square feet big"),
    ("Runs at 5 GB/s.", "Runs at 5 gigabytes per second."),
    (
        "A 100 Mbps line, 3 m/s, 9.8 m/s²",
        "A 100 megabits per second line, 3 meters per second, 9.8 meters per second squared",
    ),
    ("60 km/h, 10 mg/dL, 5µg", "60 kilometers per hour, 10 milligrams per deciliter, 5 micrograms"),
    ('a 12" ruler, 12" x 8"', "a 12 inch ruler, 12 inches x 8 inches"),
    ("a 5'10\" man, 6' tall", "a 5 foot 10 man, 6 feet tall"),
    ('He said "I have 12" and left.', 'He said "I have 12" and left.'),
    ("40.7°N, 74° W, 45°", "40.7 degrees north, 74 degrees west, 45°"),
    ("-5 °C", "minus 5 degrees Celsius"),
    ("12V, 60Hz, 3 dB, 5 kWh", "12 volts, 60 hertz, 3 decibels, 5 kilowatt hours"),
    ("5M users, 10k followers", "5 million users, 10 thousand followers"),
    ("a 10k run, 3M makes tape, 4K TV, 5G", "a 10k run, 3M makes tape, 4K TV, 5G"),
    ("5 in all, 5 bar, the 60s, 30s timeout", "5 in all, 5 bar, the sixties, 30s timeout"),
    ("in the 10 m of it", "in the 10 meters of it"),
)
def test_units(written: str, expected: str) -> None:
    assert said(written) == expected.replace("45°", "45 degrees")


# --- money ----------------------------------------------------------------------------------------


@each(
    ("It costs $.99.", "It costs 99 cents."),
    ("It costs ₽500.", "It costs 500 rubles."),
    ("He made $3MM.", "He made 3 million dollars."),
    ("$5k, $2T, $1.5bn", "5 thousand dollars, 2 trillion dollars, 1.5 billion dollars"),
    ("5 USD, EUR 20, 20 CHF, Rs. 500, R$5", "5 dollars, 20 euros, 20 Swiss francs, 500 rupees, 5 reais"),
    ("₩100, ₺5, ₿2, 50¢", "100 won, 5 lira, 2 bitcoins, 50 cents"),
    ("$20/month, $5/hr", "20 dollars per month, 5 dollars per hour"),
    ("a $5 bill, a $5 million deal, a $5 from him", "a 5 dollar bill, a 5 million dollar deal, a 5 dollars from him"),
    ("$100+, (-$5)", "100 dollars plus, (minus 5 dollars)"),
    ("€3,50, 5,50 €", "3,50 euros, 5,50 euros"),
    ("$1.2345, $10,000.", "1.2345 dollars, 10,000 dollars."),
)
def test_money(written: str, expected: str) -> None:
    assert said(written) == expected


# --- abbreviations, Roman numerals ----------------------------------------------------------------


@each(
    ("Lakers vs Celtics", "Lakers versus Celtics"),
    ("She has a Ph.D. in law.", "She has a P H D in law."),
    ("He got a Ph.D. He left.", "He got a P H D. He left."),
    ("See p. 5 of it, pp. 5-7.", "See page 5 of it, pages 5 to 7."),
    ("See Fig. 3 now.", "See Figure 3 now."),
    ("Built est. 1990.", "Built established 19 90."),
    ("It costs est. $5.", "It costs estimated 5 dollars."),
    ("Call ext. 12.", "Call extension 12."),
    ("vol. 2, ch. 3, c. 1990", "volume 2, chapter 3, circa 19 90"),
    ("a.k.a. Bob, cf. this", "also known as Bob, compare this"),
    ("Was it p. or f.? I ate a fig. Then I left.", "Was it p. or f.? I ate a fig. Then I left."),
)
def test_abbreviations(written: str, expected: str) -> None:
    assert said(written) == expected


@each(
    ("World War II ended.", "World War 2 ended."),
    ("World War I was long.", "World War 1 was long."),
    ("Thutmose II was king.", "Thutmose the second was king."),
    ("Chapter IV begins here.", "Chapter 4 begins here."),
    ("Louis XIV was the Sun King.", "Louis the fourteenth was the Sun King."),
    ("Pope John Paul II and Henry V.", "Pope John Paul the second and Henry the fifth."),
    ("Rocky II, Apollo XIII, Super Bowl LVIII", "Rocky 2, Apollo 13, Super Bowl 58"),
    ("Type II, Part I.", "Type 2, Part 1."),
    ("II. Results", "2. Results"),
    ("Start IV fluids, an IV drip", "Start I V fluids, an IV drip"),
    ("Malcolm X, Vitamin C, Plan V, I think", "Malcolm X, Vitamin C, Plan V, I think"),
    ("In Section I agree. Henry I like.", "In Section I agree. Henry I like."),
    ("MIX, CIVIC, XL, CD, DVD", "MIX, CIVIC, XL, CD, DVD"),
)
def test_roman_numerals(written: str, expected: str) -> None:
    assert said(written) == expected


# --- pauses ---------------------------------------------------------------------------------------


def clauses(written: str, language: str = "en-us") -> list[str]:
    """Return the words between pauses, as phonemes without stress."""
    found, held = [], ""
    for piece in chunk_text(clean_for_speech(written)):
        parts = phonemizer.clauses(normalize(piece.text, language), language)
        for number, (phonemes, mark) in enumerate(parts):
            held += "".join(phonemes.translate(str.maketrans("", "", "ˈˌː ")))
            if mark or (number == len(parts) - 1 and piece.boundary != "word"):
                found.append(held)
                held = ""
    return [part for part in (*found, held) if part]


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("He was—finally—home.", ["He was", "finally", "home."]),
        ("What key--the key.", ["What key", "the key."]),
        ("We walked - slowly - home.", ["We walked", "slowly", "home."]),
        ("No...yes I do.", ["No", "yes I do."]),
        ("1. Buy milk\n2. Call mom\n3. Walk the dog", ["1.", "Buy milk", "2.", "Call mom", "3.", "Walk the dog"]),
        ("Chapter One\nIt was a dark night.", ["Chapter One", "It was a dark night."]),
        ("Milk\nEggs\nBread", ["Milk", "Eggs", "Bread"]),
        ("Dear Anna,\nThank you.\nYours", ["Dear Anna,", "Thank you.", "Yours"]),
        ("a) Open it\nb) Close it", ["A.", "Open it", "B.", "Close it"]),
        ("The weather in the north of the\nCountry is cold.", ["The weather in the north of the Country is cold."]),
        ("The quick brown fox jumps over the lazy dog\nand runs away.", ["The quick brown fox jumps over the lazy dog and runs away."]),
        ("well-known two-thirds", ["well-known two-thirds"]),
    ],
)  # fmt: skip
def test_the_text_pauses_where_it_is_written(written: str, parts: list[str]) -> None:
    def sound(text: str) -> str:
        found = phonemizer.clauses(text, "en-us")
        return "".join("".join(p.translate(str.maketrans("", "", "ˈˌː "))) for p, _ in found)

    assert clauses(written) == [sound(part) for part in parts]


@given(st.text(alphabet=st.sampled_from(list("0159.,:/-–—$€ apmkgDrStIVX()@%x='\"°²\n#~+h")), max_size=60))
def test_any_figures_are_said_without_failing(written: str) -> None:
    for language in ("en-us", "de", "fr", "es", "ja", "cmn", "hi"):
        assert isinstance(said(written, language), str)


@pytest.mark.parametrize(
    "unit",
    ["1 ", "1-", "1/", "I ", "XIV ", "1:", "$1-", "5' ", '1"', "p. ", "+1 ", "1 000 ", "°", "—", "\n", "A.B.", "²"],
)
def test_hostile_figures_take_bounded_time(unit: str) -> None:
    started = time.process_time()
    normalize((unit * 4096)[:4096], "en")  # a piece is far shorter
    normalize((unit * 4096)[:4096], "de")
    assert time.process_time() - started < 5


@each(
    ("Type I error. In Section I agree. Act I.", "Type 1 error. In Section I agree. Act 1."),
    ("chapter iv, p. xii", "chapter 4, page 12"),
    ("10am-noon, June-August, Monday-Friday", "10 AM to noon, June to August, Monday to Friday"),
    ("-5--3, 20-20, 8−3, −5 °C", "minus 5 to minus 3, 20 20, 8 minus 3, minus 5 degrees Celsius"),
    ("It weighs 5 kg. 3 of them.", "It weighs 5 kilograms. 3 of them."),
    ("1/3rd, 1/100 s, 1/10 of it", "one third, one hundredth second, one tenth of it"),
    ("2020/01/05, 04.03.2021, 12/2024", "January 5th, 20 20, March 4th, 20 21, December 20 24"),
    ("3:45:10 pm, 59:59, Genesis 1:1", "3 45 and 10 seconds PM, 59 59, Genesis 1 1"),
    ("202-555-0143 x5, 07700 900123", "2 0 2, 5 5 5, 0 1 4 3 extension 5, 0 7 7 0 0, 9 0 0 1 2 3"),
    ("8005550199, 1-800-FLOWERS, 1,234,567,890", "8 0 0 5 5 5 0 1 9 9, 1, 8 0 0, FLOWERS, 1,234,567,890"),
    ("60 beats/min, 20 mg/ml, 5 l/100 km", "60 beats per minute, 20 milligrams per milliliter, 5 liters per 100 kilometers"),
    ("$5mil, ₹1 lakh", "5 million dollars, 1 lakh rupees"),
    ("Smith vs. Mrs. Jones, Ft. Worth", "Smith versus Missus Jones, Fort Worth"),
    ("10⁻⁹", "10 to the power of minus 9"),
    ("Hi,there. \"Done.\"Then he left. Mr.Smith", "Hi, there. \"Done.\" Then he left. Mister Smith"),
    ("•Eat\n•Sleep", "Eat Sleep"),
    ("1) Eat\n2) Sleep", "1. Eat. 2. Sleep"),
)  # fmt: skip
def test_further_figures_of_all_kinds(written: str, expected: str) -> None:
    assert said(written) == expected
