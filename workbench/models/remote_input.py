"""Items as endpoints take them: a text, a picture as a data URL; and about how many tokens they are."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from workbench import media
from workbench.collection.store import Item

if TYPE_CHECKING:
    from PIL import Image

PICTURE_PIXELS = 1536
# As OpenAI counts a picture of 768 × 768 pixels; other models count otherwise, by some hundreds.
PICTURE_TOKENS = 765


def endpoint_input(item: Item, prompt: str = "", longest_text: int = 0) -> Any:
    """A text item as a string, a picture as its data URL, both together as {"text", "image"}.

    longest_text: in characters; 0 leaves it whole. Raises WorkbenchError if a picture cannot be read.
    """
    parts: dict[str, str] = {}
    if item.text is not None:
        text = item.text[:longest_text] if longest_text else item.text
        # An empty input is refused by most servers, and with it the whole batch.
        parts["text"] = prompt + text or " "
    if item.image is not None:
        parts["image"] = data_url(media.decode_image(item.image), PICTURE_PIXELS, 92)
    return parts if len(parts) > 1 else next(iter(parts.values()))


def data_url(picture: Image.Image, pixels: int, quality: int) -> str:
    """A picture of at most so many pixels each way as a JPEG in a data URL, without the notes in its file."""
    picture.thumbnail((pixels, pixels))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def text_tokens(text: str) -> int:
    """About how many tokens a text has: four characters each in ASCII, one and a half elsewhere."""
    plain = len(text.encode("ascii", "ignore"))
    return round(plain / 4 + (len(text) - plain) / 1.5)
