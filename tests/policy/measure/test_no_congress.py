from datetime import date

from engram.policy import Document, segment
from engram.policy.embedded import EmbeddedEngine
from engram.policy.measure import frequency


def test_documents_of_no_congress_are_left_out_of_congresses_and_said(tmp_path):
    day = date(1987, 10, 27)
    foreign = Document("k:1", "speech", day, "T", "The tax.", congress=None)
    for number, documents in enumerate(
        ([foreign, Document("a:1", "speech", day, "T", "The tax.")], [foreign])
    ):
        path = tmp_path / f"{number}.sqlite"
        segment.write(path, documents)
        engine = EmbeddedEngine([path])
        answer = frequency(engine, "tax", by="congress")
        assert [(row.group, row.occurrences) for row in answer.rows] == [(100, 1)][number:]
        assert "Left out: 1 documents of no Congress." in answer.notes
        assert frequency(engine, "tax", by="year").rows[0].occurrences == len(documents)
        engine.close()
