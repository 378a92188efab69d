"""`failoverctl`: the list of its verbs, each with its module and the first line of its help.

A verb's command, with its options and all of its help, is in its module. The module is imported
when the verb is run or its help is shown, so this list is there at once.
"""

from __future__ import annotations

import click

from orchestrator.cli.verb import Listed, Verbs

PROGRAM = "failoverctl"

VERBS = (
    Listed("check", "check:check", "Check the configuration against the live environment."),
    Listed("status", "status:status", "Show where the traffic goes and the state of each region."),
    Listed("explain", "explain:explain", "Explain the last decision, or the one with this ID."),
    Listed("history", "history:history", "List the decisions of a service."),
    Listed("plan", "plans:plan", "Show what a tick would do now, with the value of each rule."),
    Listed("tick", "tick:tick", "Ask the orchestrator to look at everything now."),
    Listed("failover", "operator_commands:failover", "Move the traffic to a region."),
    Listed(
        "failback", "operator_commands:failback", "Move the traffic back to the preferred region."
    ),
    Listed(
        "evacuate",
        "operator_commands:evacuate",
        "Move all traffic of every service out of a region.",
    ),
    Listed("freeze", "operator_commands:freeze", "Stop automatic moves for a limited time."),
    Listed("unfreeze", "operator_commands:unfreeze", "End a freeze."),
    Listed("ack", "operator_commands:ack", "Acknowledge the automatic moves so far."),
    Listed("state", "state:state", "Show the state document, or restore an older version."),
    Listed("parse", "alert_file:parse", "Show what an alert FILE means to this configuration."),
    Listed("replay", "replay:replay", "Show what would be decided on these alert FILES."),
    Listed("drill", "drill:drill", "Run scenario FILES and check that each promise holds."),
    Listed("serve", "serve:serve", "Run the laptop world: regions, load balancer, cloud, users."),
    Listed("completion", "completion:completion", "Print the completion script of a SHELL."),
)


@click.group(
    PROGRAM,
    cls=Verbs,
    commands={one.name: one for one in VERBS if one.name},
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
def cli() -> None:
    """Ask the region failover orchestrator what it does and why, and give it commands.

    A verb that changes something needs --apply. Without it, the verb only shows what would change.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage.
    """


def main() -> None:
    """The command `failoverctl`."""
    cli(prog_name=PROGRAM)
