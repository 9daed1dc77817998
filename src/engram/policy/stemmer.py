"""The stemmer removes the inflection of a word, so that a query matches plurals and tenses.

It is the inflectional part of the English (Porter2) stemmer: steps 0 and 1 (possessives, plurals,
-ed and -ing, y to i) and step 5 (final e and l), with Porter2's exceptions and those of `_KEPT`
and `_FORMS`. Steps 2 to 4, which remove derivational suffixes, are left out: "imports" and
"imported" count as "import", but "important" does not, and "taxation" is not the same word as
"tax".

References:
    Porter, "The English (Porter2) stemming algorithm", https://snowballstem.org/algorithms/
    english/stemmer.html.
"""

import re
from functools import lru_cache

_FORMS = {
    form: stem
    for stem, forms in {
        "sky": "skies",
        "die": "die dies died dying",
        "lie": "lie lies lied lying",
        "tie": "tie ties tied tying",
        "vie": "vie vies vied vying",
        "unite": "unite unites united uniting",
        "humane": "humane",
        "morale": "morale",
        "locale": "locale locales",
        "paste": "paste pastes pasted pasting",
        "bathe": "bathe bathes bathed bathing",
        "clothe": "clothe clothes clothed clothing",
        "breathe": "breathe breathes breathed breathing",
        "secrete": "secrete secretes secreted secreting",
        "urbane": "urbane",
        "discrete": "discrete",
        "artiste": "artiste artistes",
        "rationale": "rationale rationales",
        "severe": "severe",
        "go": "goes going",
        "do": "does doing",
        "free": "frees freed freeing",
    }.items()
    for form in forms.split()
}
"""Forms that the rules would confuse with another word, or fail to unite."""

_KEPT = """news howe atlas cosmos bias andes texas kansas arkansas dallas christmas alias corps
series species means politics economics physics mathematics statistics ethics athletics philippines
netherlands inning outing canning herring earring evening during nothing something anything
everything king ring sing bring spring string thing wing sting sling cling fling swing wring ceiling
its ours yours hers theirs willing housing footing incoming quite grande germane therefor borne
maine harding harris hayes angeles aires porte morales foote proceed exceed succeed indeed need feed
seed speed bleed breed deed heed weed steed greed hundred sacred kindred naked wicked red bed shed
sled wed embed"""
"""Words that only seem to be inflected, or that mean something else without the ending."""

_WHOLE = frozenset(_KEPT.split())
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_VOWEL = re.compile("[aeiouy]")
_REGION = re.compile("[aeiouy][^aeiouy]")


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a word.

    Args:
        word: The word, in lower case and without diacritics. One that contains other characters
            than letters, such as u.s or 1990s, is its own stem.
    """
    if len(word) <= 2 or not word.isalpha() or word in _WHOLE:
        return word
    if word in _FORMS:
        return _FORMS[word]
    if word[-1] not in "sdgeyl":
        return word
    marked = re.sub("(?<=[aeiouy])y", "Y", "Y" + word[1:] if word[0] == "y" else word)
    marked = _without_past(_without_plural(marked))
    if len(marked) > 2 and marked[-1] in "yY" and marked[-2] not in "aeiouyY":
        marked = marked[:-1] + "i"
    return _without_final(marked).lower()


def _without_plural(word: str) -> str:
    """Step 1a."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith(("us", "ss")) or not word.endswith("s"):
        return word
    return word[:-1] if _VOWEL.search(word[:-2]) else word


def _without_past(word: str) -> str:
    """Step 1b, without the adverbs."""
    if word.endswith("eed"):
        return word[:-1] if len(word) - 3 >= _region(word) else word
    ending = next((ending for ending in ("ed", "ing") if word.endswith(ending)), None)
    if ending is None or not _VOWEL.search(word[: -len(ending)]):
        return word
    word = word[: -len(ending)]
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if word[-2:] in _DOUBLES:
        return word if len(word) == 3 and word[0] in "aeo" else word[:-1]
    return word + "e" if _ends_short(word) and _region(word) == len(word) else word


def _without_final(word: str) -> str:
    """Step 5."""
    start = _region(word)
    second = _region(word, start)
    last = len(word) - 1
    if word.endswith("e") and (last >= second or (last >= start and not _ends_short(word[:-1]))):
        return word[:-1]
    return word[:-1] if word.endswith("ll") and last >= second else word


def _region(word: str, start: int = 0) -> int:
    """Start of the region after the first consonant that follows a vowel: R1, then R2."""
    if not start and (found := re.match("gener|commun|arsen", word)):
        return found.end()
    found = _REGION.search(word, start)
    return found.end() if found else len(word)


def _ends_short(word: str) -> bool:
    """Whether the word ends in a short syllable."""
    return bool(re.search("(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy])$", word))
