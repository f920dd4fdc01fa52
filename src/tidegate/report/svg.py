"""A small writer of SVG: every text and attribute is escaped here, and nowhere else is SVG put together."""

from __future__ import annotations

from html import escape

from markupsafe import Markup


def tag(name: str, content: Markup | str = "", **attributes: object) -> Markup:
    """`tag("rect", x=1, y=2, class_="bar")`; content that is no Markup is escaped."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_said(value))}"' for key, value in attributes.items()
    )
    inside = content if isinstance(content, Markup) else Markup(escape(content))  # noqa: S704 - escaped
    return Markup(f"<{name}{given}>{inside}</{name}>")  # noqa: S704 - escaped above


def drawing(width: float, height: float, parts: list[Markup], label: str) -> Markup:
    """The picture; it shrinks with the page."""
    return tag(
        "svg", Markup("").join(parts), viewBox=f"0 0 {_said(width)} {_said(height)}", role="img", aria_label=label,
        style=f"max-width:{_said(width)}px", preserveAspectRatio="xMinYMin meet",
    )  # fmt: skip


def title(text: str) -> Markup:
    """A tooltip, without a script."""
    return tag("title", text)


def _said(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
