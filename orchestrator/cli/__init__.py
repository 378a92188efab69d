"""`failoverctl`: what people ask the orchestrator, and what they tell it.

Law of this package: a verb that changes something prints what it would do, and does it only with
`--apply`. Every verb has `--json`, with a shape that `docs/cli.md` describes. It decides nothing:
decisions are the core's, and what is shown was seen, not assumed.

Exit status: 0 done, 1 refused or failed, 2 the command itself is wrong.
"""
