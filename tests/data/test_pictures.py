"""Image files of all kinds: their pixels, or one sentence with their name."""

import io
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import IMAGE, as_nobody
from PIL import Image, features

from gansweep.data.decode import decode
from gansweep.data.picture import LARGEST
from gansweep.errors import UserError

SQUARE = IMAGE[:32, :32]  # of the size that is asked for: its pixels are not changed
PNG = b"\x89PNG\r\n\x1a\n"


def pixels(path: Path) -> np.ndarray:
    """The decoded image, [32, 32] if it is grey, else [32, 32, 3]."""
    image = decode([path], 32, path.parent)[0].permute(1, 2, 0).numpy()
    return image[..., 0] if image.shape[2] == 1 else image


def content(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + name + value + struct.pack(">I", zlib.crc32(name + value))


def with_chunk(png: bytes, new: bytes) -> bytes:
    """A PNG with one chunk more behind its header."""
    header = len(PNG) + 25
    return png[:header] + new + png[header:]


def test_transparent_pixels_lie_on_white(tmp_path):
    colours = np.dstack([SQUARE, np.full((32, 32), 255, dtype=np.uint8)])
    colours[:8, :, 3], colours[8:16, :, 3], colours[8:16, :, :3] = 0, 51, 100
    Image.fromarray(colours, "RGBA").save(tmp_path / "a.png")
    shown = pixels(tmp_path / "a.png")
    assert (shown[:8] == 255).all()  # not the hidden colours
    assert (shown[8:16] == 224).all()  # 0.2 of 100 and 0.8 of 255
    np.testing.assert_array_equal(shown[16:], SQUARE[16:])


def test_transparent_grey_lies_on_white_and_stays_grey(tmp_path):
    grey = np.stack([SQUARE[..., 0], np.full((32, 32), 255, dtype=np.uint8)], axis=2)
    grey[:8, :, 1] = 0
    Image.fromarray(grey, "LA").save(tmp_path / "a.png")
    shown = pixels(tmp_path / "a.png")
    assert shown.shape == (32, 32) and (shown[:8] == 255).all()
    np.testing.assert_array_equal(shown[8:], SQUARE[8:, :, 0])


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_colour_of_a_palette_is_white(tmp_path, suffix):
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (0, 0, 32, 16))
    image.save(tmp_path / f"a.{suffix}", transparency=1)
    shown = pixels(tmp_path / f"a.{suffix}")
    assert (shown[:16] == 255).all() and (shown[16:] == (255, 0, 0)).all()


def test_a_transparent_value_of_grey_and_of_colour_is_white(tmp_path):
    grey = Image.new("L", (32, 32), 7)
    grey.paste(9, (0, 0, 32, 16))
    grey.save(tmp_path / "grey.png", transparency=9)
    shown = pixels(tmp_path / "grey.png")
    assert shown.shape == (32, 32) and (shown[:16] == 255).all() and (shown[16:] == 7).all()
    colour = Image.new("RGB", (32, 32), (7, 8, 9))
    colour.save(tmp_path / "colour.png", transparency=(7, 8, 9))
    assert (pixels(tmp_path / "colour.png") == 255).all()


@pytest.mark.parametrize("suffix", ["png", "gif"])
@pytest.mark.parametrize("mode", ["P", "L", "1"])
def test_grey_palettes_and_grey_gifs_have_one_channel(tmp_path, mode, suffix):
    image = Image.fromarray(SQUARE).convert("L").convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    shown = pixels(tmp_path / f"a.{suffix}")
    assert shown.shape == (32, 32)
    np.testing.assert_array_equal(shown, np.asarray(image.convert("L")))


def test_a_palette_is_grey_if_the_colours_that_it_uses_are(tmp_path):
    image = Image.new("P", (32, 32), 0)
    image.putpalette([5, 5, 5, 255, 0, 0])
    image.save(tmp_path / "grey.png")
    assert pixels(tmp_path / "grey.png").shape == (32, 32)
    image.putpixel((3, 3), 1)
    image.save(tmp_path / "red.png")
    assert pixels(tmp_path / "red.png").shape == (32, 32, 3)


def test_three_equal_channels_are_colour(tmp_path):
    Image.new("RGB", (32, 32), (5, 5, 5)).save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == (32, 32, 3)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_the_first_frame_counts(tmp_path, suffix):
    first, second = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second], lossless=True)
    assert (pixels(tmp_path / f"a.{suffix}") == (255, 0, 0)).all()


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_images_are_turned_as_their_metadata_say(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(SQUARE).save(tmp_path / f"a.{suffix}", exif=exif)
    s = SQUARE
    turned = {2: s[:, ::-1], 3: s[::-1, ::-1], 4: s[::-1], 5: s.swapaxes(0, 1), 6: np.rot90(s, -1)}
    turned |= {7: np.rot90(s[:, ::-1], -1), 8: np.rot90(s)}
    np.testing.assert_array_equal(pixels(tmp_path / f"a.{suffix}"), turned.get(orientation, s))


def jpeg_with(exif: bytes) -> bytes:
    plain = content(Image.fromarray(SQUARE), "JPEG", quality=90)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]


def test_a_rational_number_that_cannot_be_written_again_does_not_spoil_a_turned_jpeg(tmp_path):
    turned = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    resolution = struct.pack("<HHII", 0x011A, 10, 1, 38) + struct.pack("<Iii", 0, -5, 3)
    (tmp_path / "a.jpg").write_bytes(
        jpeg_with(b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + turned + resolution)
    )
    (tmp_path / "plain.jpg").write_bytes(content(Image.fromarray(SQUARE), "JPEG", quality=90))
    np.testing.assert_array_equal(pixels(tmp_path / "a.jpg"), np.rot90(pixels(tmp_path / "plain.jpg"), -1))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0no header at all",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xee" * 40,
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bad_exif_data_do_not_spoil_an_image(tmp_path, exif, kind):
    file = tmp_path / "a.png"
    plain = content(Image.fromarray(SQUARE), kind, quality=90)
    if kind == "JPEG":
        file.write_bytes(jpeg_with(exif))
    elif kind == "PNG":
        file.write_bytes(with_chunk(plain, chunk(b"eXIf", exif[6:])))
    else:
        file.write_bytes(content(Image.fromarray(SQUARE), kind, quality=90, exif=exif))
    (tmp_path / "plain").write_bytes(plain)
    np.testing.assert_array_equal(pixels(file), pixels(tmp_path / "plain"))


@pytest.mark.parametrize(
    "new",
    [
        chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(3_000_000), 9)),
        chunk(b"iTXt", b"comment\0\1\0\0\0" + zlib.compress(bytes(3_000_000), 9)),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000), 9)),
        chunk(b"iCCP", b"profile\0\0not compressed"),
        chunk(b"pHYs", b"\0"),
        chunk(b"tEXt", b"comment\0x")[:-4] + b"sum?",
    ],
    ids=["large text", "large international text", "large profile", "bad profile", "short size", "bad sum"],
)
def test_bad_texts_and_profiles_do_not_spoil_a_png(tmp_path, new):
    (tmp_path / "a.png").write_bytes(with_chunk(content(Image.fromarray(SQUARE), "PNG"), new))
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), SQUARE)


def test_damaged_pixels_are_not_taken_for_bad_metadata(tmp_path):
    png = bytearray(content(Image.fromarray(SQUARE), "PNG"))
    png[len(png) // 2] ^= 255
    (tmp_path / "a.png").write_bytes(png)
    with pytest.raises(
        UserError, match=r"a\.png is not an image, or is truncated or damaged \(.+\): replace"
    ):
        pixels(tmp_path / "a.png")


def huge(side: int) -> bytes:
    """The header of a black PNG so large, and a file that ends there."""
    return PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)) + chunk(b"IDAT", b"x")


def test_an_image_of_too_many_pixels_is_refused_with_the_limit(tmp_path):
    (tmp_path / "a.png").write_bytes(huge(20_000))
    start = time.monotonic()
    with pytest.raises(UserError, match=rf"a\.png has more than {LARGEST:,} pixels: make it smaller"):
        pixels(tmp_path / "a.png")
    assert time.monotonic() - start < 10
    assert LARGEST == 2 * (1024**3 // 4 // 3)  # what Pillow states


KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "TGA", "PPM", "WEBP", "PCX", "ICO", "JPEG2000", "MPO", "SGI"]
KINDS += ["AVIF"] if features.check("avif") else []


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_damaged_has_pixels_or_a_sentence(tmp_path, kind):
    whole = content(Image.fromarray(SQUARE), kind)
    random = np.random.RandomState(0)
    for i in range(60):
        damaged = bytearray(whole)
        for at in random.randint(2, min(len(whole), 800), size=1 + i % 4):
            damaged[at] = random.randint(256)
        file = tmp_path / f"{i}.png"
        file.write_bytes(damaged[: len(damaged) - (i % 5) * len(damaged) // 5])
        try:
            assert decode([file], 32, tmp_path).shape[2:] == (32, 32)
        except UserError as error:
            assert f"{i}.png" in str(error) and "\n" not in str(error)


def test_a_program_for_another_program_is_not_run(tmp_path):
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(UserError, match=r"a\.png is not an image.*no format that Pillow decodes here"):
        pixels(tmp_path / "a.png")


def test_more_than_eight_bits_of_grey_are_refused(tmp_path):
    for i, mode in enumerate(("I;16", "I", "F")):
        Image.new(mode, (8, 8)).save(tmp_path / f"{i}.tiff")
        with pytest.raises(UserError, match=rf"{i}\.tiff has more than 8 bits per channel: convert it"):
            pixels(tmp_path / f"{i}.tiff")


@pytest.mark.parametrize(("kind", "n_channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_colour_and_of_transparent_grey_keep_the_upper_eight(tmp_path, kind, n_channels):
    opaque = n_channels % 2 == 0
    row = b"\0" + struct.pack(f">{n_channels}H", *[0x12F0] * (n_channels - opaque), *[0xFFFF] * opaque) * 32
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 16, kind, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(row * 32))
    (tmp_path / "a.png").write_bytes(PNG + header + rows + chunk(b"IEND", b""))
    assert (pixels(tmp_path / "a.png") == 0x12).all()


def test_all_files_that_cannot_be_used_are_named_at_once(tmp_path):
    for i in range(7):
        (tmp_path / f"{i}.png").write_bytes(content(Image.fromarray(SQUARE), "PNG") if i == 3 else b"")
    with pytest.raises(UserError) as caught:
        decode(sorted(tmp_path.glob("*.png")), 32, tmp_path)
    files = ", ".join(str(tmp_path / f"{i}.png") for i in (1, 2, 4))
    assert f"{tmp_path}/0.png is not an image" in str(caught.value)
    assert f"More files that cannot be used: 5 ({files}, ...)" in str(caught.value)


def test_a_file_without_permission_is_not_called_damaged(monkeypatch):
    with as_nobody() as folder:
        monkeypatch.setenv("HOME", str(folder))
        Image.fromarray(SQUARE).save(folder / "a.png")
        (folder / "a.png").chmod(0)
        with pytest.raises(UserError) as caught:
            decode([folder / "a.png"], 32, folder)
        assert str(caught.value) == (
            f"{folder}/a.png cannot be read: Permission denied: give yourself the right to read it"
        )


def test_a_file_that_is_gone_is_not_called_damaged(tmp_path):
    with pytest.raises(UserError, match=r"a\.png cannot be read: No such file or directory$"):
        decode([tmp_path / "a.png"], 32, tmp_path)


def test_images_decoded_by_other_rules_are_not_taken(tmp_path, monkeypatch):
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "a.png")
    for rule in ("transparency on white", "transparency on black"):
        monkeypatch.setattr("gansweep.data.decode.RULES", rule)
        pixels(tmp_path / "a.png")
    assert len(os.listdir(tmp_path / "decoded")) == 2


def test_more_images_than_memory_holds_are_refused(tmp_path, monkeypatch):
    for i in range(3):
        Image.fromarray(SQUARE).save(tmp_path / f"{i}.png")
    monkeypatch.setattr("gansweep.data.decode.machine_memory", lambda: 2 * 32 * 32 * 3)
    files = sorted(tmp_path.glob("*.png"))
    assert len(decode(files[:2], 32, tmp_path)) == 2
    with pytest.raises(UserError, match="3 images of 32×32 pixels do not fit into the memory"):
        decode(files, 32, tmp_path)
