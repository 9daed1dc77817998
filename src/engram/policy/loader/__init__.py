"""Loaders: one source's files into documents, a file a source."""

from engram.policy.loader import (
    american_memory,
    annual_messages,
    congressional_record_html,
    congressional_record_json,
    govtrack,
    hein,
    presidential,
    sotu,
    statutes,
)
from engram.policy.loader.material import Item, Loader, Material

LOADERS: dict[str, Loader] = {
    module.LOADER.name: module.LOADER
    for module in (
        congressional_record_json,
        congressional_record_html,
        govtrack,
        hein,
        presidential,
        annual_messages,
        sotu,
        american_memory,
        statutes,
    )
}

__all__ = ["LOADERS", "Item", "Loader", "Material"]
