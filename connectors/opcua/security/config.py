"""Configuration of the security of an OPC UA connection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings import Settings

Policy = Literal[
    "auto", "none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss", "Basic256", "Basic128Rsa15"
]
Mode = Literal["SignAndEncrypt", "Sign"]
DEPRECATED: Final = ("Basic256", "Basic128Rsa15")
"""Policies that the OPC Foundation took back (OPC 10000-7); used only when named."""


class OpcUaSecurity(Settings):
    """Message security of one connection (OPC 10000-4 §6.1). What is written here is what is used: never less."""

    policy: Policy = "auto"
    """`auto`: the best policy the server offers that is neither `none` nor deprecated; it refuses a server without one.
    `none`: no protection, anybody on the network can read and forge. A policy by name: that one only. `Basic256` and
    `Basic128Rsa15` are deprecated."""
    mode: Mode = "SignAndEncrypt"
    """`SignAndEncrypt`: nobody can read or change messages. `Sign`: nobody can change them."""
    host_name: Literal["warn", "check", "ignore"] = "warn"
    """When the server's certificate does not name the host of `endpoint`: `warn` tells of it in `agent status`, `check`
    refuses, `ignore` is for servers behind address translation, whose certificates never name it."""
    certificate_file: Path | None = None
    """Certificate of this application, PEM or DER; default: the agent's own, made at first use (`agent trust own`)."""
    private_key_file: Path | None = None
    """Private key of `certificate_file`, PEM or DER, readable by the agent alone."""
    allow_plain_password: bool = False
    """Send the password even where anybody on the network can read it. Only for old devices that know no other way."""
    channel_lifetime_s: Annotated[float, Field(ge=1, le=86_400)] = 3600.0
    """How long keys are asked to be used, seconds; they are renewed at three quarters of it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.policy == "none" and "mode" in self.model_fields_set:
            msg = "policy: none protects nothing, so it has no mode; remove mode or name a policy"
            raise ValueError(msg)
        if (self.certificate_file is None) != (self.private_key_file is None):
            msg = "certificate_file and private_key_file belong together"
            raise ValueError(msg)
        return self
