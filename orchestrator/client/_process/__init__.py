"""Private: what a process does to threads: forks, freezes, work that hangs."""
