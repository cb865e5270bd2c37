"""Whether the name of a file or folder identifies the patient: by name, number or birth date.

Identifying attributes are compared here and never passed on.
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass, field

from pydicom.dataset import FileDataset

from cardioseg.imaging.dicom.headers import unwarned

IDENTITY = ("PatientName", "PatientID", "PatientIdentityRemoved", "PatientBirthDate")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Identity:
    """What identifies a patient.

    Attributes:
        words: from name and number, lower case without accents.
        births: birth dates as YYYYMMDD.
        number: the patient's number, to tell patients apart.
    """

    words: frozenset[str] = field(default=frozenset(), repr=False)
    births: frozenset[str] = field(default=frozenset(), repr=False)
    number: str = field(default="", repr=False)

    def __or__(self, other: "Identity") -> "Identity":
        number = self.number or other.number
        return Identity(self.words | other.words, self.births | other.births, number)

    def is_in(self, name: str) -> bool:
        """Whether ``name`` contains a word or a birth date of the patient."""
        return any(_contains(name, word) for word in self.words) or any(
            _contains_date(name, birth) for birth in self.births
        )


def identity_of(header: FileDataset) -> Identity:
    """What identifies the patient in a header.

    Words with digits are not names, and an ID that equals the name is a pseudonym.
    """
    with unwarned():
        name, number = (_words(str(header.get(key) or "")) for key in ("PatientName", "PatientID"))
        removed = str(header.get("PatientIdentityRemoved") or "").upper() == "YES"
        births = _births(header)
    whole = "".join(number)
    if removed or (name == number and any(character.isdigit() for character in "".join(name))):
        return Identity(births=births, number=whole)
    words = _name_words(name) | {whole, whole.lstrip("0")} - {""}
    return Identity(frozenset(words), births, whole)


def _births(header: FileDataset) -> frozenset[str]:
    """The birth date as YYYYMMDD; empty where it is missing or not a date."""
    birth = re.sub(r"\D", "", str(header.get("PatientBirthDate") or ""))
    return frozenset({birth} if re.fullmatch(r"[1-9]\d{3}[01]\d[0-3]\d", birth) else ())


def _name_words(name: list[str]) -> set[str]:
    """The words of a name without digits, longer than a letter, and all pairs of words joined."""
    alphabetic = [word for word in name if word.isalpha()]
    words = {word for word in alphabetic if len(word) > 1}
    return words | {"".join(two) for two in itertools.permutations(alphabetic, 2)}


def _contains(name: str, part: str) -> bool:
    """Whether a name contains ``part`` as a word, or anywhere if it is long or not ASCII."""
    within = len(part) > 3 or not part.isascii()
    return part in _words(name) or (within and part in "".join(_words(name)))


def _contains_date(name: str, birth: str) -> bool:
    """Whether a name contains a date in any common order, with or without separators."""
    year, month, day = birth[:4], birth[4:6], birth[6:]
    years = f"(?:{year}|{year[2:]})"
    months = f"(?:{_number(month)}|{MONTHS[(int(month) - 1) % 12]}[a-z]*)"
    orders = [(years, months, _number(day)), (_number(day), months, years)]
    orders.append((months, _number(day), years))
    dates = "|".join(r"[\W_]*".join(order) for order in orders)
    dated = re.search(rf"(?<!\d)(?:{dates})(?!\d)", name.casefold())
    return bool(dated) or birth in re.sub(r"\D", "", name)


def _number(digits: str) -> str:
    """A pattern of two digits, of which a leading zero may be left out."""
    return f"0?{digits[1]}" if digits.startswith("0") else digits


def _words(text: str) -> list[str]:
    """Runs of letters and digits, lower case without accents, as "Ä" has several encodings."""
    bare = (
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return re.findall(r"[^\W_]+", "".join(bare))
