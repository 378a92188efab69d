"""The only code that talks to the world. Each adapter implements one port and nothing else.

Law of this package: foreign errors are translated in one place per adapter, chained with `from`;
nothing here retries, decides or knows the order of the flow; heavy libraries are imported where
they are used.
"""
