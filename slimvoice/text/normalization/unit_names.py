"""What units are called, one and many, in each language: Unicode's CLDR (https://cldr.unicode.org, Unicode-3.0).

Taken once with Babel 2.19.0, which would be 36 MB installed for these names.
"""
# ruff: noqa: E501 - signs and words of many scripts, some of them wide

from __future__ import annotations

from collections.abc import Mapping

_NAMES = {
    "en": (
        "km kilometer|kilometers; m meter|meters; cm centimeter|centimeters; mm millimeter|millimeters; µm "
        "micrometer|micrometers; nm nanometer|nanometers; mi mile|miles; yd yard|yards; ft foot|feet; in "
        "inch|inches; km² square kilometer|square kilometers; m² square meter|square meters; cm² square "
        "centimeter|square centimeters; ft² square foot|square feet; ha hectare|hectares; m³ cubic meter|cubic "
        "meters; cm³ cubic centimeter|cubic centimeters; l liter|liters; ml milliliter|milliliters; cl "
        "centiliter|centiliters; dl deciliter|deciliters; gal gallon|gallons; kg kilogram|kilograms; g "
        "gram|grams; mg milligram|milligrams; µg microgram|micrograms; lb pound|pounds; oz ounce|ounces; t metric "
        "ton|metric tons; h hour|hours; min minute|minutes; s second|seconds; ms millisecond|milliseconds; µs "
        "microsecond|microseconds; ns nanosecond|nanoseconds; km/h kilometer per hour|kilometers per hour; m/s "
        "meter per second|meters per second; mph mile per hour|miles per hour; °C degree Celsius|degrees Celsius; "
        "°F degree Fahrenheit|degrees Fahrenheit; ° degree|degrees; K kelvin|kelvins; Hz hertz; kHz kilohertz; "
        "MHz megahertz; GHz gigahertz; W watt|watts; kW kilowatt|kilowatts; MW megawatt|megawatts; GW "
        "gigawatt|gigawatts; kWh kilowatt hour|kilowatt hours; V volt|volts; mA milliampere|milliamperes; J "
        "joule|joules; kJ kilojoule|kilojoules; kcal kilocalorie|kilocalories; cal calorie|calories; kB "
        "kilobyte|kilobytes; MB megabyte|megabytes; GB gigabyte|gigabytes; TB terabyte|terabytes; PB "
        "petabyte|petabytes; kbit kilobit|kilobits; Mbit megabit|megabits; Gbit gigabit|gigabits; Pa "
        "pascal|pascals; hPa hectopascal|hectopascals; kPa kilopascal|kilopascals; bar bar|bars; psi pound per "
        "square inch|pounds per square inch; px pixel|pixels"
    ),
    "es": (
        "km kilómetro|kilómetros; m metro|metros; cm centímetro|centímetros; mm milímetro|milímetros; µm "
        "micrómetro|micrómetros; nm nanómetro|nanómetros; mi milla|millas; yd yarda|yardas; ft pie|pies; in "
        "pulgada|pulgadas; km² kilómetro cuadrado|kilómetros cuadrados; m² metro cuadrado|metros cuadrados; cm² "
        "centímetro cuadrado|centímetros cuadrados; ft² pie cuadrado|pies cuadrados; ha hectárea|hectáreas; m³ "
        "metro cúbico|metros cúbicos; cm³ centímetro cúbico|centímetros cúbicos; l litro|litros; ml "
        "mililitro|mililitros; cl centilitro|centilitros; dl decilitro|decilitros; gal galón|galones; kg "
        "kilogramo|kilogramos; g gramo|gramos; mg miligramo|miligramos; µg microgramo|microgramos; lb "
        "libra|libras; oz onza|onzas; t tonelada|toneladas; h hora|horas; min minuto|minutos; s segundo|segundos; "
        "ms milisegundo|milisegundos; µs microsegundo|microsegundos; ns nanosegundo|nanosegundos; km/h kilómetro "
        "por hora|kilómetros por hora; m/s metro por segundo|metros por segundo; mph milla por hora|millas por "
        "hora; °C grado Celsius|grados Celsius; °F grado Fahrenheit|grados Fahrenheit; ° grado|grados; K kelvin; "
        "Hz hercio|hercios; kHz kilohercio|kilohercios; MHz megahercio|megahercios; GHz gigahercio|gigahercios; W "
        "vatio|vatios; kW kilovatio|kilovatios; MW megavatio|megavatios; GW gigavatio|gigavatios; kWh kilovatio "
        "hora|kilovatios hora; V voltio|voltios; mA miliamperio|miliamperios; J julio|julios; kJ "
        "kilojulio|kilojulios; kcal kilocaloría|kilocalorías; cal caloría|calorías; kB kilobyte|kilobytes; MB "
        "megabyte|megabytes; GB gigabyte|gigabytes; TB terabyte|terabytes; PB petabyte|petabytes; kbit "
        "kilobit|kilobits; Mbit megabit|megabits; Gbit gigabit|gigabits; Pa pascal|pascales; hPa "
        "hectopascal|hectopascales; kPa kilopascal|kilopascales; bar bar|bares; psi libra por pulgada "
        "cuadrada|libras por pulgada cuadrada; px píxel|píxeles"
    ),
    "fr": (
        "km kilomètre|kilomètres; m mètre|mètres; cm centimètre|centimètres; mm millimètre|millimètres; µm "
        "micromètre|micromètres; nm nanomètre|nanomètres; mi mile|miles; yd yard|yards; ft pied|pieds; in "
        "pouce|pouces; km² kilomètre carré|kilomètres carrés; m² mètre carré|mètres carrés; cm² centimètre "
        "carré|centimètres carrés; ft² pied carré|pieds carrés; ha hectare|hectares; m³ mètre cube|mètres cubes; "
        "cm³ centimètre cube|centimètres cubes; l litre|litres; ml millilitre|millilitres; cl "
        "centilitre|centilitres; dl décilitre|décilitres; gal gallon|gallons; kg kilogramme|kilogrammes; g "
        "gramme|grammes; mg milligramme|milligrammes; µg microgramme|microgrammes; lb livre|livres; oz "
        "once|onces; t tonne|tonnes; h heure|heures; min minute|minutes; s seconde|secondes; ms "
        "milliseconde|millisecondes; µs microseconde|microsecondes; ns nanoseconde|nanosecondes; km/h kilomètre "
        "par heure|kilomètres par heure; m/s mètre par seconde|mètres par seconde; mph mile par heure|miles par "
        "heure; °C degré Celsius|degrés Celsius; °F degré Fahrenheit|degrés Fahrenheit; ° degré|degrés; K "
        "kelvin|kelvins; Hz hertz; kHz kilohertz; MHz mégahertz; GHz gigahertz; W watt|watts; kW "
        "kilowatt|kilowatts; MW mégawatt|mégawatts; GW gigawatt|gigawatts; kWh kilowatt-heure|kilowatt-heures; V "
        "volt|volts; mA milliampère|milliampères; J joule|joules; kJ kilojoule|kilojoules; kcal "
        "kilocalorie|kilocalories; cal calorie|calories; kB kilooctet|kilooctets; MB mégaoctet|mégaoctets; GB "
        "gigaoctet|gigaoctets; TB téraoctet|téraoctets; PB pétaoctet|pétaoctets; kbit kilobit|kilobits; Mbit "
        "mégabit|mégabits; Gbit gigabit|gigabits; Pa pascal|pascals; hPa hectopascal|hectopascals; kPa "
        "kilopascal|kilopascals; bar bar|bars; psi livre par pouce carré|livres par pouce carré; px pixel|pixels"
    ),
    "it": (
        "km chilometro|chilometri; m metro|metri; cm centimetro|centimetri; mm millimetro|millimetri; µm "
        "micrometro|micrometri; nm nanometro|nanometri; mi miglio|miglia; yd iarda|iarde; ft piede|piedi; in "
        "pollice|pollici; km² chilometro quadrato|chilometri quadrati; m² metro quadrato|metri quadrati; cm² "
        "centimetro quadrato|centimetri quadrati; ft² piede quadrato|piedi quadrati; ha ettaro|ettari; m³ metro "
        "cubo|metri cubi; cm³ centimetro cubo|centimetri cubi; l litro|litri; ml millilitro|millilitri; cl "
        "centilitro|centilitri; dl decilitro|decilitri; gal gallone|galloni; kg chilogrammo|chilogrammi; g "
        "grammo|grammi; mg milligrammo|milligrammi; µg microgrammo|microgrammi; lb libbra|libbre; oz oncia|once; "
        "t tonnellata|tonnellate; h ora|ore; min minuto|minuti; s secondo|secondi; ms millisecondo|millisecondi; "
        "µs microsecondo|microsecondi; ns nanosecondo|nanosecondi; km/h chilometro orario|chilometri orari; m/s "
        "metro al secondo|metri al secondo; mph miglio all'ora|miglia all'ora; °C grado Celsius|gradi Celsius; °F "
        "grado Fahrenheit|gradi Fahrenheit; ° grado|gradi; K kelvin; Hz hertz; kHz kilohertz; MHz megahertz; GHz "
        "gigahertz; W watt; kW kilowatt; MW megawatt; GW gigawatt; kWh chilowattora; V volt; mA milliampere; J "
        "joule; kJ kilojoule; kcal chilocaloria|chilocalorie; cal caloria|calorie; kB kilobyte; MB megabyte; GB "
        "gigabyte; TB terabyte; PB petabyte; kbit kilobit; Mbit megabit; Gbit gigabit; Pa pascal; hPa ettopascal; "
        "kPa chilopascal; bar bar; psi libbra per pollice quadrato|libbre per pollice quadrato; px pixel"
    ),
    "pt": (
        "km quilômetro|quilômetros; m metro|metros; cm centímetro|centímetros; mm milímetro|milímetros; µm "
        "micrômetro|micrômetros; nm nanômetro|nanômetros; mi milha|milhas; yd jarda|jardas; ft pé|pés; in "
        "polegada|polegadas; km² quilômetro quadrado|quilômetros quadrados; m² metro quadrado|metros quadrados; "
        "cm² centímetro quadrado|centímetros quadrados; ft² pé quadrado|pés quadrados; ha hectare|hectares; m³ "
        "metro cúbico|metros cúbicos; cm³ centímetro cúbico|centímetros cúbicos; l litro|litros; ml "
        "mililitro|mililitros; cl centilitro|centilitros; dl decilitro|decilitros; gal galão|galões; kg "
        "quilograma|quilogramas; g grama|gramas; mg miligrama|miligramas; µg micrograma|microgramas; lb "
        "libra|libras; oz onça|onças; t tonelada|toneladas; h hora|horas; min minuto|minutos; s segundo|segundos; "
        "ms milissegundo|milissegundos; µs microssegundo|microssegundos; ns nanossegundo|nanossegundos; km/h "
        "quilômetro por hora|quilômetros por hora; m/s metro por segundo|metros por segundo; mph milha por "
        "hora|milhas por hora; °C grau Celsius|graus Celsius; °F grau Fahrenheit|graus Fahrenheit; ° grau|graus; "
        "K kelvin|kelvins; Hz hertz; kHz kilohertz; MHz megahertz; GHz gigahertz; W watt|watts; kW "
        "quilowatt|quilowatts; MW megawatt|megawatts; GW gigawatt|gigawatts; kWh quilowatt-hora|quilowatts-hora; "
        "V volt|volts; mA miliampere|miliamperes; J joule|joules; kJ quilojoule|quilojoules; kcal "
        "quilocaloria|quilocalorias; cal caloria|calorias; kB kilobyte|kilobytes; MB megabyte|megabytes; GB "
        "gigabyte|gigabytes; TB terabyte|terabytes; PB petabyte|petabytes; kbit kilobit|kilobits; Mbit "
        "megabit|megabits; Gbit gigabit|gigabits; Pa pascal|pascais; hPa hectopascal|hectopascais; kPa "
        "quilopascal|quilopascais; bar bar|bars; psi libra por polegada quadrada|libras por polegada quadrada; px "
        "pixel|pixels"
    ),
    "de": (
        "km Kilometer; m Meter; cm Zentimeter; mm Millimeter; µm Mikrometer; nm Nanometer; mi Meile|Meilen; yd "
        "Yard|Yards; ft Fuß; in Zoll; km² Quadratkilometer; m² Quadratmeter; cm² Quadratzentimeter; ft² "
        "Quadratfuß; ha Hektar; m³ Kubikmeter; cm³ Kubikzentimeter; l Liter; ml Milliliter; cl Zentiliter; dl "
        "Deziliter; gal Gallone|Gallonen; kg Kilogramm; g Gramm; mg Milligramm; µg Mikrogramm; lb Pfund; oz "
        "Unze|Unzen; t Tonne|Tonnen; h Stunde|Stunden; min Minute|Minuten; s Sekunde|Sekunden; ms "
        "Millisekunde|Millisekunden; µs Mikrosekunde|Mikrosekunden; ns Nanosekunde|Nanosekunden; km/h Kilometer "
        "pro Stunde; m/s Meter pro Sekunde; mph Meile pro Stunde|Meilen pro Stunde; °C Grad Celsius; °F Grad "
        "Fahrenheit; ° Grad; K kelvin; Hz Hertz; kHz Kilohertz; MHz Megahertz; GHz Gigahertz; W Watt; kW "
        "Kilowatt; MW Megawatt; GW Gigawatt; kWh Kilowattstunde|Kilowattstunden; V Volt; mA Milliampere; J Joule; "
        "kJ Kilojoule; kcal Kilokalorie|Kilokalorien; cal Kalorie|Kalorien; kB Kilobyte; MB Megabyte; GB "
        "Gigabyte; TB Terabyte; PB Petabyte; kbit Kilobit; Mbit Megabit; Gbit Gigabit; Pa Pascal; hPa "
        "Hektopascal; kPa Kilopascal; bar Bar; psi Pfund pro Quadratzoll; px Pixel"
    ),
    "hi": (
        "km किलोमीटर; m मीटर; cm सेंटीमीटर; mm मिलीमीटर; µm माइक्रोमीटर; nm नैनोमीटर; mi मील; yd गज़; ft "
        "फ़ुट|फ़ीट; in इंच; km² वर्ग किलोमीटर; m² वर्ग मीटर; cm² वर्ग सेंटीमीटर; ft² वर्गफ़ुट|वर्गफ़ीट; ha "
        "हेक्टेयर; m³ घन मीटर; cm³ घन सेंटीमीटर; l लीटर; ml मिलीलीटर; cl सेंटीलीटर; dl डेसीलीटर; gal गैलन; kg "
        "किलोग्राम; g ग्राम; mg मिलीग्राम; µg माइक्रोग्राम; lb पौंड; oz औंस; t मीट्रिक टन; h घंटा|घंटे; min मिनट; "
        "s सेकंड; ms मिलीसेकंड; µs माइक्रोसेकंड; ns नैनो सेकंड; km/h किलोमीटर प्रति घंटा; m/s मीटर प्रति सेकंड; "
        "mph मील प्रति घंटा; °C डिग्री सेल्सियस; °F डिग्री फ़ेरनहाइट; ° अंश; K केल्विन; Hz हर्ट्ज़; kHz "
        "किलोहर्ट्ज़; MHz मेगाहर्ट्ज़; GHz गीगाहर्ट्ज़; W वॉट; kW किलोवॉट; MW मेगावॉट; GW गिगावॉट; kWh किलोवॉट "
        "घंटा|किलोवॉट घंटे; V वोल्ट; mA मिली एम्पीयर; J जूल; kJ किलो जूल; kcal किलो कैलोरी; cal कैलोरी; kB "
        "किलोबाइट; MB मेगाबाइट; GB गीगाबाइट; TB टेराबाइट; PB पेटाबाइट; kbit किलोबिट; Mbit मेगाबिट; Gbit गीगाबिट; "
        "Pa पास्कल; hPa हेक्टोपास्कल; kPa किलोपास्कल; bar बार; psi पाउंड प्रति वर्ग इंच; px पिक्सेल"
    ),
    "ja": (
        "km キロメートル; m メートル; cm センチメートル; mm ミリメートル; µm マイクロメートル; nm ナノメートル; mi マイル; yd ヤード; ft フィート; in インチ; km² "
        "平方キロメートル; m² 平方メートル; cm² 平方センチメートル; ft² 平方フィート; ha ヘクタール; m³ 立方メートル; cm³ 立方センチメートル; l リットル; ml ミリリットル; "
        "cl センチリットル; dl デシリットル; gal ガロン; kg キログラム; g グラム; mg ミリグラム; µg マイクログラム; lb ポンド; oz オンス; t トン; h 時間; min "
        "分; s 秒; ms ミリ秒; µs マイクロ秒; ns ナノ秒; km/h 時速{0}キロメートル; m/s 秒速{0}メートル; mph 時速{0}マイル; °C 摂氏{0}度; °F 華氏{0}度; ° "
        "度; K ケルビン; Hz ヘルツ; kHz キロヘルツ; MHz メガヘルツ; GHz ギガヘルツ; W ワット; kW キロワット; MW メガワット; GW ギガワット; kWh キロワット時; V "
        "ボルト; mA ミリアンペア; J ジュール; kJ キロジュール; kcal キロカロリー; cal カロリー; kB キロバイト; MB メガバイト; GB ギガバイト; TB テラバイト; PB "
        "ペタバイト; kbit キロビット; Mbit メガビット; Gbit ギガビット; Pa パスカル; hPa ヘクトパスカル; kPa キロパスカル; bar バール; px ピクセル"
    ),
    "zh": (
        "km 公里; m 米; cm 厘米; mm 毫米; µm 微米; nm 纳米; mi 英里; yd 码; ft 英尺; in 英寸; km² 平方公里; m² 平方米; cm² 平方厘米; ft² 平方英尺; "
        "ha 公顷; m³ 立方米; cm³ 立方厘米; l 升; ml 毫升; cl 厘升; dl 分升; gal 加仑; kg 千克; g 克; mg 毫克; µg 微克; lb 磅; oz 盎司; t 公吨; "
        "h 小时; min 分钟; s 秒钟; ms 毫秒; µs 微秒; ns 纳秒; km/h 每小时{0}公里; m/s 每秒{0}米; mph 每小时{0}英里; °C 摄氏度; °F 华氏度; ° 度; K "
        "开尔文; Hz 赫兹; kHz 千赫; MHz 兆赫; GHz 吉赫; W 瓦特; kW 千瓦; MW 兆瓦; GW 吉瓦; kWh 千瓦时; V 伏特; mA 毫安; J 焦耳; kJ 千焦; kcal "
        "千卡; cal 卡路里; kB 千字节; MB 兆字节; GB 吉字节; TB 太字节; PB 拍字节; kbit 千比特; Mbit 兆比特; Gbit 吉比特; Pa 帕斯卡; hPa 百帕斯卡; kPa "
        "千帕斯卡; bar 巴; psi 每平方英寸{0}磅; px 像素"
    ),
}  # fmt: skip
UNIT_NAMES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    language: {
        unit: (name.partition("|")[0], name.rpartition("|")[2])
        for unit, _, name in (entry.partition(" ") for entry in names.split("; "))
    }
    for language, names in _NAMES.items()
}
"""Language -> unit -> its name for one and for more; where the figure stands within the name, `{0}` is in its place."""
