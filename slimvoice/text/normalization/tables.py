"""The words of English and the Romance languages: signs, money, months, abbreviations."""
# ruff: noqa: E501 - signs and words of many scripts, some of them wide

from __future__ import annotations

from slimvoice.text.normalization.language import Language, named, signs_of

ENGLISH = Language(
    code="en",
    decimal=".",
    signs=signs_of(
        "to; and; minus; plus; times; divided by; equals; not equal to; is less than; is greater than;"
        "less than or equal to; greater than or equal to; about; plus or minus; per mille; squared; cubed;"
        "number; per; the square root of;"
        "to the power of {}"
    ),
    money=named(
        "$ dollar|dollars|cent|cents; £ pound|pounds|penny|pence; € euro|euros|cent|cents; ₹ rupee|rupees|paisa|paise;"
        "¥ yen|yen; ₽ ruble|rubles|kopeck|kopecks; ₩ won|won; ₺ lira|lira|kurush|kurush; ₴ hryvnia|hryvnias;"
        "₫ dong|dong; ₪ shekel|shekels|agora|agorot; ₦ naira|naira|kobo|kobo; ₱ peso|pesos|centavo|centavos;"
        "฿ baht|baht|satang|satang; ₿ bitcoin|bitcoins; ₡ colon|colones; ₵ cedi|cedis; ₸ tenge|tenge; ₼ manat|manat;"
        "₾ lari|lari; ₭ kip|kip; ₮ tugrik|tugriks; ¢ cent|cents; R$ real|reais|centavo|centavos;"
        "USD dollar|dollars|cent|cents; EUR euro|euros|cent|cents; GBP pound|pounds|penny|pence; JPY yen|yen;"
        "INR rupee|rupees|paisa|paise; CHF Swiss franc|Swiss francs; CNY yuan|yuan; RMB yuan|yuan;"
        "AUD Australian dollar|Australian dollars|cent|cents; CAD Canadian dollar|Canadian dollars|cent|cents;"
        "Rs rupee|rupees|paisa|paise; BTC bitcoin|bitcoins; zł zloty|zlotys"
    ),
    fractions={"1/2": "one half", "1/4": "one quarter", "3/4": "three quarters"},
    scales={
        "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion", "k": "thousand",
        "K": "thousand", "m": "million", "M": "million", "mm": "million", "MM": "million", "mn": "million", "mil": "million", "lakh": "lakh", "crore": "crore",
        "b": "billion", "B": "billion", "bn": "billion", "Bn": "billion", "T": "trillion", "tn": "trillion",
    },
    mixed={"1/2": "a half", "1/3": "a third", "1/4": "a quarter", "1/5": "a fifth", "1/8": "an eighth"},
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
)  # fmt: skip

SPANISH = Language(
    code="es",
    decimal=",",
    signs=signs_of(
        "a; y; menos; más; por; entre; igual a; distinto de; menor que; mayor que; menor o igual que;"
        "mayor o igual que; aproximadamente; más menos; por mil; al cuadrado; al cubo; número; por; raíz cuadrada de;"
        "elevado a {}"
    ),
    money=named(
        "$ dólar|dólares|centavo|centavos; € euro|euros|céntimo|céntimos; £ libra|libras|penique|peniques;"
        "¥ yen|yenes; ₹ rupia|rupias; ₽ rublo|rublos; ₩ won|wones; ₿ bitcoin|bitcoins; ₱ peso|pesos;"
        "USD dólar|dólares|centavo|centavos; EUR euro|euros|céntimo|céntimos; MXN peso|pesos|centavo|centavos"
    ),
    fractions={"1/2": "un medio", "1/3": "un tercio", "2/3": "dos tercios", "1/4": "un cuarto", "3/4": "tres cuartos"},
    scales={
        "mil": "mil", "millón": "millón de", "millones": "millones de", "billones": "billones de", "M": "millones de",
    },
    one=("un", "una"),
    feminine=r"^\w+a\b",
    mixed={"1/2": "medio"},
    months=(
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
        "diciembre",
    ),
    date="{day} de {month} de {year}",
    days={
        "lun": "lunes", "mar": "martes", "mié": "miércoles", "jue": "jueves", "vie": "viernes", "sáb": "sábado",
        "dom": "domingo",
    },
    abbreviations={
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Dr.": "doctor", "Dra.": "doctora",
        "Dña.": "doña", "Ud.": "usted", "Uds.": "ustedes", "Vd.": "usted", "p. ej.": "por ejemplo",
        "p.ej.": "por ejemplo", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos", "etc.": "etcétera",
        "Avda.": "avenida", "Av.": "avenida", "aprox.": "aproximadamente", "Prof.": "profesor", "a.C.": "antes de Cristo",
        "d.C.": "después de Cristo", "a. C.": "antes de Cristo", "d. C.": "después de Cristo", "Sto.": "santo",
        "Sta.": "santa",
    },
    before_number={
        "n.º": "número", "nº": "número", "núm.": "número", "pág.": "página", "págs.": "páginas", "p.": "página",
        "pp.": "páginas", "cap.": "capítulo", "art.": "artículo", "tel.": "teléfono", "vol.": "volumen", "fig.": "figura",
    },
)  # fmt: skip

FRENCH = Language(
    code="fr",
    decimal=",",
    signs=signs_of(
        "à; et; moins; plus; fois; divisé par; égale; différent de; inférieur à; supérieur à; inférieur ou égal à;"
        "supérieur ou égal à; environ; plus ou moins; pour mille; au carré; au cube; numéro; par; racine carrée de;"
        "puissance {}"
    ),
    money=named(
        "$ dollar|dollars|cent|cents; € euro|euros|centime|centimes; £ livre|livres|penny|pence; ¥ yen|yens;"
        "₹ roupie|roupies; ₽ rouble|roubles; ₩ won|wons; ₿ bitcoin|bitcoins; USD dollar|dollars|cent|cents;"
        "EUR euro|euros|centime|centimes; CHF franc suisse|francs suisses|centime|centimes"
    ),
    fractions={"1/2": "un demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart", "3/4": "trois quarts"},
    scales={
        "mille": "mille", "million": "million de", "millions": "millions de", "milliard": "milliard de",
        "milliards": "milliards de", "M": "millions de", "Md": "milliards de", "k": "mille",
    },
    one=("un", "une"),
    feminine=r"^(?:heure|minute|seconde|livre|tonne|once|calorie|kilocalorie|roupie|\w+seconde)\b",
    mixed={"1/2": "demi"},
    months=(
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ),
    date="{day} {month} {year}",
    first_day="premier",
    days={
        "lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi", "sam": "samedi",
        "dim": "dimanche",
    },
    abbreviations={
        "M.": "monsieur", "Mme": "madame", "Mmes": "mesdames", "Mlle": "mademoiselle", "MM.": "messieurs",
        "Dr": "docteur", "Dr.": "docteur", "Pr": "professeur", "etc.": "et cetera",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "av. J.-C.": "avant Jésus-Christ",
        "apr. J.-C.": "après Jésus-Christ", "env.": "environ", "boul.": "boulevard", "St": "saint",
        "Ste": "sainte", "cf.": "voir",
    },
    before_number={
        "n°": "numéro", "nº": "numéro", "n°s": "numéros", "p.": "page", "pp.": "pages",
        "chap.": "chapitre", "art.": "article", "tél.": "téléphone", "vol.": "volume", "fig.": "figure",
    },
    time="{hour} heures {minute}",
    full_hour="{hour} heures",
)  # fmt: skip

ITALIAN = Language(
    code="it",
    decimal=",",
    signs=signs_of(
        "a; e; meno; più; per; diviso; uguale; diverso da; minore di; maggiore di; minore o uguale a;"
        "maggiore o uguale a; circa; più o meno; per mille; al quadrato; al cubo; numero; al; radice quadrata di;"
        "alla {}"
    ),
    money=named(
        "$ dollaro|dollari|centesimo|centesimi; € euro|euro|centesimo|centesimi; £ sterlina|sterline|penny|pence;"
        "¥ yen|yen; ₹ rupia|rupie; ₽ rublo|rubli; ₩ won|won; ₿ bitcoin|bitcoin; USD dollaro|dollari|centesimo|centesimi;"
        "EUR euro|euro|centesimo|centesimi; CHF franco svizzero|franchi svizzeri|centesimo|centesimi"
    ),
    fractions={"1/2": "un mezzo", "1/3": "un terzo", "2/3": "due terzi", "1/4": "un quarto", "3/4": "tre quarti"},
    scales={
        "mila": "mila", "milione": "milione di", "milioni": "milioni di", "miliardo": "miliardo di",
        "miliardi": "miliardi di", "mln": "milioni di", "mld": "miliardi di",
    },
    one=("un", "una"),
    feminine=r"^\w+a\b",
    mixed={"1/2": "mezzo"},
    months=(
        "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre",
        "novembre", "dicembre",
    ),
    date="{day} {month} {year}",
    first_day="primo",
    days={
        "lun": "lunedì", "mar": "martedì", "mer": "mercoledì", "gio": "giovedì", "ven": "venerdì", "sab": "sabato",
        "dom": "domenica",
    },
    abbreviations={
        "Sig.": "signor", "Sig.ra": "signora", "Sig.na": "signorina", "Dott.": "dottor", "Dott.ssa": "dottoressa",
        "Dr.": "dottor", "Prof.": "professor", "Prof.ssa": "professoressa", "Avv.": "avvocato", "Ing.": "ingegner",
        "ecc.": "eccetera", "ad es.": "ad esempio", "p.es.": "per esempio", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo",
         "ca.": "circa",
    },
    before_number={
        "n.": "numero", "nº": "numero", "n°": "numero", "pag.": "pagina", "pagg.": "pagine", "p.": "pagina",
        "cap.": "capitolo", "art.": "articolo", "tel.": "telefono", "vol.": "volume", "fig.": "figura",
    },
)  # fmt: skip

PORTUGUESE = Language(
    code="pt",
    decimal=",",
    signs=signs_of(
        "a; e; menos; mais; vezes; dividido por; igual a; diferente de; menor que; maior que; menor ou igual a;"
        "maior ou igual a; aproximadamente; mais ou menos; por mil; ao quadrado; ao cubo; número; por; raiz quadrada de;"
        "elevado a {}"
    ),
    money=named(
        "R$ real|reais|centavo|centavos; $ dólar|dólares|centavo|centavos; US$ dólar|dólares|centavo|centavos;"
        "€ euro|euros|cêntimo|cêntimos; £ libra|libras|pêni|pence; ¥ iene|ienes; ₹ rupia|rupias; ₽ rublo|rublos;"
        "₩ won|wons; ₿ bitcoin|bitcoins; USD dólar|dólares|centavo|centavos; EUR euro|euros|cêntimo|cêntimos;"
        "BRL real|reais|centavo|centavos"
    ),
    fractions={"1/2": "meio", "1/3": "um terço", "2/3": "dois terços", "1/4": "um quarto", "3/4": "três quartos"},
    scales={
        "mil": "mil", "milhão": "milhão de", "milhões": "milhões de", "bilhão": "bilhão de", "bilhões": "bilhões de",
        "mi": "milhões de", "bi": "bilhões de",
    },
    one=("um", "uma"),
    feminine=r"^\w+a\b(?<!grama)",
    mixed={"1/2": "meio"},
    months=(
        "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
        "dezembro",
    ),
    date="{day} de {month} de {year}",
    first_day="primeiro",
    days={
        "seg": "segunda", "ter": "terça", "qua": "quarta", "qui": "quinta", "sex": "sexta", "sáb": "sábado",
        "dom": "domingo",
    },
    abbreviations={
        "Sr.": "senhor", "Sra.": "senhora", "Srta.": "senhorita", "Dr.": "doutor", "Dra.": "doutora",
        "Prof.": "professor", "Profa.": "professora", "etc.": "etcétera", "p. ex.": "por exemplo",
        "p.ex.": "por exemplo", "Av.": "avenida", "aprox.": "aproximadamente", "a.C.": "antes de Cristo",
        "d.C.": "depois de Cristo", "Sto.": "santo", "Sta.": "santa",
    },
    before_number={
        "n.º": "número", "nº": "número", "n°": "número", "pág.": "página", "págs.": "páginas", "p.": "página",
        "cap.": "capítulo", "art.": "artigo", "tel.": "telefone", "vol.": "volume", "fig.": "figura",
    },
    time="{hour} e {minute}",
    full_hour="{hour} horas",
)  # fmt: skip
