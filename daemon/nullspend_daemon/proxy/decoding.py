"""Reading a copy of what a provider compressed. The client's bytes are never touched."""

import zlib

MOST_BYTES = 64 * 1024 * 1024
"""What one reply may become once decompressed; the rest is not read."""
_GZIP_OR_ZLIB = 47


class Decoder:
    """Decodes one reply piece by piece; what cannot be decoded reads as nothing, never as an error."""

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        self._plain = encoding in ("", "identity")
        self._raw_deflate = encoding == "deflate"
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in ("gzip", "x-gzip", "deflate") else None
        self._left = MOST_BYTES

    def decode(self, chunk: bytes) -> bytes:
        """The decoded bytes that `chunk` completes."""
        if self._plain:
            return chunk
        if self._inflater is None or self._left <= 0:
            return b""
        try:
            out = self._inflate(chunk)
        except zlib.error:
            self._inflater = None
            return b""
        self._left -= len(out)
        return out

    def _inflate(self, chunk: bytes) -> bytes:
        assert self._inflater is not None
        try:
            out = self._inflater.decompress(chunk, self._left)
        except zlib.error:
            if not self._raw_deflate:
                raise
            # Some servers send deflate without the zlib frame around it.
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            out = self._inflater.decompress(chunk, self._left)
        self._raw_deflate = False
        while self._inflater.eof and self._inflater.unused_data:  # gzip members one after the other
            rest = self._inflater.unused_data
            self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
            out += self._inflater.decompress(rest, max(1, self._left - len(out)))
        return out
