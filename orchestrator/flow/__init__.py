"""The pipeline: one way through, for every kind of signal.

    observe -> decide -> commit -> shift -> verify -> record

Law of this package: it carries out what `core` decided and decides nothing itself; it talks to the
world through `ports` alone; what it does not know, it reads again.
"""
