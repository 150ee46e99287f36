"""The fields that ask: words, a picture, a sound, a video, or words with a picture; and which of them are shown."""

from __future__ import annotations

import gradio as gr

from workbench.ui.page import Widgets
from workbench.ui.search.query import take_as_sent

MODES = [("Text", "text"), ("Picture", "image"), ("Sound", "audio"), ("Video", "video"), ("Mixed", "mixed")]


class Fields:
    """The widgets of the fields."""

    def __init__(self) -> None:
        with gr.Row(elem_id="search-ask"):
            self.mode = gr.Radio(
                MODES,
                value="text",
                label="Ask by",
                elem_id="search-mode",
                elem_classes=["segmented"],
                container=False,
            )
            self.text = gr.Textbox(
                label="What to look for", placeholder="Describe what you are looking for", elem_id="search-text",
                container=False, max_lines=1, scale=1, min_width=120,
            )  # fmt: skip
            self.go = gr.Button("Search", variant="primary", elem_id="search-go", min_width=0)
        with gr.Row(elem_id="search-media", visible=False) as self.media_row:
            # Boxes are shown and hidden, not the fields: a field that is changed becomes a new one of Gradio's own.
            with gr.Column(min_width=0, visible=False) as self.image_box:
                self.image = gr.Image(
                    label="Picture", type="filepath", sources=["upload", "clipboard", "webcam"],
                    elem_id="search-image", height=180, buttons=["fullscreen"],
                    webcam_options=gr.WebcamOptions(mirror=False),
                )  # fmt: skip
            with gr.Column(min_width=0, visible=False) as self.audio_box:
                self.audio = gr.Audio(
                    label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="search-audio",
                    buttons=[],
                )  # fmt: skip
            with gr.Column(min_width=0, visible=False) as self.video_box:
                self.video = gr.Video(label="Video", sources=["upload"], elem_id="search-video", height=220, buttons=[])
            for field in (self.image, self.audio, self.video):
                take_as_sent(field)
        self.given = [self.mode, self.text, self.image, self.audio, self.video]
        self.boxes = [self.text, self.media_row, self.image_box, self.audio_box, self.video_box]

    def show(self, mode: str) -> Widgets:
        """Show the field for what is asked with."""
        return {
            self.text: gr.Textbox(visible=mode in ("text", "mixed")),
            self.media_row: gr.Row(visible=mode != "text"),
            self.image_box: gr.Column(visible=mode in ("image", "mixed")),
            self.audio_box: gr.Column(visible=mode == "audio"),
            self.video_box: gr.Column(visible=mode == "video"),
        }

    def say(self, text: str) -> Widgets:
        """Show the words that are asked with."""
        return {**self.show("text"), self.mode: "text", self.text: gr.Textbox(value=text, visible=True)}
