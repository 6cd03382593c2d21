"""One image file as pixels: which formats are read, and what becomes of transparency and metadata."""

from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, UnidentifiedImageError

from gansweep.data.reading import readable, shown
from gansweep.errors import UserError

Pixels: TypeAlias = NDArray[np.uint8]

LARGEST = 178_956_970  # pixels of an image; Pillow's own limit, about 13,000×13,000
# Transparent pixels lie on white, as browsers show them. The sentence is part of a cache's name.
RULES = "transparency on white; orientation of the EXIF data; the first frame of an animation"
# Formats that other programs draw, or that Pillow recognises but does not decode.
NOT_DECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
GREY = {"1", "L", "LA"}
PALETTE = {"P", "PA"}
TURNS = {  # by the orientation of the EXIF data
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112
PNG = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
JPEG = b"\xff\xd8"
JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APP1 to APP15 and comments; APP14 states the colours
START_OF_SCAN = 0xDA


@cache
def formats() -> tuple[str, ...]:
    """Returns the formats that the installed Pillow decodes by itself."""
    Image.preinit()  # so that the usual formats are tried first
    Image.init()
    return tuple(name for name in Image.ID if name not in NOT_DECODED)


@cache
def suffixes() -> frozenset[str]:
    """Returns the endings of the names of image files, in lower case: `.png` and so on."""
    known = set(formats())
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in known)


def read_square(path: Path, size: int, crop: int | None) -> tuple[Pixels, bool]:
    """Returns the centre of an image file, uint8 [size, size, 3], and whether the image is grey.

    It is the first frame, upright, on a white ground. An image is grey if its file says so, or if all colours
    of its palette that it uses are grey. Metadata that cannot be read are ignored.
    crop: side of the centre square [pixels]; None takes the shorter side of the image.

    Raises:
        UserError: the file may not be read, is no image of at most 8 bits per channel and LARGEST pixels, or
            is damaged.
        OSError: its storage is gone.
    """
    with readable(path), path.open("rb") as file:
        try:
            image, grey = _opened(file, path)
            side = crop or min(image.size)
            left, top = ((length - side) // 2 for length in image.size)
            square = image.crop((left, top, left + side, top + side))
            return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR)), grey
        except UserError:
            raise
        except MemoryError:
            raise UserError(f"{shown(path)} does not fit into memory: make it smaller") from None
        except Exception as error:  # whatever decoders raise for a file that is damaged in some way
            if isinstance(error, OSError) and error.errno is not None:  # of the file, not of its content
                raise
            raise UserError(
                f"{shown(path)} is not an image, or is truncated or damaged ({_reason(error)}): "
                "replace or remove it"
            ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no format that Pillow decodes here"
    return shown(" ".join(str(error).split())[:120]) or type(error).__name__


def _opened(file: BinaryIO, path: Path) -> tuple[Image.Image, bool]:
    image = _loaded(file, path)
    colour = _on_white(image)
    grey = _has_equal_channels(colour) if image.mode in PALETTE else image.mode in GREY
    turn = TURNS.get(_orientation(image))
    return colour.transpose(turn) if turn is not None else colour, grey


def _loaded(file: BinaryIO, path: Path) -> Image.Image:
    try:
        return _decoded(file, path)
    except UserError:
        raise
    except Exception:  # as above
        file.seek(0)
        pixels = _without_metadata(file.read())
        if pixels is None:
            raise
        return _decoded(BytesIO(pixels), path)


def _decoded(file: BinaryIO, path: Path) -> Image.Image:
    try:
        image = Image.open(file, formats=formats())
        if image.mode.startswith(("I", "F")):
            raise UserError(f"{shown(path)} has more than 8 bits per channel: convert it to 8 bits")
        image.load()
    except Image.DecompressionBombError:
        raise UserError(
            f"{shown(path)} has more than {LARGEST:,} pixels: make it smaller or remove it"
        ) from None
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # metadata may be damaged in any way
        return 1


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")


def _has_equal_channels(image: Image.Image) -> bool:
    red, *others = image.split()
    return all(ImageChops.difference(red, other).getbbox() is None for other in others)


def _without_metadata(content: bytes) -> bytes | None:
    """Returns a PNG or JPEG with nothing but its pixels; None for other formats."""
    strip: dict[bytes, Callable[[bytes], bytes]] = {PNG: _png_pixels, JPEG: _jpeg_pixels}
    return next((function(content) for start, function in strip.items() if content.startswith(start)), None)


def _png_pixels(content: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while at + 8 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")  # length, name, data, check sum
        if content[at + 4 : at + 8] in PNG_PIXELS:
            kept.append(content[at:end])
        at = end
    return b"".join(kept)


def _jpeg_pixels(content: bytes) -> bytes:
    kept, at = [JPEG], len(JPEG)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != START_OF_SCAN:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")  # a marker, then length and data
        if content[at + 1] not in JPEG_METADATA:
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, content[at:]])
