"""Which registered platform something came from: never one of two that cannot be told apart."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformIdentity, origin_among, registered_identities

ADDRESSES = st.sampled_from(["a.test", "A.test", "b.test", "c.test"])
UUIDS = st.one_of(st.none(), st.sampled_from(["u-1", "U-1", "u-2", "u-3"]))


@st.composite
def registrations(draw: st.DrawFn) -> tuple[list[Platform], dict[PlatformId, str | None]]:
    count = draw(st.integers(0, 4))
    platforms = [
        Platform(
            id=PlatformId(f"p{number}"),
            name=f"platform {number}",
            address=draw(ADDRESSES),
            port=443 + number,
            user="u",
            thumbprint_sha256=None,
            former_addresses=tuple(draw(st.lists(ADDRESSES, max_size=2, unique=True))),
        )
        for number in range(count)
    ]
    return platforms, {platform.id: draw(UUIDS) for platform in platforms}


recorded = st.builds(lambda address, uuid: PlatformIdentity(address=address, instance_uuid=uuid), ADDRESSES, UUIDS)


@given(registrations(), recorded)
def test_the_order_of_registration_does_not_count(
    made: tuple[list[Platform], dict[PlatformId, str | None]], wanted: PlatformIdentity
) -> None:
    platforms, uuids = made
    there = registered_identities(platforms, uuids)
    back = registered_identities(reversed(platforms), uuids)
    assert there == back
    assert origin_among(wanted, there) == origin_among(wanted, dict(reversed(back.items())))


@given(registrations(), recorded)
def test_an_origin_has_the_uuid_or_is_alone_at_the_address(
    made: tuple[list[Platform], dict[PlatformId, str | None]], wanted: PlatformIdentity
) -> None:
    platforms, uuids = made
    found = origin_among(wanted, registered_identities(platforms, uuids))
    if found is None:
        return
    uuid = uuids[found]
    has_its_uuid = bool(uuid and wanted.instance_uuid and uuid.lower() == wanted.instance_uuid.lower())
    places = {
        platform.id: {text.casefold() for text in (platform.address, *platform.former_addresses)}
        for platform in platforms
    }
    others = [platform for platform in platforms if platform.id != found]
    is_alone = wanted.address.casefold() in places[found] and all(
        places[found].isdisjoint(places[other.id]) for other in others
    )
    assert has_its_uuid or is_alone


@given(registrations())
def test_two_platforms_are_never_taken_for_one_another(
    made: tuple[list[Platform], dict[PlatformId, str | None]],
) -> None:
    identities = list(registered_identities(*made).values())
    for place, identity in enumerate(identities):
        assert identity.is_same(identity)
        for other in identities[place + 1 :]:
            if identity != other:
                assert not identity.is_same(other)
