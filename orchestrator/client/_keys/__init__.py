"""Private: what a request is about: its keys, their home, what may be sent again."""
