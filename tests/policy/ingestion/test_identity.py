"""Identity by content and source: what is one document, whatever its path, order and partition."""

import itertools
import json
import random
from datetime import date

import pytest

from engram.policy.embedded import EmbeddedEngine
from engram.policy.ingestion import ingest
from engram.policy.store import Store
from tests.policy.ingestion.test_ingest import holding, lay, tree

_VOCABULARY = """tax duty tariff increase reduce people war peace law money harvest river senate
nation commerce treasury citizen liberty railway canal silver gold farmer worker school army navy"""
WORDS = _VOCABULARY.split()
METADATA = b"FirstName,President,Date,delivery,nwords,type,filename,party\n"


def prose(seed, words=600):
    """Sentences of random words, so that two seeds share next to no shingle."""
    dice = random.Random(seed)
    chosen = [f"{dice.choice(WORDS)}{dice.randrange(90)}" for _ in range(words)]
    return ". ".join(" ".join(chosen[i : i + 12]).capitalize() for i in range(0, words, 12)) + "."


def transcribed(text, seed=0):
    """The text as another archive has it: heading, notes, dashes, hyphens, capitals, slips."""
    dice = random.Random(seed)
    words = text.replace(". ", ".\n\n").replace("tariff", "TARIFF").split(" ")
    words = [f"{w[:3]}-\n{w[3:]}" if len(w) > 6 and dice.random() < 0.1 else w for w in words]
    words = ["(Applause.)" if dice.random() < 0.02 else w for w in words]
    return f"ANNUAL MESSAGE\n\nFellow-Citizens:\n\n{' '.join(words)}\n\n[1] Printed as read."


def two_archives(root, text):
    spoken = f"President: Bill Clinton\n\n{text}".encode()
    row = b'William J.,Clinton,"January 24, 1995",spoken,9,SOTU,su1995.txt,Democratic\n'
    speeches = lay(root / "speeches", {"1995-01-24-state-of-the-union.txt": spoken})
    lay(speeches, {"1995-03-01-other.txt": f"President: Bill Clinton\n\n{prose(9)}".encode()})
    messages = lay(
        root / "messages",
        {"su1995.txt": transcribed(text).encode(), "SOTU_metadata.csv": METADATA + row},
    )
    return speeches, messages


def counts(location, *queries, by=None):
    store = Store(location)
    engine = EmbeddedEngine(store.segments())
    found = []
    for query in queries:
        tally = engine.tally(query, by)
        columns = (tally.documents, tally.occurrences, tally.all_documents, tally.all_tokens)
        found.append((tally.groups, *(column.tolist() for column in columns)))
    engine.close()
    return found


def shown(location):
    engine = EmbeddedEngine(Store(location).segments())
    documents = engine.fetch(sorted(holding(location)))
    engine.close()
    return documents


def test_a_speech_of_two_sources_counts_once(tmp_path):
    speeches, messages = two_archives(tmp_path, prose(1))
    found = ingest([speeches, messages], tmp_path / "both", workers=1)
    assert found.doubles.two_sources == 1
    assert Store(tmp_path / "both").manifest.documents == {"message": 1, "speech": 1}
    # The oracle: a store of the message and of the other speech alone.
    (speeches / "1995-01-24-state-of-the-union.txt").unlink()
    ingest([speeches, messages], tmp_path / "alone", workers=1)
    queries = ("tax0*", "{duty1*, silver*}", "NOT tax*", "type:message", "type:speech", "date:1995")
    assert counts(tmp_path / "both", *queries) == counts(tmp_path / "alone", *queries)


def test_the_kept_copy_takes_what_its_own_source_does_not_tell(tmp_path):
    speeches, messages = two_archives(tmp_path, prose(1))
    ingest([speeches, messages], tmp_path / "store", workers=1)
    [message] = [one for one in shown(tmp_path / "store") if one.doc_type == "message"]
    assert (message.speaker, message.party) == ("Bill Clinton", "Democratic")
    assert message.printed == "William J. Clinton"
    assert message.url.endswith("january-24-1995-state-of-the-union")
    [double] = Store(tmp_path / "store").doubles()
    assert double["kept"] == "sotu:su1995"
    assert double["double"] == "president:1995-01-24-state-of-the-union"


def test_neither_order_nor_runs_nor_partitions_decide(tmp_path):
    speeches, messages = two_archives(tmp_path, prose(1))
    several = [prose(seed) for seed in range(20, 26)]
    lay(
        speeches,
        {f"1996-0{i + 1}-01-a{i}.txt": text.encode() for i, text in enumerate(several)},
    )
    stores = []
    for number, (order, size, workers) in enumerate(
        [
            ([[speeches, messages]], 1 << 20, 1),
            ([[messages], [speeches]], 1 << 20, 1),
            ([[speeches], [messages]], 3_000, 2),
            ([[messages, speeches]], 1, 1),
        ]
    ):
        stores.append(tmp_path / f"store{number}")
        for run in order:
            ingest(run, stores[-1], workers=workers, partition_size=size)
    first, *others = stores
    queries = [("tax*", "year"), ("tax*", "speaker"), ("silver*", "party"), ("gold*", "type")]
    for other in others:
        assert sorted(shown(other), key=lambda one: one.id) == shown(first)
        for query, by in queries:
            assert counts(other, query, by=by) == counts(first, query, by=by)
        assert sorted(map(str, Store(other).doubles())) == sorted(map(str, Store(first).doubles()))


ONE_LINE = "Mr. President, I suggest the absence of a quorum."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Formulas of procedure are alike, and yet are spoken twice.
        (("1995-01-24", "A B", ONE_LINE), ("1995-01-24", "A B", ONE_LINE)),
        # The same words of two persons, or of two days far apart.
        (("1995-01-24", "A B", prose(1)), ("1995-01-24", "C D", prose(1))),
        (("1995-01-24", "A B", prose(1, 200)), ("1995-01-27", "A B", prose(1, 200))),
        (("1995-01-24", "A B", prose(1)), ("1996-01-24", "A B", prose(1))),
        # Two texts of one day with a paragraph in common.
        (
            ("1995-01-24", "A B", prose(1) + prose(3, 60)),
            ("1995-01-24", "A B", prose(2) + prose(3, 60)),
        ),
    ],
)
def test_what_is_alike_and_not_one_stays_apart(tmp_path, one, other):
    day, who, text = one
    speeches = lay(tmp_path / "a", {f"{day}-x.txt": f"President: {who}\n\n{text}".encode()})
    day, who, text = other
    first, last = who.split()
    row = f'{first},{last},"{date.fromisoformat(day):%B %d, %Y}",spoken,9,SOTU,su1995.txt,Whig\n'
    messages = lay(
        tmp_path / "b",
        {"su1995.txt": text.encode(), "SOTU_metadata.csv": METADATA + row.encode()},
    )
    ingest([speeches, messages], tmp_path / "store", workers=1)
    assert Store(tmp_path / "store").manifest.documents == {"message": 1, "speech": 1}


def test_a_file_under_another_name_counts_once(tmp_path):
    text = f"President: A B\n\n{prose(4)}".encode()
    names = ("2005-01-01-one.txt", "copies/2005-01-01-one.txt", "2005-01-01-one-0.txt")
    found = ingest([lay(tmp_path / "in", dict.fromkeys(names, text))], tmp_path / "s", workers=1)
    assert Store(tmp_path / "s").manifest.documents == {"speech": 1}
    assert (found.repeated, found.doubles.one_source) == (1, 1)
    assert found.rejected == {}


def shingles(text):
    plain = "".join(filter(str.isalnum, text.lower()))
    return {plain[i : i + 16] for i in range(len(plain) - 15)}


def test_doubles_are_those_of_comparing_every_pair(tmp_path):
    dice, base = random.Random(5), prose(0, 700)
    texts = []
    for seed in range(24):
        share = dice.random()
        texts.append(" ".join([base[: int(share * len(base))], prose(100 + seed, 300)]))
    speeches = {f"1995-01-24-x{i}.txt": text.encode() for i, text in enumerate(texts[:12])}
    rows, messages = [METADATA.decode()], {}
    for i, text in enumerate(texts[12:]):
        name = f"su1995{chr(97 + i)}.txt"
        messages[name] = text.encode()
        rows.append(f'A,B,"January 24, 1995",spoken,9,SOTU,{name},Whig\n')
    messages["SOTU_metadata.csv"] = "".join(rows).encode()
    ingest(
        [lay(tmp_path / "a", speeches), lay(tmp_path / "b", messages)], tmp_path / "s", workers=1
    )
    found = {
        (one["double"].split("-x")[-1], one["kept"][-1]) for one in Store(tmp_path / "s").doubles()
    }
    similar = {}
    for (i, one), (j, other) in itertools.product(enumerate(texts[:12]), enumerate(texts[12:])):
        a, b = shingles(one), shingles(other)
        similar[i, j] = len(a & b) / len(a | b)
    expected, taken = set(), (set(), set())
    for (i, j), value in sorted(similar.items(), key=lambda item: -item[1]):
        if value >= 0.3 and i not in taken[0] and j not in taken[1]:
            expected.add((str(i), chr(97 + j)))
            taken[0].add(i)
            taken[1].add(j)
    assert len(expected) > 3
    assert found == expected


def bill(number, text, **fields):
    record = {"bill_id": f"hr{number}-113", "bill_type": "hr", "number": str(number)}
    record |= {"congress": "113", "introduced_at": "2013-01-03", "official_title": "A bill."}
    return json.dumps(record | {"summary": {"text": text}} | fields).encode()


def bills(root, *texts, **fields):
    return lay(root, {f"{n}/data.json": bill(n, text, **fields) for n, text in enumerate(texts)})


def test_an_updated_bill_replaces_its_old_text(tmp_path):
    folder = bills(tmp_path / "in", "the salmon", "the herring")
    ingest([folder], tmp_path / "store", workers=1)
    bills(folder, "the zebrafish", "the herring", "the trout")
    found = ingest([folder], tmp_path / "store", workers=1)
    assert (found.documents, found.updated, found.unchanged) == ({"bill": 1}, 1, 1)
    assert found.rejected == {}
    ingest([folder], tmp_path / "fresh", workers=1)
    queries = ("salmon", "zebrafish", "herring", "trout", "the")
    assert counts(tmp_path / "store", *queries) == counts(tmp_path / "fresh", *queries)
    assert Store(tmp_path / "store").manifest.documents == {"bill": 3}
    assert len(list((tmp_path / "store" / "segments").iterdir())) == 1, "the old text is kept"
    again = ingest([folder], tmp_path / "store", workers=1)
    assert (again.partitions, again.updated, again.rejected) == (0, 0, {})


def test_a_text_that_is_put_back_counts_again(tmp_path):
    folder = bills(tmp_path / "in", "the salmon")
    ingest([folder], tmp_path / "store", workers=1)
    ingest([bills(folder, "the zebrafish")], tmp_path / "store", workers=1)
    ingest([bills(folder, "the salmon")], tmp_path / "store", workers=1)
    [(_, found, *_), (_, gone, *_)] = counts(tmp_path / "store", "salmon", "zebrafish")
    assert (found, gone) == ([1], [0])


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_sources_own_date_decides_between_versions(tmp_path, together, turned):
    old = bills(tmp_path / "a", "the salmon, at length", updated_at="2013-07-17T16:10:12-04:00")
    new = bills(tmp_path / "b", "the trout", updated_at="2013-07-17T22:00:00+00:00")
    runs = [new, old] if turned else [old, new]
    for run in [runs] if together else [[one] for one in runs]:
        ingest(run, tmp_path / "store", workers=1)
    [(_, found, *_), (_, gone, *_)] = counts(tmp_path / "store", "trout", "salmon")
    assert (found, gone) == ([1], [0])


def test_two_versions_in_one_archive_are_one_document(tmp_path):
    folder = lay(
        tmp_path / "in",
        {
            "a/data.json": bill(1, "the trout", updated_at="2014-01-01"),
            "b/data.json": bill(1, "the salmon, at length", updated_at="2013-01-01"),
            "c/data.json": bill(1, "the herring", updated_at="2015-01-01"),
        },
    )
    found = ingest([folder], tmp_path / "store", workers=1)
    assert (found.documents, found.repeated) == ({"bill": 1}, 2)
    results = counts(tmp_path / "store", "trout", "salmon", "herring")
    assert [one[1] for one in results] == [[0], [0], [1]]


def test_what_is_no_longer_in_the_input_is_kept_until_it_is_pruned(tmp_path):
    folder = bills(tmp_path / "in", "the salmon", "the herring")
    ingest([folder], tmp_path / "store", workers=1)
    (folder / "0" / "data.json").unlink()
    found = ingest([folder], tmp_path / "store", workers=1)
    assert found.left == 1
    assert Store(tmp_path / "store").manifest.documents == {"bill": 2}
    ingest([folder], tmp_path / "store", workers=1, prune=True)
    ingest([folder], tmp_path / "fresh", workers=1)
    assert tree(tmp_path / "store") == tree(tmp_path / "fresh")


def test_a_file_that_is_mended_leaves_the_quarantine(tmp_path):
    folder = lay(tmp_path / "in", {"1/data.json": b"{", "2/data.json": bill(2, "the trout")})
    ingest([folder], tmp_path / "store", workers=1)
    assert Store(tmp_path / "store").manifest.rejected == {"malformed-record": 1}
    lay(folder, {"1/data.json": bill(1, "the salmon")})
    ingest([folder], tmp_path / "store", workers=1)
    assert Store(tmp_path / "store").manifest.rejected == {}
    assert list(Store(tmp_path / "store").rejections()) == []


def test_of_two_forms_of_a_page_the_better_one_counts_as_a_whole(tmp_path):
    page = "CREC-2005-07-20-pt1-PgH1"
    turn = {"kind": "speech", "speaker": "Mr. ABLE", "text": "Mr. ABLE. The tax.", "turn": 0}
    content = {"id": page, "title": "T", "header": {"chamber": "House"}, "content": [turn]}
    html = b"<pre>\n[House]\n  Mr. ABLE. The levy.\n\n  Mr. BAKER. The levy.\n</pre>"
    one = lay(tmp_path / "a", {f"d/html/{page}.htm": html})
    other = lay(tmp_path / "b", {f"d/json/{page}.json": json.dumps(content).encode()})
    for name, runs in {"x": [[one], [other]], "y": [[other], [one]], "z": [[one, other]]}.items():
        for run in runs:
            ingest(run, tmp_path / name, workers=1)
        assert len(holding(tmp_path / name)) == 1
        assert [row[1] for row in counts(tmp_path / name, "tax", "levy")] == [[1], [0]]
