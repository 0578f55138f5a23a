"""How far the database's storage may grow, as arithmetic.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html: RDS adds storage when less than a
tenth is free, at least a tenth of what there is and 10 GiB, and wants the limit 26 % or more above the start.
"""

from __future__ import annotations

import math
from typing import Final

FREE_PERCENT: Final = 10  # under this RDS grows the storage
STEP_PERCENT: Final = 10  # the least it grows by, and
STEP_GB: Final = 10  # no less than this
ROOM_PERCENT: Final = 26  # between the start and the limit
MOST_GB: Final = 65536  # of gp3


def limit_gb(storage_gb: int, data_gb: int) -> int:
    """GiB up to which storage that begins with `storage_gb` may grow to hold `data_gb` of data.

    With less, RDS would stop growing it before the data is in; the last step is wholly allowed.
    """
    full = math.ceil(data_gb * 100 / (100 - FREE_PERCENT))
    last = full + max(STEP_GB, math.ceil(full * STEP_PERCENT / 100))
    room = math.ceil(storage_gb * (100 + ROOM_PERCENT) / 100)
    return min(max(last, room), MOST_GB)
