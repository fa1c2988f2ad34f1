"""Why a part of a configuration cannot be taken in, for the comparison."""

from typing import Final

from app.domain.messages import MessageKind

NEEDS_PLATFORM: Final = MessageKind("moving.needs_platform", "Its virtual platform {name} is not taken in.")
NEEDS_STANDBY: Final = MessageKind("moving.needs_standby", "Its standby machine {name} is not taken in.")
TWICE: Final = MessageKind("moving.twice", "The file holds it twice.")
BAD_ID: Final = MessageKind("moving.bad_id", "Its key is none that this program gives.")
PATH_TAKEN: Final = MessageKind("moving.path_taken", "Its path is that of another standby machine here: {name}.")
PATH_UNUSABLE: Final = MessageKind("moving.path_unusable", "Its path is not absolute.")
SETTINGS_UNUSABLE: Final = MessageKind("moving.settings_unusable", "The settings cannot work: {reason}")
NO_TIME_OF_DAY: Final = MessageKind("moving.no_time_of_day", "{text} is no time of day such as 22:30")
