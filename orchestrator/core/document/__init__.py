"""The state document: to and from JSON, its bounds, its older forms, and what it says. PURE."""
