"""The region failover orchestrator.

One way through, in this order and no other:

    event -> parse -> observe -> decide -> commit -> shift -> verify -> record

`core` decides and does nothing else; `flow` carries the decision out; `adapters` are the only code
that talks to the world; `wiring` is the one place that builds things. Imports point down only.
"""
