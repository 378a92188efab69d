"""The moves: the necessary one, and what is commanded, wished for or prepared beside it. PURE."""
