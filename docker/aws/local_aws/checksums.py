"""S3's checksums, computed.

In: bytes and the name of an algorithm, as S3 spells it. Out: the digest, in base64 as S3 sends it.
The standard library lacks two of the CRCs: they are computed byte by byte here, which is slow and
right, where moto puts another CRC in their place.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
CRCS = ("CRC32", "CRC32C", "CRC64NVME")  # those that S3 can make of a whole object from its parts


def checksum(data: bytes, algorithm: str) -> str:
    """Return the digest of `data` in base64."""
    return b64encode(_DIGESTS[algorithm](data)).decode()


def composite(parts: list[bytes], algorithm: str) -> str:
    """Return the digest of the parts' digests, and how many they are."""
    digests = b"".join(_DIGESTS[algorithm](part) for part in parts)
    return f"{checksum(digests, algorithm)}-{len(parts)}"


def well_formed(value: str, algorithm: str) -> bool:
    """Whether `value` is base64 of the right length."""
    try:
        return len(b64decode(value, validate=True)) == len(_DIGESTS[algorithm](b""))
    except ValueError:
        return False


def for_moto(body: bytes, algorithm: str, *, encode_base64: bool = True) -> bytes:
    """Stand in for moto's own function."""
    encoded = checksum(body, algorithm).encode()
    return encoded if encode_base64 else b64decode(encoded)


def _reflected(polynomial: int, width: int) -> Callable[[bytes], bytes]:
    """Make a CRC, all ones at the start and inverted at the end, of a reflected polynomial."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    ones = (1 << width) - 1

    def digest(data: bytes) -> bytes:
        crc = ones
        for byte in data:
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return (crc ^ ones).to_bytes(width // 8, "big")

    return digest


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": _reflected(0x82F63B78, 32),
    "CRC64NVME": _reflected(0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
