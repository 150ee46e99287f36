"""Decoding pictures, sounds and videos, good ones and bad ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests import media_makers as make
from workbench import media
from workbench.errors import WorkbenchError


def words_of(call, *arguments) -> str:
    with pytest.raises(WorkbenchError) as caught:
        call(*arguments)
    return caught.value.message


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (make.picture(), ("image", "png")),
        (make.picture(format="JPEG"), ("image", "jpg")),
        (make.picture(format="WEBP"), ("image", "webp")),
        (make.picture(format="GIF"), ("image", "gif")),
        (make.picture(format="BMP"), ("image", "bmp")),
        (make.picture(format="TIFF"), ("image", "tif")),
        (make.picture(format="AVIF"), ("image", "avif")),
        (make.tone(), ("audio", "wav")),
        (make.tone(form="FLAC"), ("audio", "flac")),
        (make.tone(form="OGG"), ("audio", "ogg")),
        (make.tone(form="MP3"), ("audio", "mp3")),
        (make.tone(form="AIFF"), ("audio", "aiff")),
        (make.m4a(), ("audio", "m4a")),
        (make.video(), ("video", "mp4")),
        (make.video(form="webm"), ("video", "webm")),
        (make.video(form="matroska"), ("video", "mkv")),
        (make.video(form="avi"), ("video", "avi")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_media_are_recognised_by_their_bytes_and_decode(data, kind):
    assert media.sniff(data) == kind
    media.check_media(kind[0], data)
    with Image.open(io.BytesIO(media.thumbnail(kind[0], data, 64))) as small:
        assert small.format == "WEBP"
        assert max(small.size) <= 64


@pytest.mark.parametrize(
    "text", [b"", b"BM is a word", "größe;x".encode("utf-16"), b"PK\x03\x04", b"<svg/>", b"RIFFxxxx"]
)
def test_what_is_no_media_is_not_taken_for_any(text):
    assert media.sniff(text) is None


def test_content_types_follow_the_extension():
    assert media.content_type("png") == "image/png"
    assert media.content_type(".WAV") == "audio/wav"
    assert media.content_type("exe") == "application/octet-stream"


def test_transparency_is_laid_onto_white():
    decoded = media.decode_image(make.picture(colour=(0, 0, 255, 0), mode="RGBA"))
    assert decoded.mode == "RGB"
    assert decoded.getpixel((0, 0)) == (255, 255, 255)
    half = media.decode_image(make.picture(colour=(0, 0, 0, 128), mode="RGBA")).getpixel((0, 0))
    assert 120 < half[0] < 135


def test_a_thumbnail_keeps_what_is_transparent():
    clear = media.thumbnail("image", make.picture(colour=(0, 0, 255, 0), mode="RGBA"))
    solid = media.thumbnail("image", make.picture(colour=(0, 0, 255)))
    with Image.open(io.BytesIO(clear)) as one, Image.open(io.BytesIO(solid)) as other:
        assert one.convert("RGBA").getpixel((0, 0))[3] == 0
        assert other.mode == "RGB"


def test_a_palette_with_a_transparent_colour_is_laid_onto_white_too():
    file = io.BytesIO()
    Image.new("P", (4, 4), 0).save(file, "PNG", transparency=0)
    assert media.decode_image(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)


def test_a_photo_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert media.decode_image(make.picture((40, 20), format="JPEG", exif=exif)).size == (20, 40)
    with Image.open(io.BytesIO(media.thumbnail("image", make.picture((400, 200), format="JPEG", exif=exif)))) as small:
        assert small.height > small.width


def test_sixteen_bit_greys_keep_their_brightness():
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8080, np.uint16)).save(file, "PNG")
    assert media.decode_image(file.getvalue()).getpixel((0, 0)) == (128, 128, 128)


def test_a_picture_of_60000_by_60000_pixels_is_refused_by_its_header():
    message = words_of(media.decode_image, make.png_header(60_000, 60_000))
    assert message == "the picture has 3,600 million pixels; the limit is 64 million. Make it smaller."


def test_a_picture_just_above_the_limit_is_refused_before_decoding():
    assert "has 65 million pixels" in words_of(media.decode_image, make.png_header(8_070, 8_070))


@pytest.mark.parametrize("call", [media.decode_image, lambda data: media.thumbnail("image", data)])
def test_a_truncated_jpeg_is_refused(call):
    whole = make.noisy_jpeg()
    message = words_of(call, whole[: len(whole) // 2])
    assert message == "the picture is cut off: the end of the file is missing. Save or copy it again."


def test_bytes_that_only_begin_like_a_picture_are_refused():
    assert words_of(media.decode_image, make.picture()[:16]).startswith("the picture ")
    assert "damaged" in words_of(media.decode_image, b"\x89PNG\r\n\x1a\n" + b"nonsense" * 8)


def test_an_empty_file_is_no_picture():
    assert words_of(media.decode_image, b"") == "the picture is an empty file (0 bytes)."
    assert "in no format that can be opened here" in words_of(media.decode_image, b"%!PS-Adobe-3.0 EPSF-3.0")


def test_sound_becomes_mono_float32_at_its_own_rate():
    samples, rate = media.decode_audio(make.tone(seconds=0.5, channels=2))
    assert (samples.dtype, samples.shape, rate) == (np.float32, (4000,), 8000)
    # The second channel is silent, so the mean of the two has half the loudness of 0.5.
    assert samples.max() == pytest.approx(0.25, abs=0.01)


def test_resampling_keeps_pitch_loudness_and_duration():
    samples, rate = media.decode_audio(make.tone(440, seconds=1.0, rate=44_100), sampling_rate=16_000)
    assert (len(samples), rate) == (16_000, 16_000)
    assert samples.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == 440
    assert np.abs(samples[2000:-2000]).max() == pytest.approx(0.5, abs=0.02)


def test_aac_is_decoded_though_soundfile_cannot():
    samples, rate = media.decode_audio(make.m4a(seconds=1.0))
    assert rate == 16_000
    assert 0.85 < len(samples) / rate < 1.15
    assert np.abs(np.fft.rfft(samples)).argmax() / len(samples) * rate == pytest.approx(440, abs=5)


def test_a_wav_of_0_bytes_is_refused():
    assert words_of(media.decode_audio, b"") == "the sound is an empty file (0 bytes)."
    assert words_of(media.thumbnail, "audio", b"") == "the sound is an empty file (0 bytes)."


def test_a_wav_without_samples_is_refused():
    assert words_of(media.check_media, "audio", make.tone(seconds=0.0)) == "the sound holds no samples."


def test_a_sound_with_nan_samples_is_refused():
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.full(100, np.nan, np.float32), 8000, format="WAV", subtype="FLOAT")
    for call in (media.decode_audio, lambda data: media.check_media("audio", data)):
        assert "not numbers" in words_of(call, file.getvalue())


def test_a_sound_longer_than_the_limit_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(media, "MAX_AUDIO_SECONDS", 1)
    assert "minutes long" in words_of(media.decode_audio, make.tone(seconds=1.5))


def test_a_truncated_flac_does_not_pass_for_a_whole_one():
    whole = make.tone(seconds=5.0, form="FLAC")
    assert words_of(media.decode_audio, whole[:60]).startswith("the sound ")


def test_the_waveform_shows_where_the_sound_is():
    import soundfile

    file = io.BytesIO()
    wave = np.concatenate([np.zeros(4000), 0.8 * np.sin(np.arange(4000) / 3)])
    soundfile.write(file, wave, 8000, format="WAV")
    with Image.open(io.BytesIO(media.thumbnail("audio", file.getvalue(), 320))) as picture:
        assert picture.size == (320, 96)
        opaque = np.asarray(picture.convert("RGBA"))[..., 3] > 0
    assert opaque[:, :150].sum() * 5 < opaque[:, 170:].sum()
    assert not opaque[0, :150].any()


def test_video_frames_are_evenly_spread():
    frames = media.decode_video(make.video((0, 60, 120, 180, 240)), frames=5)
    greys = [frame.getpixel((10, 10))[0] for frame in frames]
    assert greys == pytest.approx([0, 60, 120, 180, 240], abs=8)
    assert frames[0].size == (64, 48)
    assert media.video_poster(make.video((0, 250, 0))).getpixel((5, 5))[0] > 240


def test_a_video_with_fewer_frames_than_asked_repeats_some():
    assert len(media.decode_video(make.video((90,)), frames=16)) == 16


def test_a_cut_off_video_is_refused():
    whole = make.video()
    message = words_of(media.check_media, "video", whole[: len(whole) // 2])
    assert message.startswith(("the video cannot be decoded", "the video is cut off"))


def test_a_playlist_does_not_open_other_files(tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(make.video())
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n".encode()
    assert "in no format that can be opened here" in words_of(media.decode_video, playlist)


def test_durations_come_from_the_header():
    assert media.duration_seconds("audio", make.tone(seconds=0.5)) == pytest.approx(0.5)
    assert media.duration_seconds("audio", make.m4a(1.0)) == pytest.approx(1.0, abs=0.15)
    assert media.duration_seconds("video", make.video((0, 0, 0))) == pytest.approx(3.0, abs=0.2)
    assert media.duration_seconds("image", make.picture()) == 0.0


def test_real_emoji_and_recordings_decode(shared_data):
    pictures = sorted((shared_data / "emoji" / "images").glob("*.png"))[:20]
    sounds = sorted((shared_data / "spoken-digits" / "audio").glob("*.wav"))[:20]
    assert all(media.decode_image(path.read_bytes()).size == (72, 72) for path in pictures)
    for path in sounds:
        samples, rate = media.decode_audio(path.read_bytes(), 16_000)
        assert rate == 16_000
        assert 0.1 < len(samples) / rate < 3
