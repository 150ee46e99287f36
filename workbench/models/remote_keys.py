"""The keys of remote models: from the environment, or handed to one job through its environment. Never on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from workbench.errors import WorkbenchError
from workbench.models.remote import Remote
from workbench.models.remote_address import is_near

HANDED = "WORKBENCH_REMOTE_KEYS"
# A key of this name goes to its own host and to no other: whoever may type an address here must not get it sent to his.
VARIABLES_BY_HOST = {
    "api.openai.com": "OPENAI_API_KEY",
    "api.cohere.com": "COHERE_API_KEY",
    "api.cohere.ai": "COHERE_API_KEY",
    "api.jina.ai": "JINA_API_KEY",
    "api.voyageai.com": "VOYAGE_API_KEY",
    "api.mistral.ai": "MISTRAL_API_KEY",
}


def key_variable(remote: Remote) -> str:
    """The environment variable that holds a remote model's key; "" where none is known."""
    return remote.key_variable or VARIABLES_BY_HOST.get(remote.host, "")


def key_of(remote: Remote, environment: Mapping[str, str] = os.environ) -> str:
    """The key to send; "" for none. One that was handed to this job comes first.

    Raises WorkbenchError where the variable that the user named is not set, or what it holds can be no key.
    """
    handed = _handed(environment).get(remote.name, {})
    # A name that means another address by now must not get the key.
    key = handed.get("key", "") if handed.get("address") == remote.address else ""
    variable = key_variable(remote)
    if not key and variable:
        key = environment.get(variable, "").strip()
        if not key and remote.key_variable:
            raise WorkbenchError(
                f"The key of “{remote.reference}” belongs into the environment variable {variable}, which is not set. "
                "Set it before the workbench is started, or give the key on the page for one evaluation."
            )
    return checked_key(remote, key)


def handed_keys(keys: Iterable[tuple[Remote, str]]) -> dict[str, str]:
    """The environment that hands keys to one job: `jobs.start(…, environment=handed_keys(…))`."""
    told = {
        remote.name: {"address": remote.address, "key": checked}
        for remote, key in keys
        if (checked := checked_key(remote, key))
    }
    return {HANDED: json.dumps(told)} if told else {}


def checked_key(remote: Remote, key: str) -> str:
    """A key that may be sent to a remote model. Raises WorkbenchError, without the key, if it can be none."""
    key = key.strip()
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise WorkbenchError(f"The key of “{remote.reference}” holds characters that no key has. Give it again.")
    if key and remote.address.startswith("http:") and not is_near(remote.host) and not remote.unencrypted:
        raise WorkbenchError(f"The key would reach “{remote.host}” unencrypted. Use its https address.")
    return key


def _handed(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    try:
        told = json.loads(environment.get(HANDED, "") or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
