"""Scenarios: what shall happen when this and that fails, written down and tried.

Law of this package: the flow and the core are the real ones; only the world around them is played.
A promise that is not kept is told with the step and the value, and never bent.
"""
