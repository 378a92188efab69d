"""Processes, ports and threads of the laptop world, and one request to any of them."""
