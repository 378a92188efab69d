"""The laptop world: everything around the orchestrator, as real processes on loopback.

The law of this package: it plays the world and never the orchestrator. It imports nothing of the
decision core, so that a drill on it tests the orchestrator against an independent reading of the
outside; the shop, which stands for an application, imports what applications import. Every process
it starts dies with the process that started it, and nothing it writes outlives the `World` (or the
caller's own folder) that it was written in.
"""
