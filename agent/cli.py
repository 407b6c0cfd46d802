"""`agent`: parses arguments and maps errors to exit codes, nothing else.

Exit codes: 0 done, 1 the answer is no, 2 bad configuration or arguments, 3 a dependency is unreachable.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from pipelines.errors import ConfigError, ShopfloorError

COMMANDS: Final = {
    "init": "Start",
    "lines": "Start",
    "simulate": "Start",
    "run": "Start",
    "browse": "Connect",
    "read": "Connect",
    "check": "Connect",
    "serve": "Serve",
    "bridge": "Serve",
    "view": "Serve",
    "status": "Operate",
    "quarantine": "Operate",
    "schema": "Other",
    "version": "Other",
}
"""Every command and the group it stands under in `agent --help`."""


class LazyGroup(TyperGroup):
    """Imports a command's module only when it is asked for, so that `agent version` stays quick."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All command names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"agent.commands.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(cmd_name, rich_help_panel=COMMANDS[cmd_name])(module.command)
        command = typer.main.get_command(single)
        assert isinstance(command, TyperCommand)
        command.name = cmd_name
        return command


_UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""typer's own copy of click's UsageError, which it does not export."""

app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")


@app.callback()
def root() -> None:
    """Reads PLC tags over OPC UA and Modbus, loses nothing, and shows them."""


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        result: Any = typer.main.get_command(app)(arguments, prog_name="agent", standalone_mode=False)
    except ConfigError as error:
        return _fail(str(error), 2)
    except ShopfloorError as error:
        return _fail(str(error), 3)
    except typer.Exit as error:
        return int(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except _UsageError as error:
        return _fail(_usage(error), 2)
    return result if isinstance(result, int) else 0


def _usage(error: Any) -> str:
    where = error.ctx.command_path if error.ctx else "agent"
    message = error.format_message().rstrip(".")
    return f"{where}: {message}. See `{where} --help`."


def _fail(reason: str, code: int) -> int:
    print(f"error: {reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
