"""An OpenAI-compatible endpoint that the user names, asked for one chat completion at a time.

How it is asked, and what is said of whatever it does wrong, is that of every server: `models.remote_http`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError
from workbench.models import remote_address
from workbench.models.remote_address import Advice, is_near
from workbench.models.remote_http import Client, EndpointError, Limits, Pause, Response

__all__ = ["Answer", "Endpoint", "EndpointError", "Limits", "Pause", "check_address", "key_for"]

KEY_VARIABLE, OPENAI_KEY_VARIABLE = "WORKBENCH_ENDPOINT_KEY", "OPENAI_API_KEY"
HOST_VARIABLE = "WORKBENCH_ENDPOINT_HOST"
OPENAI_HOST = "api.openai.com"
PATH = "/chat/completions"
ADVICE = Advice(
    "An address looks like http://localhost:11434/v1 for Ollama, or http://localhost:8000/v1 for vLLM.",
    f"Put a key that it knows into {KEY_VARIABLE} before the workbench is started.",
)


@dataclass(frozen=True)
class Answer:
    """What the model said. cut: it came to the limit of tokens before it was done."""

    text: str
    cut: bool = False


def check_address(address: str) -> str:
    """The address without the slash, or the path of the call, at its end.

    Raises WorkbenchError unless it is a plain http(s) address: a password or key in it would end up in job.json.
    """
    return remote_address.check_address(address, ADVICE, (PATH,))


def key_for(address: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key to send to an endpoint, from the environment; "" for none.

    WORKBENCH_ENDPOINT_KEY goes to the endpoint that is named, or where WORKBENCH_ENDPOINT_HOST is set to that host
    alone. OPENAI_API_KEY goes to OpenAI alone: whoever may type an address here must not get it sent to his own.
    Raises WorkbenchError where the key would travel over the open network unencrypted.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    only = environment.get(HOST_VARIABLE, "").strip().lower()
    key = environment.get(KEY_VARIABLE, "").strip() if only in ("", host) else ""
    if not key and host == OPENAI_HOST:
        key = environment.get(OPENAI_KEY_VARIABLE, "").strip()
    if key and parts.scheme == "http" and not is_near(host):
        raise WorkbenchError(f"The key would reach “{host}” unencrypted. Use its https address, or unset the key.")
    if key and not (key.isascii() and key.isprintable()):
        raise WorkbenchError(f"The key in {KEY_VARIABLE} holds characters that no key has. Set it again.")
    return key


class Endpoint(Client):
    """One model behind one address. Use it within `async with`.

    pause: how to wait, in seconds; tests put their own in its place.
    """

    def __init__(
        self, address: str, model: str, *, key: str = "", limits: Limits | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        super().__init__(check_address(address), model, ADVICE, key=key, limits=limits, pause=pause)
        self._limit_name, self._temperature = "max_tokens", True

    async def complete(self, messages: list[dict[str, Any]], answer_tokens: int) -> Answer:
        """What the model answers; tries again, later and later, what may pass. Raises EndpointError in words."""
        return await self.retrying(lambda: self._ask(messages, answer_tokens))

    async def _ask(self, messages: list[dict[str, Any]], answer_tokens: int) -> Answer:
        for _ in range(3):  # some models know a setting by another name, or not at all
            body = {"model": self.model, "messages": messages, self._limit_name: answer_tokens, "stream": False}
            if self._temperature:
                body["temperature"] = 0.7
            response = await self.post(PATH, body)
            if response.status != 400 or not self._understood_otherwise(response.data):
                break
        if response.status != 200:
            raise self.refusal(response)
        return self._answer(response)

    def _understood_otherwise(self, data: bytes) -> bool:
        """Whether a refusal names a setting of ours that can be given in another way; remembers that way."""
        told = self.told(data)
        if "max_tokens" in told and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        if "temperature" in told and self._temperature:
            self._temperature = False
            return True
        return False

    def _answer(self, response: Response) -> Answer:
        """The answer in the body of a response. Raises EndpointError in words."""
        value = self.value(response)
        try:
            choice = value["choices"][0]
            content = choice["message"]["content"]
        except (KeyError, IndexError, TypeError):
            error = self.told(response.data)
            said = f" It says: “{error}”." if error else " Is it an OpenAI-compatible one?"
            raise EndpointError(f"The endpoint's answer is JSON without an answer of the model in it.{said}") from None
        if isinstance(content, list):
            content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        if not isinstance(content, str) or not content.strip():
            raise EndpointError("The model gave an empty answer.")
        return Answer(self.scrubbed(content), cut=choice.get("finish_reason") == "length")
