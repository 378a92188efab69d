"""Users of the laptop world, and the results of their requests."""
