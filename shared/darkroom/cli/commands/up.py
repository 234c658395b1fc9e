"""`darkroom up`: the whole service on this machine."""

import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypedDict, Unpack

import click
from rich.console import Console
from rich.table import Table

from darkroom.adapters.broker import Delivery
from darkroom.adapters.local.names import path_of
from darkroom.adapters.system import SystemClock
from darkroom.auth.keys import Keys
from darkroom.cli.support.job_lines import JobLines
from darkroom.cli.support.wait import is_served
from darkroom.domain.errors import ConfigurationError, JobNotFound
from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import ObjectRef
from darkroom.domain.presets import PRESET_RULES
from darkroom.local_cloud.api_server import DEFAULT_PORT, LOOPBACK, listen
from darkroom.local_cloud.supervisor import Intervals
from darkroom.runtime.bootstrap import local_parts
from darkroom.runtime.installed import FUNCTIONS
from darkroom.runtime.logs import configure
from darkroom.runtime.ports import JobStore, ObjectStore
from darkroom.runtime.settings import Settings, read_settings

if TYPE_CHECKING:  # the servers are imported only when they are started
    from darkroom.local_cloud.cloud import LocalCloud

#: Longest wait in seconds for a changed job, after which the signals are checked.
_TICK_S = 0.2
#: The address of a socket that listens on every address of this computer.
_EVERY_ADDRESS = "0.0.0.0"


class _Options(TypedDict):
    home: Path | None
    workers: int | None
    watch: float
    port: int | None
    host: str
    open_: bool
    quiet: bool


def _ipv4_address(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError as exc:
        raise click.BadParameter(f"{value!r} is not an IPv4 address such as 127.0.0.1") from exc


@click.command(
    epilog="\b\nExamples:\n  darkroom up\n  darkroom up --home /var/darkroom --workers 4\n  darkroom up --open"
)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder of the buckets and the queue.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes; one per processor if absent.")
@click.option("--watch", type=click.FloatRange(0.05, 60), default=0.5, show_default=True, help="Seconds between looks.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port of the HTTP API on this machine; {DEFAULT_PORT} if absent and free, 0 for any free one.",
)
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    callback=_ipv4_address,
    metavar="ADDRESS",
    help="IPv4 address of the HTTP API. Any other than loopback needs a key, or visitors.",
)
@click.option("--open", "open_", is_flag=True, help="Open the album in the browser.")
@click.option("--quiet", is_flag=True, help="Print nothing about the jobs and ignored files.")
def up(**options: Unpack[_Options]) -> None:
    """Run the whole service on this machine until Ctrl-C.

    The functions under functions/ process photographs in the uploads folder, each request over HTTP as on Google
    Cloud. Jobs that are unfinished when this ends, or is killed, continue at the next start.
    """
    from darkroom.local_cloud.cloud import LocalCloud

    settings = read_settings(os.environ)
    settings = settings.model_copy(update={"home": (options["home"] or settings.home).resolve()})
    _require_closed(settings, options["host"])
    stop = _on_signals()
    changed: SimpleQueue[str] = SimpleQueue()
    console = Console()
    with (
        _log_file(settings),
        LocalCloud(
            settings,
            workers=options["workers"],
            intervals=Intervals(watch_s=options["watch"]),
            observe=lambda it: changed.put(job_of(it.delivery)),
            api=_listener(options["host"], options["port"]),
        ) as cloud,
    ):
        _introduce_api(console, cloud, options["host"])
        _welcome(console, settings, cloud.size)
        if options["open_"] and cloud.api_port is not None:
            cloud.check()  # starts the API
            click.launch(_address(LOOPBACK if options["host"] == _EVERY_ADDRESS else options["host"], cloud.api_port))
        with JobLines(console, lambda job: str(result_path(settings, job))) as lines:
            while not stop.is_set():
                cloud.check()
                job = _next_changed(cloud.jobs, changed)
                if options["quiet"]:
                    continue
                _print_ignored(console, cloud.objects.take_ignored())
                if job is not None:
                    lines.update(job)
        if not options["quiet"]:  # a signal during the start ends the loop before it began
            _print_ignored(console, cloud.objects.take_ignored())
        console.print("Ending; requests in flight are finished first.")


def _require_closed(settings: Settings, host: str) -> None:
    """Raises ConfigurationError if the network could reach an API that needs no key.

    A container's port may be forwarded by a proxy. Requests from anywhere then come from the loopback address.
    """
    if ip_address(host).is_loopback or settings.anonymous or _has_keys(settings):
        return
    raise ConfigurationError(
        f"the API on {host} would be open to the network: create a key first, `darkroom keys create NAME admin`, "
        "or let visitors in with DARKROOM_ANONYMOUS=true"
    )


def _has_keys(settings: Settings) -> bool:
    """Whether a key was ever created in the home."""
    parts = local_parts(settings)
    try:
        return _keys(settings, parts.objects).any()
    finally:
        for part in (parts.objects, parts.jobs, parts.broker):
            part.close()


def _listener(host: str, port: int | None) -> socket.socket | None:
    """The socket of the API; None if no port was chosen and the default one is taken."""
    try:
        return listen(DEFAULT_PORT if port is None else port, host=host)
    except ConfigurationError:
        if port is not None:
            raise
        return None


def _introduce_api(console: Console, cloud: "LocalCloud", host: str) -> None:
    if cloud.api_port is None:
        console.print(f"No HTTP API: port {DEFAULT_PORT} is taken, choose another one with --port.", soft_wrap=True)
        return
    address = _address(host, cloud.api_port)
    console.print(f"[bold]{address}/[/bold] is the album: add photographs and see their results.", highlight=False)
    console.print(f"The review page is at {address}/review, the description of the HTTP API at {address}/docs.")
    console.print(_access_rule(cloud), soft_wrap=True)
    console.print()


def _address(host: str, port: int) -> str:
    return f"http://{host}:{port}"


def _access_rule(cloud: "LocalCloud") -> str:
    settings = cloud.settings
    if settings.anonymous:
        return "A client without a key is a visitor, identified by a cookie."
    if _keys(settings, cloud.objects).any():
        return "Every request needs a key."
    return "This computer needs no key; other computers are refused."


def _keys(settings: Settings, objects: ObjectStore) -> Keys:
    return Keys(objects=objects, bucket=settings.keys_bucket, clock=SystemClock())


def job_of(delivery: Delivery) -> str:
    """The id of the job that a delivery belongs to; empty if it belongs to none."""
    attributes = delivery.attributes
    if "objectId" not in attributes:
        return attributes.get("job_id", "")
    bucket, name = attributes["bucketId"], attributes["objectId"]
    return job_id(ObjectRef(bucket=bucket, name=name, generation=int(attributes["objectGeneration"])))


def object_path(settings: Settings, ref: ObjectRef) -> Path:
    """The file of an object of the local backend."""
    return settings.home / ref.bucket / os.fsdecode(path_of(ref.name))


def result_path(settings: Settings, job: Job) -> Path | None:
    """The file of a job's result, if it has one."""
    return object_path(settings, job.result) if job.result else None


def _on_signals() -> threading.Event:
    """The event that is set by the first Ctrl-C or SIGTERM; the second one ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop


@contextmanager
def _log_file(settings: Settings) -> Iterator[None]:
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    if not is_served(settings.home):  # a running service still writes its logs
        keep_last_logs(folder)
    with (folder / "supervisor.log").open("a", encoding="utf-8") as stream:
        configure(settings.log_level, stream)
        yield


def keep_last_logs(folder: Path) -> None:
    """Rename the logs of the last run to `NAME.log.1`, which replaces those of the run before it."""
    for path in folder.glob("*.log"):
        path.replace(path.with_name(f"{path.name}.1"))


def _print_ignored(console: Console, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)


def _next_changed(jobs: JobStore, changed: "SimpleQueue[str]") -> Job | None:
    try:
        return jobs.get(changed.get(timeout=_TICK_S))
    except (Empty, JobNotFound):
        return None


def _welcome(console: Console, settings: Settings, workers: int) -> None:
    uploads = settings.home / settings.uploads_bucket
    console.print(f"[bold]Drop photographs into[/bold] {uploads}/", soft_wrap=True, highlight=False)
    console.print("The first folder chooses what is done:")
    table = Table.grid(padding=(0, 2))
    for name, rules in PRESET_RULES.items():
        table.add_row(f"  {name}/", rules.summary)
    console.print(table)
    console.print(f"Results come to {settings.home / settings.results_bucket}/, each with a manifest.", soft_wrap=True)
    served = ", ".join(sorted(main.parent.name for main in FUNCTIONS.glob("*/main.py")))
    console.print(f"Serving the functions {served}.")
    console.print(f"{workers} workers, logs in {settings.home / 'logs'}/. Ctrl-C ends it.", soft_wrap=True)
