"""Another client that changes rules, as ``debugctl`` would: a client in a process of its own.

``python -m tests.bench.freshness_client FOLDER``: each line of its standard input names a rule and ``stop`` or
``start``; it prints when it sent the command, by the clock that all processes of the machine share.
"""

import sys
import time
from pathlib import Path

from app.contract.client import attach
from app.contract.rules import StartRules, StopRules
from app.domain.ids import RuleId


def main() -> int:
    """Change what the lines say until there are no more."""
    with attach(Path(sys.argv[1])) as door:
        for line in sys.stdin:
            rule, what = line.split()
            command = StopRules(rules=(RuleId(rule),)) if what == "stop" else StartRules(rules=(RuleId(rule),))
            sent_s = time.monotonic()
            door.execute(command)
            print(sent_s, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
