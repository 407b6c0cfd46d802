"""`agent`: parses arguments and maps errors to exit codes, nothing else.

Exit codes: 0 done, 1 the answer is no, 2 bad configuration or arguments, 3 a dependency is unreachable,
130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from agent.commands import version
from agent.heap import keep_compact
from agent.stdout import give_up_stdout, open_stdout
from agent.stopping import heed_one_interrupt
from agent.urls import refuse_secrets
from pipelines.errors import ConfigError, DependencyError, ShopfloorError

COMMANDS: Final = {
    "init": "Start",
    "lines": "Start",
    "import": "Start",
    "simulate": "Start",
    "run": "Start",
    "browse": "Connect",
    "probe": "Connect",
    "read": "Connect",
    "record": "Connect",
    "check": "Connect",
    "trust": "Connect",
    "serve": "Serve",
    "bridge": "Serve",
    "view": "Serve",
    "entry": "Serve",
    "users": "Serve",
    "status": "Operate",
    "alarms": "Operate",
    "chain": "Operate",
    "reload": "Operate",
    "verify": "Operate",
    "report": "Operate",
    "battery": "Operate",
    "level-check": "Operate",
    "quarantine": "Operate",
    "fault": "Operate",
    "soak": "Operate",
    "schema": "Other",
    "version": "Other",
}
"""Every command and the group it stands under in `agent --help`."""


def module_of(command: str) -> str:
    """The module of `agent.commands` that has a command."""
    return command.replace("-", "_")


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
        module = import_module(f"agent.commands.{module_of(cmd_name)}")
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(cmd_name, rich_help_panel=COMMANDS[cmd_name], context_settings=_HELP)(module.command)
        command = typer.main.get_command(single)
        assert isinstance(command, TyperCommand)
        command.name = cmd_name
        return command


_UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""typer's own copy of click's UsageError, which it does not export."""

_HELP: Final = {"help_option_names": ["-h", "--help"]}
_PLAIN: Final = {
    "Value error, ": "",
    "Input should be less than or equal to": "must be at most",
    "Input should be greater than or equal to": "must be at least",
    "Input should be a valid integer, unable to parse string as an integer": "must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "must be a number",
}
"""What pydantic says of an option, as configuration files are told it."""

app = typer.Typer(
    cls=LazyGroup, add_completion=False, rich_markup_mode="markdown", suggest_commands=False, context_settings=_HELP
)


def _version(asked: bool) -> None:
    if asked:
        version.command()
        raise typer.Exit


@app.callback()
def root(
    *,
    shown: Annotated[
        bool,
        typer.Option("--version", help="Show the version, as `agent version` does.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Reads PLC tags over OPC UA, Modbus and MTConnect, loses nothing, and shows them.

    To begin: `agent simulate`, or `agent init site.yaml`, `agent check`, `agent read`, `agent run`.
    """


def main() -> None:
    """Run the command line."""
    heed_one_interrupt()
    keep_compact()
    open_stdout()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _unread()
    except DependencyError as error:
        code = code or _fail(error)
        give_up_stdout()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        refuse_secrets(arguments)
        result: Any = typer.main.get_command(app)(_usual(arguments), prog_name="agent", standalone_mode=False)
    except (ShopfloorError, ExceptionGroup) as error:
        return _fail(_first(error))
    except typer.Exit as error:
        return int(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except _UsageError as error:
        return _say(_usage(error), 2)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):  # click makes one of the other
            raise
        return _unread()
    return result if isinstance(result, int) else 0


def _usual(arguments: list[str]) -> list[str]:
    """What every program understands: nothing at all is `--help`."""
    return arguments or ["--help"]


def _first(error: Exception) -> Exception:
    """The error, or the first of a group in which all are ours; any other group holds a bug and goes on as it is."""
    if isinstance(error, ExceptionGroup) and error.split(ShopfloorError)[1] is not None:
        raise error
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _fail(error: Exception) -> int:
    return _say(str(error), 2 if isinstance(error, ConfigError) else 3)


def _usage(error: Any) -> str:
    where = error.ctx.command_path if error.ctx else "agent"
    message = " ".join(error.format_message().split()).rstrip(".?")
    for theirs, ours in _PLAIN.items():
        message = message.replace(theirs, ours)
    close = difflib.get_close_matches(message.removeprefix("No such command ").strip("'"), COMMANDS, 1)
    return f"{where}: {message}. See `{where} --help`." if not close else f"{where}: {message}; try `agent {close[0]}`"


def _unread() -> int:
    """Nobody reads the output any more, as after `| head -1`: end as other programs do, without a word."""
    give_up_stdout()
    return 141


def _say(reason: str, code: int) -> int:
    print(f"error: {' '.join(reason.splitlines())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
