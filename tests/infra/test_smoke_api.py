"""What tries the deployed API tries the one on this machine: over HTTP, with the whole local cloud behind it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from darkroom.adapters.system import SystemClock
from darkroom.auth.keys import Keys
from darkroom.local_cloud.api_server import listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.settings import Settings
from infra.smoke_api import Api, Failed, check_post, photograph, secret_headers, smoke
from tests.infra.terraform import ROOT

SCRIPT = ROOT / "infra" / "smoke_api.py"
TIMEOUT_S = 60.0


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(Settings(home=tmp_path / "home", threads=1), workers=1, api=listen(0)) as cloud:
        yield cloud


def api_of(cloud: LocalCloud, key: str = "") -> Api:
    headers = secret_headers({"SMOKE_API_KEY": key})
    return Api(url=f"http://127.0.0.1:{cloud.api_port}/", headers=headers, timeout_s=TIMEOUT_S, pause_s=0.05)


def key_for(cloud: LocalCloud) -> str:
    keys = Keys(objects=cloud.objects, clock=SystemClock(), bucket="api-keys")
    return keys.create("smoke", "submitter")[1]


def test_a_service_that_works_passes_and_keeps_nothing_of_it(cloud: LocalCloud) -> None:
    key = key_for(cloud)
    smoke(api_of(cloud, key), "optimize")
    assert [list(cloud.objects.list(bucket)) for bucket in ("uploads", "results", "artifacts")] == [[], [], []]


def test_without_its_key_it_fails_with_what_the_service_said(cloud: LocalCloud) -> None:
    key_for(cloud)
    with pytest.raises(Failed, match=r"^POST /v1/jobs was answered 401: .*an API key is needed"):
        smoke(api_of(cloud), "optimize")


def test_a_preset_that_does_not_exist_fails(cloud: LocalCloud) -> None:
    with pytest.raises(Failed, match=r"POST /v1/jobs was answered 4.*nonsense"):
        smoke(api_of(cloud), "nonsense")


def test_a_job_that_fails_is_told_with_its_error(cloud: LocalCloud) -> None:
    never = Api(url=api_of(cloud).url, timeout_s=0.0, pause_s=0.0)
    with pytest.raises(Failed, match=r"^job \S+ is (pending|processing) after 0 s$"):
        check_post(never, "optimize")


def test_the_program_tells_a_service_that_is_not_there_in_one_line() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
    run = [sys.executable, str(SCRIPT), f"http://127.0.0.1:{port}", "optimize"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["GET /health was not answered: [Errno 111] Connection refused"]


def test_the_program_needs_nothing_but_python(cloud: LocalCloud) -> None:
    imported = {
        name.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    run = [sys.executable, "-I", "-S", str(SCRIPT), api_of(cloud).url, "optimize"]
    environment = {"PATH": os.environ["PATH"], "SMOKE_API_KEY": key_for(cloud)}
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_picture_is_a_picture() -> None:
    with Image.open(BytesIO(photograph())) as image:
        image.load()
        assert (image.format, image.size, image.mode) == ("PNG", (320, 320), "L")


def test_the_token_for_the_function_leaves_room_for_the_key_of_the_service() -> None:
    assert secret_headers({"SMOKE_API_KEY": "dk_1", "SMOKE_ID_TOKEN": "a.b.c"}) == {
        "Authorization": "Bearer dk_1",
        "X-Serverless-Authorization": "Bearer a.b.c",
    }
    assert secret_headers({}) == {}
