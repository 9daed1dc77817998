"""The Solr schema of a collection: types and fields, made through the Schema API.

The text is analysed before it is sent, so that Engram's analyzer decides what a word is, whatever
Solr's version. The field of terms gets `stem=form` for each word, from which Solr makes two terms
at one position: `stem=form`, which matches an exact word of a query, and `stem`. The field of
words gets `folded=stem=form` once for each form in a document, for the lookup of prefixes.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from engram.policy.analyzer import Word, words
from engram.policy.document import Document, searched
from engram.policy.query.tree import key
from engram.policy.solr.client import Solr, SolrError

TEXT: Final = "text"
"""The field that holds what is searched: the text of a document, or its title if it has none."""

TERMS: Final = "terms"
"""The field of the terms of the text."""

WORDS: Final = "words"
"""The field of the forms of the text, for prefixes."""

_SPACES: Final = {"tokenizer": {"name": "whitespace", "maxTokenLen": "4096"}}

FIELD_TYPES: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "engram_terms",
        "class": "solr.TextField",
        "indexAnalyzer": {
            **_SPACES,
            "filters": [
                {
                    "name": "patternCaptureGroup",
                    "pattern": "^([^=]+)=",
                    "preserve_original": "true",
                },
                # gives no term a payload, but declares how one would be read: `payload_score` then
                # adds up 1 for each term of each occurrence of a phrase, and so counts
                # phrases exactly
                {"name": "numericPayload", "payload": "1", "typeMatch": "none"},
            ],
        },
        "queryAnalyzer": _SPACES,
    },
    {"name": "engram_words", "class": "solr.TextField", "analyzer": _SPACES},
)
"""Engram's own types; the others exist in every Solr."""


def _field(name: str, kind: str, **options: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, "indexed": True, "stored": True} | options


_KEPT: Final = {"indexed": False, "docValues": False}

FIELDS: Final[tuple[dict[str, Any], ...]] = (
    _field(TEXT, "string", **_KEPT),
    _field(TERMS, "engram_terms", stored=False, omitNorms=True),
    _field(WORDS, "engram_words", stored=False, omitNorms=True, omitTermFreqAndPositions=True),
    _field("text_is_title", "boolean"),
    _field("title", "string", **_KEPT),
    _field("url", "string", **_KEPT),
    _field("doc_type", "string"),
    _field("date", "pdate"),
    _field("year", "pint"),
    _field("month", "string"),
    _field("congress", "pint"),
    _field("session", "pint"),
    _field("chamber", "string"),
    _field("speaker", "string"),
    _field("speaker_key", "string", stored=False),
    _field("printed", "string"),
    _field("party", "string"),
    _field("party_key", "string", stored=False),
    _field("state", "string"),
    _field("state_key", "string", stored=False),
    _field("source", "string"),
    _field("segment", "string"),
    _field("n_tokens", "pint"),
)
"""Fields in addition to the `id` of every Solr; a `_key` is a name in normalised form."""


_AS_THEY_ARE: Final = (
    "doc_type", "title", "congress", "session", "chamber", "source", "url", "printed"
)  # fmt: skip

STORED: Final = ("id", TEXT, "text_is_title", "date", "speaker", "party", "state", *_AS_THEY_ARE)
"""The fields from which a document is reconstructed."""


def create_schema(solr: Solr) -> list[str]:
    """Create the types and fields that a collection lacks; existing ones are left alone.

    Returns:
        The names of what was created.

    Raises:
        SolrError: If the collection has one of them with another definition.
    """
    present = solr.get("/schema")["schema"]
    unique = present.get("uniqueKey")
    if unique != "id":
        raise SolrError(f"{solr.url} has the unique key {unique!r}, not 'id'; use another")
    types = _missing(FIELD_TYPES, present["fieldTypes"], solr)
    fields = _missing(FIELDS, present["fields"], solr)
    commands = {"add-field-type": types, "add-field": fields}
    made = {command: entries for command, entries in commands.items() if entries}
    if made:
        solr.post("/schema", made)
    return [entry["name"] for entry in (*types, *fields)]


def create_collection(solr: Solr, shards: int = 1) -> bool:
    """Create the collection if it is missing and the server is a cloud.

    Args:
        solr: The collection.
        shards: Number of shards of a new collection.

    Returns:
        Whether it was created.

    Raises:
        SolrError: If it is missing and the server is a single node, where the user has to create
            it.
    """
    try:
        solr.get("/schema/uniquekey")
    except SolrError as error:
        if error.status != 404 or solr.admin("/admin/info/system").get("mode") != "solrcloud":
            raise
        solr.admin("/admin/collections", action="CREATE", name=solr.name, numShards=shards)
        return True
    return False


def analyse(solr: Solr, text: str) -> list[set[str]]:
    """The terms that Solr makes of a text, by position.

    Args:
        solr: The collection, with its schema made.
        text: Any text.
    """
    sent = " ".join(exact(word) for word in words(text))
    asked = {"analysis.fieldname": TERMS, "analysis.fieldvalue": sent}
    found = solr.form("/analysis/field", **asked)["analysis"]["field_names"][TERMS]
    terms: dict[int, set[str]] = {}
    for token in found["index"][-1] if found else ():
        terms.setdefault(token["position"], set()).add(token["text"])
    return list(terms.values())


def exact(word: Word) -> str:
    """The index term of an exact word.

    Args:
        word: A word of a text.
    """
    return f"{word.stem}={word.form}"


def _indexed(found: Iterable[Word]) -> dict[str, str]:
    """The values of the fields of terms and words."""
    found = list(found)
    forms = sorted({f"{word.folded}={exact(word)}" for word in found})
    return {TERMS: " ".join(map(exact, found)), WORDS: " ".join(forms)}


def encode(document: Document, n_tokens: int, segment: str) -> dict[str, Any]:
    """Encode a document for Solr; None values are left out.

    Args:
        document: The document.
        n_tokens: How many terms it has.
        segment: Name of its segment.
    """
    names = {name: getattr(document, name) for name in ("speaker", "party", "state")}
    keys = {f"{name}_key": key(value) for name, value in names.items() if value is not None}
    entry = {
        "id": document.id,
        TEXT: searched(document),
        **_indexed(words(searched(document))),
        "text_is_title": not document.text,
        "date": f"{document.date.isoformat()}T00:00:00Z",
        "year": document.date.year,
        "month": document.date.isoformat()[:7],
        "n_tokens": n_tokens,
        "segment": segment,
        **{name: getattr(document, name) for name in _AS_THEY_ARE},
        **names,
        **keys,
    }
    return {name: value for name, value in entry.items() if value is not None}


def decode(entry: Mapping[str, Any]) -> Document:
    """Decode a document encoded by `encode`.

    Args:
        entry: What Solr returned, with all of `STORED`.
    """
    kept: dict[str, Any] = {
        name: entry.get(name) for name in (*_AS_THEY_ARE, "speaker", "party", "state")
    }
    return Document(
        id=entry["id"],
        date=date.fromisoformat(entry["date"][:10]),
        text="" if entry["text_is_title"] else entry[TEXT],
        **kept,
    )


def _missing(
    wanted: tuple[dict[str, Any], ...], present: list[dict[str, Any]], solr: Solr
) -> list[dict[str, Any]]:
    by_name = {entry["name"]: entry for entry in present}
    for entry in wanted:
        found = by_name.get(entry["name"])
        if found is not None and not _agrees(entry, found):
            raise SolrError(
                f"{solr.url} has a {entry['name']!r} of another kind ({found}) than Engram needs "
                f"({entry}); use a collection of its own"
            )
    return [entry for entry in wanted if entry["name"] not in by_name]


def _agrees(wanted: Any, found: Any) -> bool:
    """Whether an existing definition has all wanted settings, and equal lists."""
    match wanted:
        case Mapping():
            return isinstance(found, Mapping) and all(
                name in found and _agrees(value, found[name]) for name, value in wanted.items()
            )
        case list():
            return (
                isinstance(found, list)
                and len(found) == len(wanted)
                and all(map(_agrees, wanted, found))
            )
        case _:
            return str(wanted).lower() == str(found).lower()
