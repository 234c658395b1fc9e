"""The whole service on one machine, from outside: photographs in, results out, whatever is killed in between."""

import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from darkroom.adapters.broker import Delivery
from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.adapters.system import SystemClock
from darkroom.auth.keys import Keys
from darkroom.domain.errors import ConfigurationError, TransientError
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.local_cloud.supervisor import Delivered, Intervals
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.e2e.service import (
    ROOT,
    TIMEOUT_S,
    Service,
    all_jobs,
    drop,
    ended,
    require_each_done_once,
    wait_until,
)
from tests.photographs import small_jpeg

FAST = Intervals(watch_s=0.05)


def test_a_dropped_photograph_comes_back_with_its_manifest(tmp_path: Path) -> None:
    name = "restore/1931/wedding.jpg"
    with LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST) as cloud:
        drop(tmp_path, name, small_jpeg(128, noise=12.0))
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
        require_each_done_once(cloud.parts, [name])
        (job,) = all_jobs(cloud.parts)
        artifacts = {info.ref for info in cloud.objects.list("artifacts", job.id)}
    assert job.pipeline.preset == "restore"
    assert job.result is not None
    result = tmp_path / "results" / job.result.name
    assert result.parent == tmp_path / "results" / "restore" / "1931"
    manifest = json.loads((tmp_path / "results" / job.manifest_name).read_text())
    assert manifest["job_id"] == job.id
    assert [stage["stage"] for stage in manifest["stages"]] == [step.stage for step in job.plan]
    assert artifacts == {record.output for record in job.records} - {job.result}
    assert (tmp_path / "uploads" / name).read_bytes() == small_jpeg(128, noise=12.0)


def test_metadata_of_an_upload_chooses_the_pipeline_and_labels_the_job(tmp_path: Path) -> None:
    asked = {"pipeline": '{"stages": [{"stage": "denoise", "method": "bilateral"}]}', "label-sku_id": "A-1"}
    new = NewObject(data=small_jpeg(), content_type="image/jpeg", metadata=asked)
    with LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST) as cloud:
        cloud.objects.put("uploads", "shop/shoe.jpg", new)
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
        require_each_done_once(cloud.parts, ["shop/shoe.jpg"])
        (job,) = all_jobs(cloud.parts)
    assert job.labels == {"sku_id": "A-1"}
    assert [(step.stage, step.method) for step in job.plan[1:-2]] == [("denoise", "bilateral")]


def test_what_is_no_photograph_ends_as_a_failed_job_and_the_service_goes_on(tmp_path: Path) -> None:
    with LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST) as cloud:
        drop(tmp_path, "notes.jpg", b"this is text")
        drop(tmp_path, "cat.jpg", small_jpeg(name="chelsea"))
        cloud.wait_until(lambda: ended(cloud.parts, 2), timeout_s=TIMEOUT_S)
        states = {job.source.ref.name: job.status for job in all_jobs(cloud.parts)}
    assert states == {"notes.jpg": "failed", "cat.jpg": "completed"}


def test_the_requests_have_the_form_of_the_cloud(tmp_path: Path) -> None:
    seen: list[Delivered] = []
    with LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST, observe=seen.append) as cloud:
        drop(tmp_path, "denoise/cat.jpg", small_jpeg())
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
    subscriptions = [it.delivery.subscription for it in seen]
    assert subscriptions[:2] == ["dispatcher-uploads", "stage-assess"]
    assert subscriptions.count("stage-denoise") == 1
    assert {it.answer.status for it in seen} == {200}


def test_an_upload_whose_event_was_lost_is_found_by_the_sweep(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, orphan_after_s=0, orphan_scan_s=0)
    with LocalCloud(settings, workers=1, intervals=Intervals(watch_s=0.05, sweep_s=0.2)) as cloud:
        new = NewObject(data=small_jpeg(), content_type="image/jpeg")
        silent = LocalObjectStore(tmp_path)  # one that publishes nothing
        silent.put("uploads", "sharpen/cat.jpg", new)
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
        require_each_done_once(cloud.parts, ["sharpen/cat.jpg"])


def test_a_worker_killed_in_the_middle_of_a_stage_is_replaced_and_its_stage_done_again(tmp_path: Path) -> None:
    seen: list[Delivered] = []
    with LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST, observe=seen.append) as cloud:
        first = cloud.workers[0].process.pid
        drop(tmp_path, "denoise/portrait.jpg", small_jpeg(512, noise=10.0))
        while not any(it.answer.status is None for it in seen):
            wait_until(lambda: any(worker.stages for worker in cloud.workers), "a stage to begin")
            for worker in cloud.workers:
                if worker.stages:
                    os.kill(worker.process.pid, signal.SIGKILL)
            wait_until(lambda: not any(worker.stages for worker in cloud.workers), "its end to be noticed")
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
        require_each_done_once(cloud.parts, ["denoise/portrait.jpg"])
        assert cloud.workers[0].process.pid != first
    again = [it for it in seen if it.delivery.delivery_attempt > 1]
    assert {it.answer.status for it in again} >= {200}


class ForgetfulBroker(LocalBroker):
    """Does not take an answer before it was told it three times, as on a disk that is full for a while."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, backoff_scale=0.1)
        self.told: Counter[str] = Counter()

    def ack(self, delivery: Delivery) -> bool:
        self._refuse(delivery)
        return super().ack(delivery)

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        self._refuse(delivery)
        return super().nack(delivery, now)

    def _refuse(self, delivery: Delivery) -> None:
        self.told[delivery.lease] += 1
        if self.told[delivery.lease] < 3:
            raise TransientError("the disk is full")


def test_an_answer_that_the_broker_cannot_take_is_kept_and_told_again(tmp_path: Path) -> None:
    seen: list[Delivered] = []
    cloud = LocalCloud(Settings(home=tmp_path), workers=1, intervals=FAST, observe=seen.append)
    broker = ForgetfulBroker(tmp_path)
    cloud.parts = replace(cloud.parts, broker=broker)
    with cloud:
        drop(tmp_path, "sharpen/cat.jpg", small_jpeg(64))
        cloud.wait_until(lambda: ended(cloud.parts, 1), timeout_s=TIMEOUT_S)
        require_each_done_once(cloud.parts, ["sharpen/cat.jpg"])
    assert set(broker.told.values()) == {3}
    assert {it.delivery.delivery_attempt for it in seen} == {1}
    assert len(seen) == len(broker.told)


def test_what_is_ignored_is_shown_and_the_logs_of_the_last_run_are_kept(tmp_path: Path) -> None:
    for name in (".first.jpg", ".second.jpg", ".third.jpg"):
        drop(tmp_path, name, small_jpeg(64))
        with Service(tmp_path, workers=1) as service:
            wait_until(lambda name=name: name in str(service.log("upload_ignored")), "the file to be ignored")
            wait_until(lambda: service.log("worker_started") != [], "the worker")
            _, output = service.end()
        assert output.count(f"{name}': a name that starts with a dot is hidden.") == 1
        assert len(service.log("supervisor_started")) == 1
    names = sorted(path.name for path in (tmp_path / "logs").glob("supervisor*"))
    assert names == ["supervisor.log", "supervisor.log.1"]


def test_a_second_supervisor_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with (
        LocalCloud(settings, workers=1),
        pytest.raises(ConfigurationError, match=rf"served already, by the process with pid {os.getpid()}\b"),
        LocalCloud(settings, workers=1),
    ):
        pass
    with LocalCloud(settings, workers=1) as cloud:
        assert len(cloud.workers) == 1


def test_folders_that_cannot_be_used_are_named_at_the_start(tmp_path: Path) -> None:
    for name in ("results", "artifacts"):
        (tmp_path / name).write_bytes(b"a file in the place of the folder")
    refused = subprocess.run(
        Service(tmp_path).command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert refused.returncode == 1
    problems = [f"{tmp_path / name} is not a folder; move it away" for name in ("artifacts", "results")]
    assert refused.stderr == f"darkroom: {'; '.join(problems)}\n"


def test_the_command_refuses_a_home_that_is_served_in_one_line(tmp_path: Path) -> None:
    with LocalCloud(Settings(home=tmp_path), workers=1):
        refused = subprocess.run(
            Service(tmp_path).command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    assert refused.returncode == 1
    assert re.fullmatch(rf"darkroom: .* pid {os.getpid()}; .*\n", refused.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_in_flight_end_and_the_command_exits_with_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Service(tmp_path, workers=1) as service:
        drop(tmp_path, "denoise/portrait.jpg", small_jpeg(384, noise=10.0))
        wait_until(lambda: any(job.plan[1:] for job in all_jobs(service.parts)), "the plan")
        status, output = service.end(number)
        assert status == 0, output
        now = all_jobs(service.parts)[0].updated_at
        assert service.parts.broker.release_leases(now) == 0
        assert service.log("delivery_failed") == []
        with Service(tmp_path, workers=1) as second:
            wait_until(lambda: ended(second.parts, 1), "the rest of the job")
            require_each_done_once(second.parts, ["denoise/portrait.jpg"])


def test_workers_end_when_the_supervisor_alone_is_killed(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        wait_until(lambda: len(service.log("worker_started")) == 2, "both workers")
        ports = [line["port"] for line in service.log("worker_started")]
        service.end(signal.SIGKILL)
        wait_until(lambda: not any(_listens(port) for port in ports), "the workers to end", 10.0)


def test_everything_killed_in_the_middle_of_jobs_goes_on_at_the_next_start_exactly_once(tmp_path: Path) -> None:
    names = [f"restore/{number}.jpg" for number in range(6)]
    with Service(tmp_path) as service:
        for number, name in enumerate(names):
            drop(tmp_path, name, small_jpeg(128, seed=number, noise=10.0))
        wait_until(lambda: any(len(job.records) > 1 for job in all_jobs(service.parts)), "a job to be under way")
        service.kill_all()
        assert not ended(service.parts, len(names))
        service.start()
        wait_until(lambda: ended(service.parts, len(names)), "all jobs")
        require_each_done_once(service.parts, names)
        status, output = service.end()
    assert status == 0, output


def test_the_command_tells_where_to_drop_and_where_the_result_lies(tmp_path: Path) -> None:
    with Service(tmp_path, workers=1) as service:
        drop(tmp_path, "sharpen/cat.jpg", small_jpeg())
        wait_until(lambda: ended(service.parts, 1), "the job")
        (job,) = all_jobs(service.parts)
        _, output = service.end()
    assert job.result is not None
    assert str(tmp_path / "uploads") in output
    assert re.search(r"functions .*assess, .*dispatcher.*white_balance", " ".join(output.split()))
    assert str(tmp_path / "results" / job.result.name) in output
    assert "stage_completed" in output


def test_the_command_says_who_may_ask_the_api(tmp_path: Path) -> None:
    for expected in ("This computer needs no key; other computers are refused.", "Every request needs a key."):
        with Service(tmp_path, workers=1, options=["--port", "0"]) as service:
            wait_until(lambda: bool(service.log("supervisor_started")), "the start")
            _, output = service.end()
        assert expected in " ".join(output.split())
        (tmp_path / "logs" / "supervisor.log").unlink()
        Keys(objects=service.parts.objects, bucket="api-keys", clock=SystemClock()).create("anna", "admin")


def _listens(port: object) -> bool:
    assert isinstance(port, int)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
