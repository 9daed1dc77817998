"""Loaders: convert the files of each source to documents, one module per source."""

from engram.policy.loader import (
    american_memory,
    annual_messages,
    billstatus,
    congressional_record_html,
    congressional_record_json,
    congressional_record_xml,
    govtrack,
    hein,
    presidential,
    sotu,
    statutes,
    table,
)
from engram.policy.loader.material import Item, Loader, Material
from engram.policy.loader.table import TABLES, TableFormat

LOADERS: dict[str, Loader] = {
    module.LOADER.name: module.LOADER
    for module in (
        congressional_record_json,
        congressional_record_html,
        congressional_record_xml,
        govtrack,
        billstatus,
        hein,
        presidential,
        annual_messages,
        sotu,
        american_memory,
        statutes,
        table,
    )
} | {table.LINES.name: table.LINES}
"""The loaders by name; the last two need a `TableFormat`."""

__all__ = ["LOADERS", "TABLES", "Item", "Loader", "Material", "TableFormat"]
