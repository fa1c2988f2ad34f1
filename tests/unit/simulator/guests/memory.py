"""A disk in memory that insists on whole sectors, as real ones do."""


class MemoryDisk:
    def __init__(self, capacity_bytes: int) -> None:
        self.content = bytearray(capacity_bytes)
        self.written_bytes = 0

    @property
    def capacity_bytes(self) -> int:
        return len(self.content)

    def read(self, offset: int, length_bytes: int) -> bytes:
        assert 0 <= offset <= offset + length_bytes <= len(self.content)
        return bytes(self.content[offset : offset + length_bytes])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        assert offset % 512 == 0, "a guest writes whole sectors"
        assert len(data) % 512 == 0, "a guest writes whole sectors"
        assert offset + len(data) <= len(self.content)
        self.content[offset : offset + len(data)] = data
        self.written_bytes += len(data)
