"""`completion`: the script with which a shell completes verbs, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    In bash: eval "$(failoverctl completion bash)".
    """
    root = context.find_root()
    program = root.info_name or ""
    found = get_completion_class(shell)
    assert found is not None  # the choices above are click's own shells
    click.echo(found(root.command, {}, program, f"_{program.upper()}_COMPLETE").source())
