"""The report's charts, as SVG. Colours are classes of the page's style sheet, so that light and dark both work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tidegate.report.reading import number
from tidegate.report.svg import drawing, tag, title
from tidegate.report.words import amount

LINE = 22.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Data -> pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value with its interval; `bound`: what it is held against."""

    label: str
    value: float
    low: float
    high: float
    kind: str = "candidate"
    bound: float | None = None


def whiskers(rows: Sequence[Whisker], width: float = 720.0) -> Markup:
    """Dots with intervals, one line each, on a common scale."""
    ends = [end for row in rows for end in (row.low, row.high, row.value, row.bound) if end is not None]
    margin = (max(ends) - min(ends)) * 0.06 or 0.01
    scale = Scale(min(ends) - margin, max(ends) + margin, 210.0, width - 70)
    parts = [_axis(scale, LINE * len(rows) + 4)]
    for index, row in enumerate(rows):
        y = LINE * index + LINE / 2
        said = f"{row.label}: {amount(row.value)} ({amount(row.low)} to {amount(row.high)})"
        parts += [
            tag("text", row.label, x=202, y=y + 4, text_anchor="end"),
            tag("line", title(said), x1=scale(row.low), x2=scale(row.high), y1=y, y2=y, class_=f"whisker {row.kind}"),
            tag("circle", title(said), cx=scale(row.value), cy=y, r=4.5, class_=row.kind),
            tag("text", amount(row.value), x=width - 62, y=y + 4),
        ]
        if row.bound is not None:
            parts.append(tag("line", x1=scale(row.bound), x2=scale(row.bound), y1=y - 9, y2=y + 9, class_="bound"))
    return drawing(width, LINE * len(rows) + 24, parts, "values with their intervals")


def histograms(splits: Mapping[str, Sequence[Mapping[str, Any]]], width: float = 220.0, height: float = 64.0) -> Markup:
    """Distributions of one feature, the splits over each other, each as a share of its own rows."""
    bins = {split: [_bin(each) for each in found] for split, found in splits.items() if found}
    if not bins:
        return Markup("")
    low = min(each[0] for found in bins.values() for each in found)
    high = max(each[1] for found in bins.values() for each in found)
    x = Scale(low, high, 0, width)
    heights = {split: _densities(found) for split, found in bins.items()}
    top = max((h for found in heights.values() for h in found), default=1.0) or 1.0
    parts = []
    for number_, (split, found) in enumerate(bins.items()):
        for (start, end, count), dense in zip(found, heights[split], strict=True):
            tall = max(0.5, dense / top * height) if count else 0.0
            said = f"{split}: {amount(start)} to {amount(end)}: {amount(count)}"
            wide, shade = max(1.0, x(end) - x(start) - 0.5), f"bar split{number_ % 3}"
            parts.append(tag("rect", title(said), x=x(start), y=height - tall, width=wide, height=tall, class_=shade))
    parts += [
        tag("text", amount(low), x=0, y=height + 13, class_="small"),
        tag("text", amount(high), x=width, y=height + 13, text_anchor="end", class_="small"),
    ]
    return drawing(width, height + 16, parts, "distribution by split")


def tops(splits: Mapping[str, Sequence[Mapping[str, Any]]], rows: Mapping[str, float], most: int = 6) -> Markup:
    """The most frequent values of one feature, the splits beside each other."""
    names: list[str] = []
    for found in splits.values():
        names += [str(each.get("value")) for each in found if str(each.get("value")) not in names]
    shares = {
        split: {str(each.get("value")): (number(each.get("count")) or 0) / (rows.get(split) or 1) for each in found}
        for split, found in splits.items()
    }
    names = sorted(names, key=lambda name: -max(each.get(name, 0) for each in shares.values()))[:most]
    top = max((each.get(name, 0) for each in shares.values() for name in names), default=1.0) or 1.0
    parts, line = [], 5.0 * len(splits) + 6
    for row, name in enumerate(names):
        parts.append(tag("text", name[:14], x=0, y=line * row + line / 2 + 2, class_="small"))
        for index, (split, of) in enumerate(shares.items()):
            share = of.get(name, 0.0)
            said = title(f"{split}: {name}: {100 * share:.1f} %")
            y = line * row + 5.0 * index + 2
            parts.append(
                tag("rect", said, x=70, y=y, width=share / top * 150, height=4, class_=f"bar split{index % 3}")
            )
    return drawing(220, max(line * len(names), 10), parts, "most frequent values by split")


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str, diagonal: bool = False,
    width: float = 340.0, height: float = 230.0,
) -> Markup:  # fmt: skip
    """Curves over a common axis; `diagonal`: with the line y = x."""
    points = [point for found in series.values() for point in found]
    if not points:
        return Markup("")
    lowest, highest = min(p[1] for p in points), max(p[1] for p in points)
    x = Scale(min(p[0] for p in points), max(p[0] for p in points), 46, width - 8)
    y = Scale(lowest, highest, height - 34, 10)
    if diagonal:
        x, y = Scale(0, 1, 46, width - 8), Scale(0, 1, height - 34, 10)
    parts = [
        tag("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis"),
        tag("line", x1=x.start, x2=x.start, y1=y.start, y2=y.end, class_="axis"),
        tag("text", amount(y.low), x=40, y=y.start, text_anchor="end", class_="small"),
        tag("text", amount(y.high), x=40, y=y.end + 8, text_anchor="end", class_="small"),
        tag("text", amount(x.low), x=x.start, y=height - 20, class_="small"),
        tag("text", amount(x.high), x=x.end, y=height - 20, text_anchor="end", class_="small"),
        tag("text", across, x=(x.start + x.end) / 2, y=height - 6, text_anchor="middle", class_="small"),
        tag("text", up, x=x.start + 6, y=18, class_="small"),
    ]
    if diagonal:
        parts.append(tag("line", x1=x(0), x2=x(1), y1=y(0), y2=y(1), class_="guide"))
    for index, (name, found) in enumerate(series.items()):
        path = " ".join(f"{'L' if at else 'M'}{x(px):.1f} {y(py):.1f}" for at, (px, py) in enumerate(found))
        parts.append(tag("path", title(name), d=path, class_=f"curve split{index % 3}"))
        if len(found) <= 20:
            parts += [
                tag(
                    "circle",
                    title(f"{name}: {amount(px)}, {amount(py)}"),
                    cx=x(px),
                    cy=y(py),
                    r=3,
                    class_=f"split{index % 3}",
                )
                for px, py in found
            ]
    return drawing(width, height, parts, f"{up} over {across}")


def _axis(scale: Scale, depth: float) -> Markup:
    step = (scale.high - scale.low) / 4
    parts = []
    for mark in (scale.low + step * n for n in range(5)):
        parts.append(tag("line", x1=scale(mark), x2=scale(mark), y1=0, y2=depth, class_="grid"))
        parts.append(tag("text", amount(mark, 3), x=scale(mark), y=depth + 14, text_anchor="middle", class_="small"))
    return Markup("").join(parts)


def _bin(each: Mapping[str, Any]) -> tuple[float, float, float]:
    return tuple(number(each.get(key)) or 0.0 for key in ("low", "high", "count"))  # type: ignore[return-value]


def _densities(found: Sequence[tuple[float, float, float]]) -> list[float]:
    whole = sum(count for _, _, count in found) or 1.0
    return [count / whole / ((end - start) or 1.0) for start, end, count in found]
