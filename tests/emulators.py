"""Stand-ins for Google Cloud on this computer, started when a test first needs them and ended after the last.

* Pub/Sub and Firestore: the emulators of the Google Cloud SDK, which need Java.
* Cloud Storage: the server that STORAGE_EMULATOR_HOST names, otherwise the package gcp-storage-emulator.

A server that runs already is used if its variable (PUBSUB_EMULATOR_HOST, FIRESTORE_EMULATOR_HOST,
STORAGE_EMULATOR_HOST) names it. What cannot be started makes its tests skip with the reason, or, with
DARKROOM_REQUIRE_EMULATORS=1, fail.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED_VARIABLE = "DARKROOM_REQUIRE_EMULATORS"
START_TIMEOUT_S = 60.0
#: Read by every Java machine, whatever the script that starts it passes on.
_JAVA = {"JAVA_TOOL_OPTIONS": "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}


@pytest.fixture
def gcp_project() -> str:
    """A project of the test's own: nothing in it was left by another test."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[str]:
    """host:port of a Pub/Sub emulator."""
    if running := os.environ.get("PUBSUB_EMULATOR_HOST"):
        yield running
        return
    program = sdk_program("pubsub-emulator/bin/cloud-pubsub-emulator", "Pub/Sub")
    with _server("Pub/Sub emulator", [program, "--host=127.0.0.1", "--port={port}"]) as host:
        yield host


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """host:port of a Firestore emulator."""
    if running := os.environ.get("FIRESTORE_EMULATOR_HOST"):
        yield running
        return
    program = sdk_program("cloud-firestore-emulator/cloud_firestore_emulator", "Firestore")
    with _server("Firestore emulator", [program, "start", "--host=127.0.0.1", "--port={port}"]) as host:
        yield host


@pytest.fixture(scope="session")
def storage_emulator() -> Iterator[str]:
    """URL of a server that speaks the JSON API of Cloud Storage."""
    if running := os.environ.get("STORAGE_EMULATOR_HOST"):
        yield running if "://" in running else f"http://{running}"
        return
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    if not program.exists():
        unavailable(f"no Cloud Storage: STORAGE_EMULATOR_HOST is not set, and {program.name} is not installed")
    arguments = [str(program), "start", "--host=127.0.0.1", "--port={port}", "--in-memory"]
    with _server("Cloud Storage emulator", arguments) as host:
        yield f"http://{host}"


def unavailable(reason: str) -> None:
    """Skip the test, or fail it where the emulators are required."""
    if os.environ.get(REQUIRED_VARIABLE) == "1":
        pytest.fail(f"{reason}; {REQUIRED_VARIABLE}=1 demands it")
    pytest.skip(reason)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def sdk_program(path: str, service: str) -> str:
    """The script that starts an emulator."""
    if shutil.which("java") is None:
        unavailable(f"no {service} emulator: java is not on the PATH")
    roots = [root for root in _sdk_roots() if (root / "platform" / path).exists()]
    if not roots:
        unavailable(f"no {service} emulator: no Google Cloud SDK with platform/{path} was found")
    return str(roots[0] / "platform" / path)


def _sdk_roots() -> Iterator[Path]:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return
    yield Path(gcloud).resolve().parent.parent
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=START_TIMEOUT_S)
    if answer.stdout.strip():
        yield Path(answer.stdout.strip())


@contextmanager
def _server(name: str, command: Sequence[str]) -> Iterator[str]:
    """Run a server in a process group of its own, since its starter script may not pass signals on."""
    port = free_port()
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        env=os.environ | _JAVA,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_ready(process, name, port)
        yield f"127.0.0.1:{port}"
    finally:
        _end(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", name: str, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(port):
        if process.poll() is not None:
            raise RuntimeError(f"the {name} ended with {process.returncode} instead of starting")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the {name} did not answer within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
