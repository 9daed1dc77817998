"""Exchange of the head of an index: new vectors from the features that are stored."""

from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from engram.errors import EngramError
from engram.retrieval.library.calibrate import measure_level
from engram.retrieval.library.catalogue import NAME, Catalogue, load_catalogue
from engram.retrieval.library.library import Library, open_segments
from engram.retrieval.library.segment import replace_file
from engram.retrieval.library.update import Encoder, Head, model_of
from engram.retrieval.library.writer import Writer


def exchange_head(
    store: Path, encoder: Encoder, head: Head, file: str = "", content: bytes = b""
) -> int:
    """Give an index another head. The old one serves until all vectors are there.

    Args:
        store: Folder of the index; made if there is none.
        encoder: The encoder of the pictures, which must be that of the index.
        head: The new head.
        file: Name of the file of the head in the index; empty for a head without one.
        content: What is written to it.

    Returns:
        Number of pictures in the index.

    Raises:
        ValueError: If the index has another encoder, or another process updates it.
    """
    store.mkdir(parents=True, exist_ok=True)
    model = model_of(encoder, head)
    try:
        with FileLock(store / "lock", timeout=0):
            before = (
                load_catalogue(store) if (store / NAME).exists() else Catalogue(model, encoder.side)
            )
            if not before.model.startswith(f"{encoder.identity}; "):
                raise EngramError(
                    f"the index in {store} has the encoder {before.model.partition(';')[0]!r} and "
                    f"the head {encoder.identity!r}; train with the same side"
                )
            return _exchange(store, before, model, head, file, content)
    except Timeout as error:
        raise EngramError(f"another process updates the index in {store}; wait for it") from error


def _exchange(
    store: Path, before: Catalogue, model: str, head: Head, file: str, content: bytes
) -> int:
    live = set(before.pictures)
    with Writer(store, model) as writer:
        if before.model != model:
            for segment in open_segments(store, before.model):
                rows = segment.read()
                new = [row for row, key in enumerate(rows.keys) if key not in writer.known]
                if new:
                    features = rows.features[new].astype(np.float32)
                    keys, facts = [rows.keys[i] for i in new], [rows.facts[i] for i in new]
                    writer.add(keys, facts, features, head.pictures(features))
        writer.finish(live)
    if file:
        replace_file(store / file, content)
    after = Catalogue(model, before.side, None, before.files, file)
    after.save(store)
    if live:
        after.level = measure_level(Library(store), head.texts)
        after.save(store)
    writer.remove_others()
    for path in store.glob("head-*.safetensors"):
        if path.name != file:
            path.unlink()
    return len(live)
