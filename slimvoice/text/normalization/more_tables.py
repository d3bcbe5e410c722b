"""The words of German, Hindi, Japanese and Chinese: signs, money, months, abbreviations."""
# ruff: noqa: E501 - signs and words of many scripts, some of them wide

from __future__ import annotations

from slimvoice.text.normalization.language import Language, named, signs_of

GERMAN = Language(
    code="de",
    decimal=",",
    signs=signs_of(
        "bis; und; minus; plus; mal; geteilt durch; gleich; ungleich; kleiner als; größer als; kleiner oder gleich;"
        "größer oder gleich; ungefähr; plus minus; Promille; Quadrat; hoch drei; Nummer; pro; Wurzel aus;hoch {}"
    ),
    money=named(
        "$ Dollar|Dollar|Cent|Cent; € Euro|Euro|Cent|Cent; £ Pfund|Pfund|Penny|Pence; ¥ Yen|Yen; ₹ Rupie|Rupien;"
        "₽ Rubel|Rubel; ₩ Won|Won; ₺ Lira|Lira; ₿ Bitcoin|Bitcoin; USD Dollar|Dollar|Cent|Cent;"
        "EUR Euro|Euro|Cent|Cent; CHF Franken|Franken|Rappen|Rappen; Fr. Franken|Franken|Rappen|Rappen;"
        "ct Cent|Cent"
    ),
    fractions={"1/2": "ein halb", "1/3": "ein Drittel", "2/3": "zwei Drittel", "1/4": "ein Viertel", "3/4": "drei Viertel"},
    scales={
        "Tausend": "Tausend", "Million": "Million", "Millionen": "Millionen", "Milliarde": "Milliarde",
        "Milliarden": "Milliarden", "Mio.": "Millionen", "Mrd.": "Milliarden", "Tsd.": "Tausend",
    },
    one=("ein", "eine"),
    feminine=r"^\w+e\b",
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    ),
    date="{day}. {month} {year}",
    days={
        "Mo": "Montag", "Di": "Dienstag", "Mi": "Mittwoch", "Do": "Donnerstag", "Fr": "Freitag", "Sa": "Samstag",
        "So": "Sonntag",
    },
    abbreviations={
        "z.B.": "zum Beispiel", "z. B.": "zum Beispiel", "d.h.": "das heißt", "d. h.": "das heißt",
        "u.a.": "unter anderem", "u. a.": "unter anderem", "u.U.": "unter Umständen", "o.Ä.": "oder Ähnliches",
        "i.d.R.": "in der Regel", "i. d. R.": "in der Regel", "v.a.": "vor allem", "v. a.": "vor allem",
        "bzw.": "beziehungsweise", "usw.": "und so weiter", "etc.": "et cetera", "evtl.": "eventuell",
        "ggf.": "gegebenenfalls", "ca.": "circa", "inkl.": "inklusive", "exkl.": "exklusive", "zzgl.": "zuzüglich",
        "vgl.": "vergleiche", "sog.": "sogenannt", "Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau",
        "Hrn.": "Herrn", "St.": "Sankt", "Str.": "Straße", "geb.": "geboren", "gest.": "gestorben", "Mio.": "Millionen",
        "Mrd.": "Milliarden", "Tsd.": "Tausend", "max.": "maximal", "min.": "minimal", "mind.": "mindestens",
        "Abb.": "Abbildung", "Kap.": "Kapitel", "v.Chr.": "vor Christus", "v. Chr.": "vor Christus",
        "n.Chr.": "nach Christus", "n. Chr.": "nach Christus", "allg.": "allgemein", "bspw.": "beispielsweise",
    },
    before_number={
        "Nr.": "Nummer", "S.": "Seite", "Art.": "Artikel", "Abs.": "Absatz", "Bd.": "Band", "Tel.": "Telefon",
        "Aufl.": "Auflage", "Std.": "Stunde", "§§": "Paragrafen",
    },
    time="{hour} Uhr {minute}",
    full_hour="{hour} Uhr",
)  # fmt: skip

HINDI = Language(
    code="hi",
    decimal=".",
    signs=signs_of(
        "से; और; माइनस; प्लस; गुणा; भागा; बराबर; बराबर नहीं; से कम; से ज़्यादा; से कम या बराबर; से ज़्यादा या बराबर; लगभग;"
        "प्लस माइनस; प्रति हज़ार; वर्ग; घन; नंबर; प्रति; वर्गमूल;की घात {}"
    ),
    money=named(
        "₹ रुपया|रुपये|पैसा|पैसे; Rs रुपया|रुपये|पैसा|पैसे; रु रुपया|रुपये|पैसा|पैसे; $ डॉलर|डॉलर|सेंट|सेंट; € यूरो|यूरो|सेंट|सेंट;"
        "£ पाउंड|पाउंड|पेनी|पेंस; ¥ येन|येन; ₽ रूबल|रूबल; INR रुपया|रुपये|पैसा|पैसे; USD डॉलर|डॉलर|सेंट|सेंट; ₿ बिटकॉइन|बिटकॉइन"
    ),
    fractions={"1/2": "आधा", "1/3": "एक तिहाई", "2/3": "दो तिहाई", "1/4": "एक चौथाई", "3/4": "तीन चौथाई"},
    scales={"हज़ार": "हज़ार", "हजार": "हज़ार", "लाख": "लाख", "करोड़": "करोड़", "अरब": "अरब"},
    months=(
        "जनवरी", "फ़रवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई", "अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर",
    ),
    date="{day} {month} {year}",
    abbreviations={
        "डॉ.": "डॉक्टर", "डा.": "डॉक्टर", "प्रो.": "प्रोफ़ेसर", "श्री.": "श्री", "कि.मी.": "किलोमीटर", "किमी": "किलोमीटर",
        "कि.ग्रा.": "किलोग्राम", "किग्रा": "किलोग्राम", "मि.": "मिनट", "सेमी": "सेंटीमीटर", "पृ.": "पृष्ठ", "सं.": "संख्या",
        "ई.पू.": "ईसा पूर्व",
    },
    time="{hour} बजकर {minute} मिनट",
    full_hour="{hour} बजे",
)  # fmt: skip

JAPANESE = Language(
    code="ja",
    decimal=".",
    signs=signs_of(
        "から; と; マイナス; プラス; かける; わる; イコール; ノットイコール; 小なり; 大なり; 以下; 以上; やく; プラスマイナス;"
        "パーミル; の二乗; の三乗; ナンバー; 毎; ルート;の{}乗"
    ),
    money=named(
        "¥ えん|えん; $ ドル|ドル|セント|セント; € ユーロ|ユーロ|セント|セント; £ ポンド|ポンド|ペンス|ペンス; ₩ ウォン|ウォン; ₹ ルピー|ルピー;"
        "₽ ルーブル|ルーブル; ₿ ビットコイン|ビットコイン; % パーセント|パーセント"
    ),
    fractions={"1/2": "二分の一", "1/3": "三分の一", "2/3": "三分の二", "1/4": "四分の一", "3/4": "四分の三"},
    scales={"万": "万", "億": "億", "兆": "兆", "千": "千", "百万": "百万"},
    months=tuple(f"{month}月" for month in range(1, 13)),
    date="{year}年{month}{day}日",
    time="{hour}時{minute}分",
    full_hour="{hour}時",
    joins_figures=True,
)  # fmt: skip

CHINESE = Language(
    code="zh",
    decimal=".",
    signs=signs_of(
        "到; 又; 负; 加; 乘以; 除以; 等于; 不等于; 小于; 大于; 小于等于; 大于等于; 约等于; 正负; 千分之; 的平方; 的立方; 第; 每;"
        "根号;的{}次方"
    ),
    money=named(
        "¥ 元|元; $ 美元|美元|美分|美分; € 欧元|欧元|欧分|欧分; £ 英镑|英镑|便士|便士; ₩ 韩元|韩元; ₹ 卢比|卢比; ₽ 卢布|卢布;"
        "₿ 比特币|比特币; USD 美元|美元|美分|美分; CNY 元|元; RMB 元|元; EUR 欧元|欧元"
    ),
    fractions={"1/2": "二分之一", "1/3": "三分之一", "2/3": "三分之二", "1/4": "四分之一", "3/4": "四分之三"},
    scales={"万": "万", "亿": "亿", "千": "千", "百万": "百万"},
    months=tuple(f"{month}月" for month in range(1, 13)),
    date="{year}年{month}{day}日",
    time="{hour}点{minute}分",
    full_hour="{hour}点",
    joins_figures=True,
)  # fmt: skip
