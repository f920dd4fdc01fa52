"""A pipeline as a standalone SVG: rows of tasks from top to bottom, nested DAGs as boxes around theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tidegate.cli.picture import Node
from tidegate.cli.terminal import cells, fit

_CHARACTER, _HEIGHT, _PAD, _TITLE, _GAP_X, _GAP_Y = 7.2, 34.0, 14.0, 24.0, 22.0, 38.0
_MOST = 44  # characters of a note
_STYLE = """
  text { font: 12px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #1f2933; }
  .note { fill: #7b8794; font-size: 11px; }
  .task { fill: #ffffff; stroke: #52606d; }
  .dag { fill: #52606d; fill-opacity: 0.05; stroke: #9aa5b1; stroke-dasharray: 4 3; }
  .edge { fill: none; stroke: #9aa5b1; stroke-width: 1.3; marker-end: url(#arrow); }
"""
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="#9aa5b1"/></marker></defs>'
)


@dataclass(frozen=True, slots=True)
class Box:
    node: Node
    width: float
    height: float
    inside: tuple[tuple[float, float, Box], ...] = ()
    """Where the children are, from the box's own corner."""


def svg(root: Node) -> list[str]:
    box = _arranged(root)
    width, height = box.width + 2, box.height + 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="-1 -1 {width:.0f} {height:.0f}" role="img" aria-label="{escape(root.name)}">',
        f"<style>{_STYLE}</style>",
        _ARROW,
    ]
    _draw(box, 0.0, 0.0, lines)
    return [*lines, "</svg>"]


def _arranged(node: Node) -> Box:
    note = fit(node.note, _MOST)
    text = max(cells(node.name), cells(note) if note else 0) * _CHARACTER + 2 * _PAD
    if not node.children:
        return Box(node, text, _HEIGHT + (14.0 if note else 0.0))
    boxes = {child.name: _arranged(child) for child in node.children}
    rows = _rows(node.children)
    widths = [sum(boxes[name].width for name in row) + _GAP_X * (len(row) - 1) for row in rows]
    inner = max(widths)
    placed: list[tuple[float, float, Box]] = []
    y = _PAD + _TITLE + (14.0 if note else 0.0)
    for row, width in zip(rows, widths, strict=True):
        x = _PAD + (inner - width) / 2
        for name in row:
            placed.append((x, y, boxes[name]))
            x += boxes[name].width + _GAP_X
        y += max(boxes[name].height for name in row) + _GAP_Y
    width = max(inner + 2 * _PAD, text)
    shift = (width - inner - 2 * _PAD) / 2
    return Box(node, width, y - _GAP_Y + _PAD, tuple((x + shift, y, box) for x, y, box in placed))


def _rows(nodes: Sequence[Node]) -> list[list[str]]:
    """Each node one row below the last of those it needs; `nodes` come in such an order."""
    rank: dict[str, int] = {}
    for node in nodes:
        rank[node.name] = 1 + max((rank.get(name, -1) for name in node.after), default=-1)
    rows: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for node in nodes:
        rows[rank[node.name]].append(node.name)
    return rows


def _draw(box: Box, x: float, y: float, lines: list[str]) -> None:
    node = box.node
    kind = "dag" if node.children else "task"
    lines.append(
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>'
    )
    middle = x + box.width / 2
    lines.append(f'<text x="{middle:.1f}" y="{y + 21:.1f}" text-anchor="middle">{escape(node.name)}</text>')
    if node.note:
        note = escape(fit(node.note, _MOST))
        lines.append(f'<text class="note" x="{middle:.1f}" y="{y + 37:.1f}" text-anchor="middle">{note}</text>')
    places = {child.node.name: (x + dx, y + dy, child) for dx, dy, child in box.inside}
    for left, top, child in places.values():
        for name in child.node.after:
            if name in places:
                lines.append(_edge(places[name], (left, top, child)))
    for left, top, child in places.values():
        _draw(child, left, top, lines)


def _edge(source: tuple[float, float, Box], target: tuple[float, float, Box]) -> str:
    x1, y1 = source[0] + source[2].width / 2, source[1] + source[2].height
    x2, y2 = target[0] + target[2].width / 2, target[1]
    bend = (y2 - y1) / 2
    curve = f"C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    return f'<path class="edge" d="M{x1:.1f} {y1:.1f} {curve}"/>'
