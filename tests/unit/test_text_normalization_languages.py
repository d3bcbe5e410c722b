"""What is written in figures and signs, and how it is said in the languages besides English."""
# ruff: noqa: RUF001, E501 - words of many languages; one case, one line

from __future__ import annotations

import pytest

from slimvoice.text.chunking import chunk_text
from slimvoice.text.cleanup import clean
from slimvoice.text.normalize import normalize


def said(written: str, language: str) -> str:
    """Return `written` as it goes to the phonemizer, on one line."""
    return " ".join(" ".join(normalize(piece.text, language) for piece in chunk_text(clean(written))).split())


@pytest.mark.parametrize(
    ("language", "written", "expected"),
    [
        ("de", "z.B. Dr. Müller, z. B. so, d. h. nie", "zum Beispiel Doktor Müller, zum Beispiel so, das heißt nie"),
        ("de", "am 3. Mai 2025, der 3. Mai, Berlin, 3. Mai", "am dritten Mai 2025, der dritte Mai, Berlin, dritter Mai"),
        ("de", "im 20. Jahrhundert, der 2. Weltkrieg", "im zwanzigsten Jahrhundert, der zweite Weltkrieg"),
        ("de", "Ludwig XIV. war König. Kapitel IV.", "Ludwig der Vierzehnte war König. Kapitel 4."),
        ("de", "Er ist 5. Dann ging er.", "Er ist 5. Dann ging er."),
        ("de", "1.234,56 €, 1 €, 5 Mio. €, CHF 20", "1.234 Euro und 56 Cent, ein Euro, 5 Millionen Euro, 20 Franken"),
        ("de", "um 14:30 Uhr oder 9:00 Uhr", "um 14 Uhr 30 oder 9 Uhr"),
        ("de", "am 3.4.2025 und 2025-04-03", "am dritten April 2025 und dritter April 2025"),
        ("de", "5 km, 1 h, 3,5 kg, -5 °C, 5 m², 100 km/h", "5 Kilometer, eine Stunde, 3,5 Kilogramm, minus 5 Grad Celsius, 5 Quadratmeter, 100 Kilometer pro Stunde"),
        ("de", "10-20 Personen, S. 5, Nr. 3, bzw. usw.", "10 bis 20 Personen, Seite 5, Nummer 3, beziehungsweise und so weiter."),
        ("de", "x ≤ 5, 3 × 4 = 12, 2 1/2 l", "x kleiner oder gleich 5, 3 mal 4 gleich 12, 2 und ein halb Liter"),
        ("de", "Version 3.11, 192.168.1.1, COVID-19", "Version 3.11, 192.168.1.1, COVID-19"),
        ("es", "Felipe VI habla, Alfonso XIII, Isabel II", "Felipe sexto habla, Alfonso 13, Isabel segunda"),
        ("es", "siglo XX, capítulo IV, mi CD", "siglo 20, capítulo 4, mi CD"),
        ("es", "-5 grados, 5 km, 1 h, 20 °C", "menos 5 grados, 5 kilómetros, una hora, 20 grados Celsius"),
        ("es", "1.234,56 €, $5, 5 millones €", "1.234 euros y 56 céntimos, 5 dólares, 5 millones de euros"),
        ("es", "10-20, 3/4/2025, 2 1/2", "10 a 20, 3 de abril de 2025, 2 y medio"),
        ("es", "Sr. López, EE. UU. y etc.", "señor López, Estados Unidos y etcétera."),
        ("es", "pág. 5, n.º 3", "página 5, número 3"),
        ("fr-fr", "Il fait -5 °C.", "Il fait moins 5 degrés Celsius."),
        ("fr", "Louis XIV, François Ier, XXe siècle, 2e étage", "Louis 14, François premier, vingtième siècle, deuxième étage"),
        ("fr", "14h30, 9h, 1h, 14:30", "14 heures 30, 9 heures, une heure, 14 heures 30"),
        ("fr", "1 234,56 €, 5 millions €, 1/5/2025", "1 234 euros et 56 centimes, 5 millions d'euros, premier mai 2025"),
        ("fr", "10-20, 2 1/2, x ≤ 5, n° 3, p. 5", "10 à 20, 2 et demi, x inférieur ou égal à 5, numéro 3, page 5"),
        ("fr", "M. Dupont et Mme Curie", "monsieur Dupont et madame Curie"),
        ("fr", "Bonjour ! Ça va ? J'ai 5 m'a", "Bonjour ! Ça va ? J'ai 5 m'a"),
        ("it", "5 km, -5 °C, 1.234,56 €, 10-20", "5 chilometri, meno 5 gradi Celsius, 1.234 euro e 56 centesimi, 10 a 20"),
        ("it", "3/4/2025, Sig. Rossi, ad es. questo, pag. 5", "3 aprile 2025, signor Rossi, ad esempio questo, pagina 5"),
        ("it", "alle 5 mi chiama, Vittorio Emanuele II", "alle 5 mi chiama, Vittorio Emanuele II"),
        ("pt-br", "R$ 1.234,56, US$ 5, R$ 5 milhões", "1.234 reais e 56 centavos, 5 dólares, 5 milhões de reais"),
        ("pt-br", "10-20, 14h30, 9h, 3/4/2025, 5 m²", "10 a 20, 14 e 30, 9 horas, 3 de abril de 2025, 5 metros quadrados"),
        ("pt-br", "Sr. Silva, pág. 5, D. João VI", "senhor Silva, página 5, D. João VI"),
        ("hi", "₹500 दो, -5 डिग्री", "500 रुपये दो, माइनस 5 डिग्री"),
        ("hi", "₹1,234.56, ₹5 लाख, 5 km, 5 किमी", "1,234 रुपये और 56 पैसे, 5 लाख रुपये, 5 किलोमीटर, 5 किलोमीटर"),
        ("hi", "2 1/2, 3 1/2, 10-20, 9:00", "ढाई, साढ़े 3, 10 से 20, 9 बजे"),
        ("hi", "डॉ. शर्मा आए।", "डॉक्टर शर्मा आए."),
        ("ja", "わたしは３０さいです。", "わたしは30さいです."),
        ("ja", "5kmあるく。¥1234、-5°C、10〜20、3%", "5キロメートルあるく. 1234えん, マイナスせっし5ど, 10から20, 3パーセント"),
        ("ja", "今日は2025/4/3、14:30です。", "今日は2025年4月3日, 14時30分です."),
        ("cmn", "今天-5℃，涨了3.5%，共¥100。", "今天负5摄氏度, 涨了百分之3.5, 共100元."),
        ("cmn", "2024-01-05 10:30，3-5个人，5km", "二零二四年1月5日 10点30分, 3到5个人, 5公里"),
        ("cmn", "3×4=12，1/2个，电话13812345678。", "3乘以4等于12, 二分之一个, 电话一三八一二三四五六七八."),
        ("de", "Mo-Fr 9:00-17:00 Uhr, vom 5.-7. Mai, am 5. Nov. 2020", "Montag bis Freitag 9 Uhr bis 17 Uhr, vom fünften bis siebten Mai, am fünften November 2020"),
        ("de", "Das war am 2. Mai. Um acht ging er.", "Das war am zweiten Mai. Um acht ging er."),
        ("de", "Der XX. Parteitag, am 1. und 2. Mai", "Der zwanzigste Parteitag, am ersten und zweiten Mai"),
        ("de", "5 €/Monat, 7 l/100 km, 5 Std., Hauptstr. 5", "5 Euro pro Monat, 7 Liter pro 100 Kilometer, 5 Stunden, Hauptstraße 5"),
        ("de", "1:02:03, 44 v. Chr. starb er", "eine Stunde 2 Minuten 3 Sekunden, 44 vor Christus starb er"),
        ("es", "lun-vie 9:00-17:00, 10 de ene. de 2020", "lunes a viernes 9:00 a 17:00, 10 de enero de 2020"),
        ("es", "5 €/mes, 100 Mbps, Sto. Tomás, Art. 5", "5 euros por mes, 100 megabits por segundo, santo Tomás, Artículo 5"),
        ("fr", "lun-ven 9h00-17h00, 1er janv. 2020, 2 Go, 22e", "lundi à vendredi 9 heures à 17 heures, premier janvier 2020, 2 gigaoctets, vingt-deuxième"),
        ("it", "1 h, lun-ven, 5 gen. 2020, 5 €/mese", "un'ora, lunedì a venerdì, 5 gennaio 2020, 5 euro al mese"),
        ("pt-br", "seg-sex 9h-17h, 5 de jan. de 2020, Dra. Ana", "segunda a sexta 9 horas a 17 horas, 5 de janeiro de 2020, doutora Ana"),
        ("hi", "₹50/किलो, रु. 500, 15/8/1947", "50 रुपये प्रति किलो, 500 रुपये, 15 अगस्त 1947"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_figures_and_signs_become_words_of_the_language(language: str, written: str, expected: str) -> None:
    assert said(written, language) == expected
