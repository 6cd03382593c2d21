"""JSON as typed records, checked while it is read: what is wrong becomes one sentence.

A file of one JSON object carries the hash of its content as `sha256`, so that a changed digit is noticed;
files of earlier versions have none.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from gansweep.errors import Damaged, UserError
from gansweep.files import dump_json, read_bytes

Record = TypeVar("Record")
SEAL = "sha256"
LARGEST = 2**27  # bytes of a JSON file
SURROGATE = re.compile("[\ud800-\udfff]")
PLACE = re.compile(r"^(.*?)(?: - at `\$?(.*)`)?$", re.DOTALL)


def decode(
    content: bytes, kind: type[Record], name: str, decoder: msgspec.json.Decoder[Record] | None = None
) -> Record:
    """Returns a JSON value as a record. name: of the record, for the message. decoder: for many of a kind.

    Raises:
        UserError: it is not JSON, or not such a record: says where and why.
    """
    try:
        return _decode(content, decoder or msgspec.json.Decoder(kind))
    except msgspec.ValidationError as error:
        raise UserError(f"damaged: {first_error(error, name)}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"damaged: it is not JSON ({error})") from None
    except UserError as error:
        raise UserError(f"damaged: {error}") from None


def _decode(content: bytes, decoder: msgspec.json.Decoder[Record]) -> Record:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # msgspec refuses lone surrogates, which texts of the system may contain
        value = _without_surrogates(json.loads(content, parse_constant=_refuse))
        record: Record = msgspec.convert(value, decoder.type)
        return record


def _without_surrogates(value: object) -> object:
    """Returns a JSON value with � for every lone surrogate, which no table, figure or terminal takes."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(each) for name, each in value.items()}
    return [_without_surrogates(each) for each in value] if isinstance(value, list) else value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def first_error(error: msgspec.ValidationError, name: str) -> str:
    """Returns the first thing that is wrong with a record: `manifest.git.dirty: expected bool, got int`."""
    found = PLACE.match(str(error))
    what, place = found.groups() if found else (str(error), "")
    return f"{name}{place or ''}: {what[:1].lower()}{what[1:]}".replace("`", "")


def sealed_json(value: Mapping[str, object]) -> str:
    """Returns a JSON object as the content of a file, with the hash of the rest of it as `sha256`."""
    return dump_json({**value, SEAL: _hash(value)})


def _hash(value: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def read_record(file: Path, kind: type[Record]) -> Record:
    """Returns the record that a file holds.

    Raises:
        Damaged: the file is damaged.
        OSError: it is missing or cannot be read.
    """
    content = read_bytes(file, LARGEST)
    try:
        record = decode(content, kind, file.stem)
        value = json.loads(content, parse_constant=_refuse)
        seal = value.pop(SEAL, None)
        if seal is not None and seal != _hash(value):
            raise UserError("damaged: its content does not have the hash that it was written with")
    except UserError as error:
        raise Damaged(f"{file} is {error}; restore it from a copy") from None
    return record
