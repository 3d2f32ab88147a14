"""The words and signs that stand around numbers: units, currencies, scales, months, labels."""

from fractions import Fraction


def _table(lines: str) -> dict[str, tuple[str, Fraction]]:
    """From lines of "kind factor name name ..."."""
    made = {}
    for line in lines.strip().splitlines():
        kind, factor, *names = line.split()
        made.update({name: (kind, Fraction(factor)) for name in names})
    return made


UNITS = _table("""
length 1e-9 nm nanometre nanometer
length 1e-6 µm μm micrometre micrometer
length 1e-3 mm millimetre millimeter
length 1e-2 cm centimetre centimeter
length 1 m metre meter
length 1000 km kilometre kilometer kilometres
length 0.0254 inch inches
length 0.3048 ft foot feet
length 0.9144 yd yard
length 1609.344 mi mile
mass 1e-9 µg μg mcg microgram
mass 1e-6 mg milligram
mass 1e-3 g gram gramme
mass 1 kg kilo kilogram kilogramme
mass 1000 t tonne
ton 1 ton
mass 0.45359237 lb lbs
mass 0.028349523125 oz ounce
stone 1 stone
volume 1e-6 ml mL millilitre milliliter
volume 1e-5 cl centilitre centiliter
volume 1e-4 dl decilitre deciliter
volume 1e-3 l L litre liter
volume 0.1 hl hectolitre hectoliter
gallon 1 gallon
pint 1 pint
area 10000 ha hectare
acre 1 acre
time 1e-3 ms millisecond
time 1 s sec second
time 60 min minute mins
time 3600 h hr hour hrs
time 86400 day
time 604800 week
time 1209600 fortnight
months 1 month
months 12 year yr
months 120 decade
months 1200 century centuries
data 1/8 bit
data 1 B byte
data 1e3 kB KB kilobyte
data 1e6 MB megabyte
data 1e9 GB gigabyte
data 1e12 TB terabyte
data 1e15 PB petabyte
data 1024 KiB
data 1048576 MiB
data 1073741824 GiB
data 125 kbit
data 125000 Mbit
data 125000000 Gbit
power 1e-3 mW milliwatt
power 1 W watt
power 1e3 kW kilowatt
power 1e6 MW megawatt
power 1e9 GW gigawatt
energy 1 Wh
energy 1e3 kWh
energy 1e6 MWh
energy 1e9 GWh
joule 1 J joule
joule 1e3 kJ kilojoule
calorie 1 cal calorie
calorie 1e3 kcal kilocalorie
voltage 1e-3 mV millivolt
voltage 1 V volt
voltage 1e3 kV kilovolt
current 1e-3 mA milliamp
current 1 A amp ampere
frequency 1 Hz hertz
frequency 1e3 kHz kilohertz
frequency 1e6 MHz megahertz
frequency 1e9 GHz gigahertz
pressure 1 Pa pascal
pressure 100 hPa mbar
pressure 1e3 kPa
pressure 100000 bar
psi 1 psi
decibel 1 dB decibel
knot 1 knot
celsius 1 celsius °c
fahrenheit 1 fahrenheit °f
percent 1 % percent pct
point 1 pp
permille 1 ‰
times 1 times fold x ×
€ 1 € euro EUR
$ 1 $ dollar USD
£ 1 £ GBP sterling quid
¥ 1 ¥ yen JPY
CHF 1 CHF franc
₹ 1 ₹ rupee INR
CNY 1 CNY RMB yuan
₽ 1 ₽ rouble ruble RUB
₩ 1 ₩ won KRW
SEK 1 SEK krona kronor
NOK 1 NOK
DKK 1 DKK
kroner 1 krone kroner
crown 1 crown
mark 1 mark
AUD 1 AUD
CAD 1 CAD
zł 1 PLN zloty
£ 1/100 p pence penny
""")
"""A name, in the singular, with its kind and how much of the kind's own unit it is; those of up to three letters by
their case."""
SPEEDS = {"mph": "mile", "kph": "km", "kmh": "km"}
"""What is travelled in an hour."""
SHARES = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
VAGUE = {"dozens": 12, "hundreds": 100, "thousands": 1000, "millions": 10**6, "billions": 10**9}
DECADES = {
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70, "eighties": 80,
    "nineties": 90,
}  # fmt: skip
AMBIGUOUS = {
    "pound": (("£", Fraction(1)), ("mass", Fraction("0.45359237"))),
    "cent": (("cent", Fraction(1)), ("€", Fraction(1, 100)), ("$", Fraction(1, 100))),
    "c": (("cent", Fraction(1)), ("€", Fraction(1, 100)), ("$", Fraction(1, 100))),
}
"""What may be several units."""
GLUED = frozenset({"p", "x", "c"})
"""Units only right behind a number."""
CURRENCY_SIGNS = "€$£¥₹₽₩"
SCALES = {
    "dozen": 12, "k": 1000, "m": 10**6, "mn": 10**6, "mio": 10**6, "bn": 10**9, "tn": 10**12,
    "K": 1000, "M": 10**6,
}  # fmt: skip
MULTIPLES = {
    "once": 1, "twice": 2, "thrice": 3, "double": 2, "doubled": 2, "doubling": 2, "doubles": 2, "twofold": 2,
    "triple": 3, "tripled": 3, "tripling": 3, "triples": 3, "trebled": 3, "threefold": 3, "quadruple": 4,
    "quadrupled": 4, "fourfold": 4, "tenfold": 10,
}  # fmt: skip
MONTHS = {
    "January": 1, "Jan": 1, "February": 2, "Feb": 2, "March": 3, "Mar": 3, "April": 4, "Apr": 4, "May": 5, "June": 6,
    "Jun": 6, "July": 7, "Jul": 7, "August": 8, "Aug": 8, "September": 9, "Sept": 9, "Sep": 9, "October": 10, "Oct": 10,
    "November": 11, "Nov": 11, "December": 12, "Dec": 12,
}  # fmt: skip
_LABELS = """
section sec sect §
article art
clause
chapter ch chap
page p pp
paragraph para
figure fig
table tab
version v
volume vol
room
platform
line
port
step
gate
floor
appendix
annex
item
question
exercise
route
flight
level
phase
stage
round
class
type
grade
group
zone
block
building
apartment
unit
lot
rule
schedule
day
"""
LABELS = {name: line.split()[0] for line in _LABELS.strip().splitlines() for name in line.split()}
"""What may stand before a number that is a name, and which of them mean the same."""
PLAIN_LABELS = frozenset({"number", "no", "nr", "num", "code", "error", "part", "model", "id", "ref", "reference"})
"""These say nothing more than that it is one."""
TIME_KINDS = frozenset({"time", "months"})
