"""Scenarios: what must happen when parts fail, written down and tried.

Law of this package: the flow and the core are the real ones. Only the world around them is
simulated. A broken promise is reported with the step and the value, and never hidden.
"""
