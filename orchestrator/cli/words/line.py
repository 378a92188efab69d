"""A line for people that says how it looks, so that nobody has to find that out from its words."""

from __future__ import annotations

from typing import Self


class Line(str):
    """A text of one line, and its style as `rich` names it. Anywhere else it is plain text."""

    __slots__ = ("style",)
    style: str

    def __new__(cls, text: str, style: str) -> Self:
        """The text in this style."""
        made = super().__new__(cls, text)
        made.style = style
        return made


def style_of(text: str) -> str:
    """How the text looks; empty for plain text."""
    return text.style if isinstance(text, Line) else ""
