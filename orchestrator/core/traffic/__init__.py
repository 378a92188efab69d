"""Who gets traffic, the mark that fences writers, and the plan that moves it. PURE."""
