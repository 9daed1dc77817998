"""Notes for the reader of a report on the data of a comparison."""

from engram.train.pictures import Pictures


def split_note(images: Pictures, limit: int | None) -> str:
    """State how many images were used for training, to select the epoch, and for the test.

    Args:
        images: The images.
        limit: The setting that limits the number of training images, if any.
    """
    available, tested = len(images.source.train), len(images.source.test)
    train, chose = len(images.train.labels), len(images.validation.labels)
    used = train + chose
    kept = f", of which limit = {limit} kept {used}" if used < available else ""
    return (
        f"There are {available} training images{kept}: {train} were used for training and {chose} "
        f"to select the epoch, whose weights were tested once on the {tested} test images."
    )
