"""The regions of the laptop world: their applications, and the ways in which they break."""
