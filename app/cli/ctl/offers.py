"""``nbd …``: disks of restore points for other programs of this machine."""

from argparse import Namespace
from collections.abc import Iterable

from app.cli.ctl.names import find, find_point, find_standby
from app.cli.ctl.screen import Screen, size
from app.cli.ctl.tasks import DONE
from app.contract.door import Door
from app.contract.offers import ListOffers, Offer, OfferPoint, WithdrawPoint


def offer_point(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Offer the disks of a restore point, and show their addresses."""
    known = find_point(door, chosen.point, chosen.standby)
    command = OfferPoint(
        standby=known.standby, target_path=known.target_path, point=known.point.id, over_tcp=chosen.tcp
    )
    offer = door.execute(command)
    screen.facts(_facts(offer), offer)
    _warn(screen, [offer])
    return DONE


def list_offers(door: Door, screen: Screen, _chosen: Namespace) -> int:
    """Show what is offered, with the addresses."""
    offers = door.ask(ListOffers())
    if screen.as_json:
        screen.document(offers)
        return DONE
    if not offers:
        screen.remark("No disks are offered.")
    for number, offer in enumerate(offers):
        if number:
            screen.line("")
        screen.facts(_facts(offer), offer)
    _warn(screen, offers)
    return DONE


def stop_offer(door: Door, screen: Screen, chosen: Namespace) -> int:
    """Offer the disks of a restore point no more."""
    offers = door.ask(ListOffers())
    if chosen.standby:
        standby = find_standby(door, chosen.standby).id
        offers = tuple(offer for offer in offers if offer.standby == standby)
    offer = find("offered restore point", chosen.point, offers, lambda offer: (offer.point,))
    door.execute(WithdrawPoint(standby=offer.standby, target_path=offer.target_path, point=offer.point))
    screen.facts([("Stopped", offer.point), ("VM", offer.vm_name)], {"point": offer.point})
    return DONE


def _facts(offer: Offer) -> Iterable[tuple[str, object]]:
    yield "Restore point", offer.point
    yield "VM", offer.vm_name
    yield "Backed up at", offer.point_at
    yield "Offered since", offer.since
    for disk in offer.disks:
        state = "being read" if disk.connections else "not read now"
        yield f"Disk {disk.key}", f"{disk.label}, {size(disk.capacity_bytes)}, {state}"
        yield "Address", disk.address


def _warn(screen: Screen, offers: Iterable[Offer]) -> None:
    if any(offer.over_tcp for offer in offers):
        screen.remark("Treat an address over TCP like a password: who knows it can read the disk.")
