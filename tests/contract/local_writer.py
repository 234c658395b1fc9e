"""Programs that a test runs as processes of their own, to kill them or to let them compete.

python -m tests.contract.local_writer ROOT crash STEP METHOD     dies by SIGKILL once STEP of METHOD is done
python -m tests.contract.local_writer ROOT endless SEED          writes objects for ever, and says what is done
python -m tests.contract.local_writer ROOT compete COUNT         tries to create COUNT objects and jobs first
"""

import os
import random
import signal
import sys
from pathlib import Path

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import JobExists, ObjectExists
from darkroom.domain.topology import UPLOADS_TOPIC
from darkroom.runtime.ports import NewObject
from tests.contract.jobs import make_job

NOTIFY = {"uploads": UPLOADS_TOPIC}
CHILDREN = 4


def new(data: bytes) -> NewObject:
    return NewObject(data=data, content_type="image/jpeg", metadata={"pipeline": "restore"})


def say(*words: object) -> None:
    """A line for the test that started this process."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def crash(root: Path, step: str, method: str) -> None:
    """Write `a/b.jpg`, and die in the middle."""

    def die(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    store = LocalObjectStore(root, notify=NOTIFY, checkpoint=die)
    write = store.create if method == "create" else store.put
    write("uploads", "a/b.jpg", new(b"new content"))


def endless(root: Path, seed: str) -> None:
    """Create, replace and delete objects, and print each change once it is made."""
    store, rng = LocalObjectStore(root, notify=NOTIFY), random.Random(seed)
    for number in range(1_000_000):
        info = store.create("uploads", f"{seed}/{number}", new(rng.randbytes(rng.randrange(1, 60_000))))
        say(info.ref.name, info.crc32c)
        if number % 5 == 4:
            info = store.put("uploads", f"{seed}/{number - 1}", new(rng.randbytes(1000)))
            say(info.ref.name, info.crc32c)
        if number % 7 == 6:
            gone = store.stat("uploads", f"{seed}/{number - 2}").ref
            store.delete(gone)
            say(gone.name, "deleted")


def compete(root: Path, count: str) -> None:
    """Print how many objects and jobs this process was the first to create, and which messages it got."""
    objects, jobs, broker = LocalObjectStore(root, notify=NOTIFY), LocalJobStore(root), LocalBroker(root)
    won, messages = 0, []
    for number in range(int(count)):
        try:
            objects.create("uploads", f"{number}.jpg", new(b"%d by %d" % (number, os.getpid())))
            won += 1
        except ObjectExists:
            pass
        try:
            jobs.create(make_job(f"job-{number}"))
            won += 1
        except JobExists:
            pass
        for delivery in broker.lease(SystemClock().now(), limit=2):
            assert broker.ack(delivery)
            messages.append(delivery.id)
    say(won, *messages)


if __name__ == "__main__":
    PROGRAMS = {"crash": crash, "endless": endless, "compete": compete}
    PROGRAMS[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
