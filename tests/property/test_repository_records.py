"""Records and packs: round trips, every truncation, every flipped bit."""

import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.extents import Extent
from app.repository.crypto import Hasher, RepositoryKeys, SessionCipher
from app.repository.encoding import RecordEncoder
from app.repository.packheads import split_heads
from app.repository.packs import (
    PACK_HEADER_BYTES,
    PACK_VERSION,
    TRAILER_BYTES,
    PackBuilder,
    PackDamaged,
    flaw_of_heads,
    pack_header,
    parse_trailer,
    read_footer,
    salvage,
    scan_records,
)
from app.repository.records import (
    HEADER_BYTES,
    RecordDamaged,
    RecordDecoder,
    RecordKind,
    parse_header,
)

FRAME = 16 * 1024
REPOSITORY = bytes(range(16))
KEYS = RepositoryKeys(b"k" * 32)

_contents = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.builds(
        lambda seed, times: (seed * times)[: 3 * FRAME], st.binary(min_size=1, max_size=3000), st.integers(1, 60)
    ),
)


def make_record(data: bytes, keys: RepositoryKeys | None = None) -> tuple[bytes, bytes]:
    hasher = Hasher() if keys is None else keys.hasher()
    session = None if keys is None else SessionCipher(keys)
    frames = hasher.frame_digests(data, FRAME)
    digest = hasher.blob_digest(RecordKind.CHUNK, len(data), frames)
    encoder = RecordEncoder(frame_bytes=FRAME, level=1, session=session)
    record = encoder.encode(RecordKind.CHUNK, data, digest, frames)
    joined = b"".join(record.parts)
    assert len(joined) == record.length_bytes
    return joined, digest


def decoder_for(keys: RepositoryKeys | None) -> RecordDecoder:
    return RecordDecoder(Hasher() if keys is None else keys.hasher(), keys)


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@given(data=_contents)
def test_a_record_decodes_to_what_was_encoded(keys: RepositoryKeys | None, data: bytes) -> None:
    record, digest = make_record(data, keys)
    decoder = decoder_for(keys)

    assert decoder.decode(record, digest) == data

    header = parse_header(record[:HEADER_BYTES])
    table = decoder.table(header, record[HEADER_BYTES : header.frames_at])
    for index in range(header.frame_count):
        stored = record[table.offsets[index] : table.offsets[index + 1]]
        assert decoder.frame(header, table, index, stored) == data[index * FRAME : (index + 1) * FRAME]


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@given(data=_contents, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(keys: RepositoryKeys | None, data: bytes, place: float, bit: int) -> None:
    record, digest = make_record(data, keys)
    broken = bytearray(record)
    broken[int(place * len(broken))] ^= 1 << bit

    target = bytearray(len(data))
    whole = [Extent(0, len(data))]
    decoder = decoder_for(keys)
    for decode_into in (
        lambda: decoder.decode_into(broken, memoryview(target), digest),
        lambda: decoder.decode_gaps(broken, memoryview(target), digest, whole),
    ):
        target[:] = bytes(len(data))
        with suppress(RecordDamaged):
            decode_into()
            assert target == data, "a change that goes unnoticed must not change the data"
    with suppress(RecordDamaged):
        assert decoder.decode(bytes(broken), digest) == data


@given(junk=st.binary(max_size=400))
def test_a_hostile_record_with_valid_checksums_is_refused(junk: bytes) -> None:
    record, _ = make_record(b"x" * 100)
    forged = bytearray((record[:5] + junk + record)[: max(len(record), HEADER_BYTES)])
    forged[0:4] = b"SFRC"
    forged[60:64] = zlib.crc32(bytes(forged[:60])).to_bytes(4, "little")
    with pytest.raises(RecordDamaged):
        decoder_for(None).decode(bytes(forged), b"\1" * 32)


def test_nothing_of_the_content_is_readable_in_an_encrypted_record() -> None:
    secret = b"the quick brown fox " * 200
    record, digest = make_record(secret, KEYS)
    again, same_digest = make_record(secret, KEYS)

    assert b"quick" not in record
    assert digest == same_digest
    assert digest != Hasher().digest(RecordKind.CHUNK, secret, FRAME)
    assert record[HEADER_BYTES:] != again[HEADER_BYTES:]


def test_a_wrong_key_opens_no_record() -> None:
    record, digest = make_record(b"secret" * 100, KEYS)
    with pytest.raises(RecordDamaged):
        decoder_for(RepositoryKeys(b"x" * 32)).decode(record, digest)
    with pytest.raises(RecordDamaged):
        decoder_for(None).decode(record, digest)


def build_pack(
    folder: Path, contents: list[bytes], version: int = PACK_VERSION, keys: RepositoryKeys | None = None
) -> PackBuilder:
    builder = PackBuilder(folder / f"{7:032x}.pack", REPOSITORY, version)
    encoder = RecordEncoder(frame_bytes=FRAME, level=1, session=None if keys is None else SessionCipher(keys))
    for data in contents:
        frames = Hasher().frame_digests(data, FRAME)
        digest = Hasher().blob_digest(RecordKind.CHUNK, len(data), frames)
        builder.append(RecordKind.CHUNK, digest, len(data), encoder.encode(RecordKind.CHUNK, data, digest, frames))
    return builder


def whole(record: bytes) -> bool:
    try:
        decoder_for(None).decode(record)
    except RecordDamaged:
        return False
    return True


@given(contents=st.lists(_contents, max_size=6), version=st.sampled_from([1, 2]))
def test_a_sealed_pack_lists_what_was_appended(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], version: int
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    builder = build_pack(folder, contents, version)
    target = folder / "packs" / "00" / builder.path.name
    target.parent.parent.mkdir()
    builder.seal(target)

    entries = read_footer(target, REPOSITORY)
    assert entries == builder.entries
    data = target.read_bytes()
    for entry, content in zip(entries, contents, strict=True):
        record = data[entry.offset : entry.offset + entry.length_bytes]
        assert decoder_for(None).decode(record, entry.digest) == content
    assert list(scan_records(target, whole)) == entries
    assert builder.size_bytes == len(data)
    assert flaw_of_heads(target) is None


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@given(contents=st.lists(_contents, max_size=6, unique=True))
def test_the_heads_of_a_pack_are_those_of_its_records(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], keys: RepositoryKeys | None
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    (folder / "packs").mkdir()
    builder = build_pack(folder, contents, keys=keys)
    target = folder / "packs" / builder.path.name
    builder.seal(target)
    data = target.read_bytes()
    trailer = parse_trailer(data[-TRAILER_BYTES:], len(data))
    section = data[trailer.heads_at : trailer.footer_at]
    expected = {}
    for entry in builder.entries:
        record = data[entry.offset : entry.offset + entry.length_bytes]
        expected[entry.digest] = "pack", entry.offset, record[: parse_header(record[:HEADER_BYTES]).frames_at]
    assert split_heads(section, "pack", PACK_HEADER_BYTES) == (expected, trailer.heads_at)
    for cut in range(len(section)):
        assert split_heads(section[:cut], "pack", PACK_HEADER_BYTES)[0].items() <= expected.items()


@pytest.mark.parametrize("version", [1, 2])
def test_a_torn_pack_is_salvaged_at_every_point_of_truncation(tmp_path: Path, version: int) -> None:
    contents = [b"a" * 40, bytes(range(256)) * 2, b"z" * 7]
    builder = build_pack(tmp_path, contents, version)
    ends = [entry.offset + entry.length_bytes for entry in builder.entries]
    packs = tmp_path / "packs"
    packs.mkdir()
    target = packs / "00" / builder.path.name
    builder.seal(target)
    whole_pack = target.read_bytes()
    target.unlink()
    torn = tmp_path / builder.path.name

    for length in range(len(whole_pack)):
        torn.write_bytes(whole_pack[:length])
        expected = sum(end <= length for end in ends)
        if length < PACK_HEADER_BYTES:
            with pytest.raises(PackDamaged):
                salvage(torn, target, REPOSITORY, whole)
            continue
        entries = salvage(torn, target, REPOSITORY, whole)
        assert entries == builder.entries[:expected], length
        if expected:
            assert read_footer(target, REPOSITORY) == entries
            assert flaw_of_heads(target) is None
            assert (target.stat().st_size < len(whole_pack)) is (entries != builder.entries)
            target.unlink()


@pytest.mark.parametrize("version", [1, 2])
def test_any_flipped_bit_outside_of_records_is_noticed(tmp_path: Path, version: int) -> None:
    builder = build_pack(tmp_path, [b"a" * 40, b"b" * 40], version)
    records_end = builder.size_bytes
    (tmp_path / "packs").mkdir()
    target = tmp_path / "packs" / "00" / builder.path.name
    builder.seal(target)
    pack = target.read_bytes()

    for place in [*range(PACK_HEADER_BYTES), *range(records_end, len(pack))]:
        for bit in (0, 7):
            broken = bytearray(pack)
            broken[place] ^= 1 << bit
            target.write_bytes(broken)
            with pytest.raises(PackDamaged):
                look_at(target)


def look_at(pack: Path) -> None:
    read_footer(pack, REPOSITORY)
    flaw = flaw_of_heads(pack)
    if flaw is not None:
        raise flaw


@given(junk=st.binary(max_size=300))
def test_a_hostile_pack_is_refused(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("pack") / f"{7:032x}.pack"
    path.write_bytes(pack_header(REPOSITORY, bytes.fromhex(path.stem)) + junk)
    with pytest.raises(PackDamaged):
        read_footer(path, REPOSITORY)
    assert list(scan_records(path, whole)) == []


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@given(data=_contents, cuts=st.lists(st.integers(0, 1 << 20), max_size=8))
def test_gaps_are_filled_from_a_record_and_its_frames_serve_a_new_one(
    keys: RepositoryKeys | None, data: bytes, cuts: list[int]
) -> None:
    record, digest = make_record(data, keys)
    edges = sorted({min(cut, len(data)) for cut in cuts})
    gaps = [Extent(start, end - start) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    target = bytearray(b"\xa5" * len(data))
    expected = bytearray(target)
    for gap in gaps:
        expected[gap.start : gap.end] = data[gap.start : gap.end]

    kept = decoder_for(keys).decode_gaps(record, memoryview(target), digest, gaps)

    assert target == expected
    assert set(kept) == {
        (start, min(start + FRAME, len(data)))
        for start in range(0, len(data), FRAME)
        if any(gap.start <= start and min(start + FRAME, len(data)) <= gap.end for gap in gaps)
    }
    hasher = Hasher() if keys is None else keys.hasher()
    frames = hasher.frame_digests(target, FRAME)
    merged = hasher.blob_digest(RecordKind.CHUNK, len(target), frames)
    session = None if keys is None else SessionCipher(keys)
    encoder = RecordEncoder(frame_bytes=FRAME, level=1, session=session)
    parts = encoder.encode(RecordKind.CHUNK, target, merged, frames, kept).parts
    assert decoder_for(keys).decode(b"".join(parts), merged) == expected


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@given(data=_contents)
def test_a_record_decodes_into_place_as_it_does_into_new_memory(keys: RepositoryKeys | None, data: bytes) -> None:
    record, digest = make_record(data, keys)
    decoder, target = decoder_for(keys), bytearray(len(data))
    decoder.decode_into(record, memoryview(target), digest)
    assert target == data
    assert decoder.check(record, digest) == len(data)
    for length in (len(data) - 1, len(data) + 1):
        with pytest.raises(RecordDamaged):
            decoder.decode_into(record, memoryview(bytearray(length)), digest)
