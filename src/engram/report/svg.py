"""Figures as SVG elements of a page, for its light and its dark theme.

Matplotlib draws with sentinel colours, which are then mapped to the page's CSS variables.
"""

import io
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from matplotlib import style
from matplotlib.figure import Figure as Canvas
from matplotlib.rcsetup import cycler

from engram.report.item import Figure
from engram.report.plot import draw
from engram.series import Series

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
INK, GRID, PAPER = "#0e0001", "#0e0002", "#0e0003"
PALETTE = [f"#0e001{i}" for i in range(6)]
VARIABLES = {INK: "--ink", GRID: "--grid", PAPER: "--paper"} | {
    sentinel: f"--series-{i}" for i, sentinel in enumerate(PALETTE, start=1)
}
"""Sentinel colours, and the CSS variables that replace them."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "engram",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.prop_cycle": cycler(
        color=PALETTE,
        marker=["o", "s", "^", "D", "v", "P"],
        linestyle=["-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3))],
    ),
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.labelcolor": INK,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "lines.markeredgecolor": PAPER,
    "lines.markeredgewidth": 0.7,
    "errorbar.capsize": 3,
    "figure.facecolor": "none",
}
WIDTH_IN, HEIGHT_IN, ROW_IN = 5.6, 3.5, 0.34


def drawing(figure: Figure, drawn: Sequence[Series], prefix: str) -> str:
    """Return a figure as an SVG element; equal figures give equal text.

    Args:
        figure: The figure.
        drawn: Its series.
        prefix: Prefix of its ids, unique on the page.
    """
    height = HEIGHT_IN
    if figure.kind == "interval":
        rows = len({position for series in drawn for position in series.index})
        height = max(2.0, 1.1 + ROW_IN * rows * max(1, len(drawn) / 2))
    with style.context(["default", STYLE]):
        canvas = Canvas(figsize=(WIDTH_IN, height), layout="constrained")
        draw(figure, drawn, canvas.subplots())
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None})
    return _embed(file.getvalue(), prefix, figure.title, _describe(figure, drawn))


def _embed(text: str, prefix: str, title: str, description: str) -> str:
    root = ElementTree.fromstring(text)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _adapt(element, prefix)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    for position, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{prefix}-{tag}"})
        element.text = words
        root.insert(position, element)
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(element: ElementTree.Element, prefix: str) -> None:
    if HREF in element.attrib:
        element.set("href", element.attrib.pop(HREF))
    for name, value in element.attrib.items():
        if name == "id":
            changed = f"{prefix}-{value}"
        elif name == "href":
            changed = value.replace("#", f"#{prefix}-", 1)
        elif name == "style":
            changed = _theme(value)
        else:
            changed = value.replace("url(#", f"url(#{prefix}-")
        element.set(name, changed)


def _theme(declarations: str) -> str:
    for sentinel, variable in VARIABLES.items():
        declarations = declarations.replace(sentinel, f"var({variable})")
    return re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", declarations)


def _describe(figure: Figure, drawn: Sequence[Series]) -> str:
    shape = {
        "line": "Lines",
        "bar": "Bars",
        "interval": "Points with intervals",
        "points": "Points",
    }[figure.kind]
    parts = []
    for series in drawn:
        known = [value for value in series.values if value is not None]
        span = f" from {min(known):.4g} to {max(known):.4g} {series.unit}" if known else ""
        parts.append(f"{series.name}: {len(series)} values{span}".rstrip())
    return f"{shape} over {figure.x_label or drawn[0].axis}. {'; '.join(parts)}."
