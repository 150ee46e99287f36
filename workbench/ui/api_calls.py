"""What the endpoints for programs share: errors as Gradio sends them, and media out of base64."""

from __future__ import annotations

import base64
import binascii
import functools
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench import media
from workbench.errors import WorkbenchError

LOG = logging.getLogger(__name__)
LARGEST_BYTES = 64 << 20
Answer = dict[str, Any]


def in_words(call: Callable[..., Answer]) -> Callable[..., Answer]:
    """The endpoint with its errors as Gradio sends them: in our words, and without words where we have none."""

    @functools.wraps(call)
    def tell(*given: Any, **named: Any) -> Answer:
        try:
            return call(*given, **named)
        except WorkbenchError as error:
            raise gr.Error(" ".join([error.message, *error.problems]), print_exception=False) from error
        except Exception as error:
            LOG.exception("the endpoint %s failed", call.__name__)
            raise gr.Error(
                "Something went wrong that we did not foresee. The terminal that runs the workbench shows the details.",
                print_exception=False,
            ) from error

    return tell


def decoded(given: str, kind: str) -> bytes:
    """A medium from base64, after a look that it is what it should be. Raises WorkbenchError if it is not."""
    noun = {"image": "picture", "audio": "sound"}[kind]
    if len(given) > LARGEST_BYTES * 4 // 3:
        raise WorkbenchError(f"The {noun} is larger than {LARGEST_BYTES >> 20} MB. Send a smaller one.")
    try:
        data = base64.b64decode(given.partition(",")[2] if given.startswith("data:") else given, validate=True)
    except (binascii.Error, ValueError):
        raise WorkbenchError(f"The {noun} is not in base64. Send the bytes of the file, encoded.") from None
    try:
        media.check_media(kind, data)
    except WorkbenchError as error:
        raise WorkbenchError(f"It cannot be searched with: {error.message}") from error
    return data


def check_one_of(value: str, options: Any, noun: str) -> None:
    """Raise WorkbenchError unless a value is one of these options."""
    if value not in options:
        raise WorkbenchError(f"“{value[:40]}” is no {noun}. Choose one of {', '.join(options)}.")
