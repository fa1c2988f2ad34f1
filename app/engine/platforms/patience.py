"""How a task waits for a platform that is away."""

from app.core.context import TaskContext
from app.core.patience import Patience
from app.domain.messages import Param
from app.domain.platforms import Platform
from app.engine import messages


def patience_for(platform: Platform, limit_s: float, context: TaskContext) -> Patience:
    """Return how a task waits for its platform; the task's log says that it does, and for how long.

    Args:
        platform: the platform of the task.
        limit_s: the longest time that it may be away.
        context: of the task.
    """

    def say_away(detail: Param) -> None:
        if limit_s:
            context.log.warning(
                messages.PLATFORM_AWAY, address=platform.address, detail=detail, seconds=round(limit_s)
            )

    def say_back(seconds: float) -> None:
        context.log.info(messages.PLATFORM_BACK, address=platform.address, seconds=round(seconds))

    return Patience(context.clock, context.cancel, limit_s, on_away=say_away, on_back=say_back)
