"""`agent users`."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR, VIEWER
from agent.viewing import opened_access
from pipelines.errors import ConfigError
from pipelines.secret import read_secret
from viewer.access import manage
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.roles import Role
from viewer.access.users import User
from viewer.book.book import FILE

_ROLES: Final = ", ".join(Role)
_WHICH: Final = "name the folder: --store of `agent serve`, or --state-dir of `agent view`"

Action = Literal["list", "add", "passwd", "disable", "enable"]


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = "list",
    name: Annotated[str | None, typer.Argument(help="The user.")] = None,
    role: Annotated[Role | None, typer.Option(help=f"add: {_ROLES}.", metavar="ROLE")] = None,
    company: Annotated[
        list[str] | None, typer.Option(help="add: a company it sees, as the store names it; may be repeated.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="add, passwd: file with the password, instead of typing it.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the embedded store of `agent serve`.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="--state-dir of `agent view`, instead.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Who may look at the pages: users, their roles, and the companies each sees."""
    if (name is None) != (action == "list"):
        reason = f"users {action}: name the user" if name is None else "users list: no name is needed"
        raise ConfigError(None, None, reason)
    if action != "add" and (role is not None or company):
        raise ConfigError(None, None, f"users {action}: --role and --company are for `add`")
    if action not in {"add", "passwd"} and password_file is not None:
        raise ConfigError(None, None, f"users {action}: --password-file is for `add` and `passwd`")
    folder = _folder(store, state_dir)
    if action != "add" and not (folder / FILE).exists():
        raise ConfigError(folder / FILE, None, f"is not there; {_WHICH}")
    with opened_access(folder, Mode.LOGIN, "127.0.0.1") as access:
        if action == "list":
            return _list(access, json=json)
        assert name is not None
        if action == "add":
            user = _add(access, name, role, company or [], password_file)
        else:
            user = _found(access, name)
            _change(access, action, user, password_file)
    if json:
        emit_json({"action": action, "user": _facts(user)})
    else:
        emit(f"{action}: {user.name} ({user.role.value})")
    return 0


def _folder(store: Path | None, state_dir: Path | None) -> Path:
    """The viewer's state folder.

    Raises:
        ConfigError: both are named, or neither and there are two.
    """
    if store is not None and state_dir is not None:
        raise ConfigError(None, None, "users: --store or --state-dir, one of the two")
    if store is not None:
        return store / VIEWER
    if state_dir is not None:
        return state_dir
    both = (STATE_DIR / "store" / VIEWER, STATE_DIR / VIEWER)
    found = [folder for folder in both if (folder / FILE).exists()]
    if len(found) > 1:
        raise ConfigError(None, None, f"there are {' and '.join(str(one / FILE) for one in found)}; {_WHICH}")
    return (found or both)[0]


def _list(access: Access, *, json: bool) -> int:
    users = access.users.all()
    if json:
        emit_json({"users": [_facts(user) for user in users]})
        return 0
    for user in users:
        sees = "모든 기업 all" if user.scope is None else ", ".join(sorted(user.scope)) or "없음 none"
        state = "중지 disabled" if user.disabled else "사용 enabled"
        emit(f"{user.name}\t{user.role.value}\t{state}\t{sees}")
    if not users:
        say(f"{access.book.path}: 사용자 없음 no users; `agent users add NAME --role manager` makes the first")
    return 0


def _add(access: Access, name: str, role: Role | None, companies: list[str], file: Path | None) -> User:
    if role is None:
        raise ConfigError(None, None, f"users add: say --role, one of {_ROLES}")
    return manage.add(access, name, role, companies, _password(name, file), _Note(access))


def _change(access: Access, action: Action, user: User, file: Path | None) -> None:
    note = _Note(access)
    if action == "passwd":
        manage.set_password(access, user, _password(user.name, file), note)
    elif action == "disable":
        manage.disable(access, user, note)
    else:
        manage.enable(access, user, note)


class _Note:
    """The audit log, for what the user of this terminal does."""

    def __init__(self, access: Access) -> None:
        self._audit = access.audit
        try:
            self._who = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            self._who = str(os.getuid())

    def __call__(self, action: str, target: str = "", detail: str = "") -> None:
        self._audit.write(f"{self._who} (agent users)", "local", action, target, detail)


def _password(name: str, file: Path | None) -> str:
    """The password, from a file or typed twice; never an argument, which every user of the machine could read."""
    if file is not None:
        return read_secret(file)
    if not sys.stdin.isatty():
        raise ConfigError(None, None, "no terminal to type the password at: name a file with --password-file")
    typed = getpass.getpass(f"비밀번호 password of {name}: ")
    if getpass.getpass("다시 again: ") != typed:
        raise ConfigError(None, None, "the two passwords differ; nothing was changed")
    return typed


def _found(access: Access, name: str) -> User:
    user = access.users.find(name)
    if user is None:
        raise ConfigError(None, None, f"user {name}: there is no such user; `agent users list` shows all")
    return user


def _facts(user: User) -> dict[str, Any]:
    companies = None if user.scope is None else sorted(user.scope)
    return {"name": user.name, "role": user.role.value, "companies": companies, "disabled": user.disabled}
