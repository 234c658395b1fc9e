"""The commands that talk to the service, over a world in memory."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from darkroom.cli.main import cli
from darkroom.cli.support.service import Service, find_job
from darkroom.cli.support.wait import is_served
from darkroom.domain.errors import JobNotFound
from darkroom.domain.job import Job
from darkroom.local_cloud.lock import lock_home
from darkroom.runtime.ports import JobQuery
from tests.pictures import jpeg_bytes, png_bytes
from tests.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(jpeg_bytes())
    return tmp_path


def darkroom(world: World, *args: str, pause: Callable[[float], None] | None = None) -> Result:
    service = Service(system=world.system, pause=pause or (lambda _seconds: world.deliver_all()))
    return CliRunner().invoke(cli, args, obj=service, prog_name="darkroom")


def completed(world: World, name: str = "denoise/photo.jpg", **metadata: str) -> Job:
    job_id = world.drop(name, jpeg_bytes(), **metadata)
    world.deliver_all()
    return world.job(job_id)


def failed(world: World, name: str = "denoise/text.jpg") -> Job:
    job_id = world.drop(name, b"no picture")
    world.deliver_all()
    return world.job(job_id)


def only_job(world: World) -> Job:
    (job,) = world.system.jobs.query(JobQuery()).jobs
    return job


class TestSubmit:
    def test_prints_the_id_of_the_job_that_the_upload_becomes(self, world: World, here: Path) -> None:
        result = darkroom(world, "submit", "photo.jpg", "--preset", "optimize")
        assert result.exit_code == 0
        job_id, upload = result.stdout.split()
        assert upload.startswith("uploads/optimize/photo.jpg#")
        world.deliver_all()
        assert world.job(job_id).status == "completed"

    def test_without_a_pipeline_the_name_decides(self, world: World, here: Path) -> None:
        darkroom(world, "submit", "photo.jpg", "--as", "optimize/1931/wedding.jpg")
        world.deliver_all()
        job = only_job(world)
        assert job.source.ref.name == "optimize/1931/wedding.jpg"
        assert job.pipeline.preset == "optimize"

    def test_what_is_wished_travels_with_the_upload(self, world: World, here: Path) -> None:
        wishes = ("--stages", "upscale:scale=2", "--quality", "70", "--label", "sku_id=7", "--name", "Bottle")
        assert darkroom(world, "submit", "photo.jpg", *wishes).exit_code == 0
        world.deliver_all()
        job = only_job(world)
        assert job.source.ref.name == "custom/photo.jpg"
        assert [step.stage for step in job.plan] == ["assess", "upscale", "finish", "assess"]
        assert job.plan[2].parameters["quality"] == 70
        assert (job.labels, job.display_name) == ({"sku_id": "7"}, "Bottle")

    def test_an_upload_of_the_same_name_is_replaced_only_if_asked(self, world: World, here: Path) -> None:
        assert darkroom(world, "submit", "photo.jpg").exit_code == 0
        refused = darkroom(world, "submit", "photo.jpg")
        assert refused.exit_code == 1
        assert "exists already (--replace replaces it" in refused.stderr
        assert darkroom(world, "submit", "photo.jpg", "--replace").exit_code == 0

    def test_a_file_that_cannot_be_sent_does_not_stop_the_others(self, world: World, here: Path) -> None:
        darkroom(world, "submit", "photo.jpg")
        Path("other.jpg").write_bytes(jpeg_bytes())
        result = darkroom(world, "submit", "photo.jpg", "other.jpg")
        assert result.exit_code == 1
        assert len(result.stdout.splitlines()) == 1
        assert result.stderr.startswith("photo.jpg: ")

    def test_waiting_tells_what_happens_and_ends_with_the_result(self, world: World, here: Path) -> None:
        result = darkroom(world, "submit", "photo.jpg", "--preset", "denoise", "--wait")
        assert result.exit_code == 0, result.output
        job = only_job(world)
        assert [line.split()[1] for line in result.stderr.splitlines()] == [entry.action for entry in job.history]
        assert result.stdout.split()[0] == job.id
        assert result.stdout.rstrip().endswith(str(job.result))

    def test_waiting_for_a_job_that_fails_ends_with_status_1_and_its_error(self, world: World, here: Path) -> None:
        Path("text.jpg").write_bytes(b"no picture")
        result = darkroom(world, "submit", "text.jpg", "photo.jpg", "--wait", "--json")
        assert result.exit_code == 1
        told = {line["input"]: line for line in map(json.loads, result.stdout.splitlines())}
        assert told["text.jpg"]["error"]["code"] == "unsupported_format"
        assert told["photo.jpg"]["status"] == "completed"

    def test_waiting_ends_with_the_timeout_and_says_who_is_missing(self, world: World, here: Path) -> None:
        def pass_time(seconds: float) -> None:
            world.clock.advance(seconds)

        result = darkroom(world, "submit", "photo.jpg", "--wait", "--timeout", "5", pause=pass_time)
        assert result.exit_code == 1
        warning, failure = result.stderr.splitlines()
        assert warning == "nothing moves: no service runs in .darkroom; run `darkroom up` in another terminal"
        assert failure.startswith("darkroom: not ended after 5 s: 1 job (")

    def test_an_interruption_says_that_the_service_goes_on(self, world: World, here: Path) -> None:
        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        result = darkroom(world, "submit", "photo.jpg", "--wait", pause=interrupt)
        assert result.exit_code == 130
        assert "waits no longer; the service goes on with 1 job" in result.stderr

    def test_two_files_that_would_get_one_name_are_refused(self, world: World, here: Path) -> None:
        Path("more").mkdir()
        Path("more/photo.jpg").write_bytes(jpeg_bytes())
        result = darkroom(world, "submit", "photo.jpg", "more/photo.jpg")
        assert result.exit_code == 2
        assert "several files would become auto/photo.jpg" in result.stderr

    @pytest.mark.parametrize("label", ["sku", "=7"])
    def test_a_label_without_key_or_value_is_refused(self, label: str, world: World, here: Path) -> None:
        assert darkroom(world, "submit", "photo.jpg", "--label", label).exit_code == 2


def test_submitting_where_no_service_runs_is_accepted_with_a_warning(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(jpeg_bytes())
    home = tmp_path / ".darkroom"
    lonely = darkroom(world, "submit", "photo.jpg")
    assert lonely.exit_code == 0
    assert len(lonely.stdout.split()[0]) == 24
    assert f"no service runs in {home}" in lonely.stderr
    assert f"`darkroom up --home {home}`" in lonely.stderr
    with lock_home(home):
        served = darkroom(world, "submit", "photo.jpg", "--replace")
    assert (served.exit_code, served.stderr) == (0, "")


def test_a_home_is_served_while_somebody_holds_its_lock(tmp_path: Path) -> None:
    assert not is_served(tmp_path)
    with lock_home(tmp_path):
        assert is_served(tmp_path)
    assert not is_served(tmp_path)


class TestJobs:
    def test_lists_the_newest_first_one_a_line(self, world: World) -> None:
        older = completed(world)
        world.clock.advance(3600)
        newer = failed(world)
        heading, *lines = darkroom(world, "jobs").stdout.splitlines()
        assert heading.split()[:2] == ["JOB", "STATUS"]
        assert [line.split()[0] for line in lines] == [newer.short_id, older.short_id]
        assert "denoise/photo.jpg" in lines[1]

    def test_conditions_choose(self, world: World) -> None:
        labelled = completed(world, **{"label-sku_id": "7", "owner": "anna"})
        failed(world)
        for condition in (["--status", "completed"], ["--label", "sku_id=7"], ["--owner", "anna"]):
            (line,) = darkroom(world, "jobs", "--json", *condition).stdout.splitlines()
            assert json.loads(line)["id"] == labelled.id
        assert darkroom(world, "jobs", "--json", "--qc", "rejected").stdout == ""

    def test_the_limit_reaches_over_pages(self, world: World) -> None:
        for index in range(5):
            world.drop(f"optimize/{index}.jpg", b"no picture")
        world.deliver_all()
        assert len(darkroom(world, "jobs", "--json", "--limit", "3").stdout.splitlines()) == 3

    def test_a_name_cannot_command_the_terminal(self, world: World) -> None:
        failed(world, "denoise/\x1b[31mred\nline.jpg")
        for command in (["jobs"], ["show", only_job(world).id], ["explain", only_job(world).id]):
            shown = darkroom(world, *command).stdout
            assert "\x1b" not in shown
            assert "\\x1b[31mred\\nline.jpg" in shown


class TestLookUp:
    def test_an_id_is_found_by_its_first_digits(self, world: World) -> None:
        job = completed(world)
        for text in (job.id, job.short_id, job.id[:4], job.id[:6].upper()):
            assert find_job(world.system, text).id == job.id

    @pytest.mark.parametrize("text", ["abc", "photo", "", "../x"])
    def test_what_is_no_id_is_refused(self, text: str, world: World) -> None:
        with pytest.raises(JobNotFound, match="is no job id"):
            find_job(world.system, text)

    def test_digits_that_begin_several_ids_are_refused_with_those_ids(self, world: World) -> None:
        job = completed(world)
        twin = job.model_copy(update={"id": job.id[:5] + "0" * 19})
        world.system.jobs.create(twin)
        with pytest.raises(JobNotFound) as refused:
            find_job(world.system, job.id[:5])
        assert refused.value.code == "job_ambiguous"
        assert job.short_id in str(refused.value)
        assert twin.short_id in str(refused.value)

    def test_an_unknown_job_is_told_in_one_line(self, world: World) -> None:
        result = darkroom(world, "show", "0123456789ab")
        assert (result.exit_code, result.stderr) == (1, "darkroom: there is no job 0123456789ab\n")


class TestShowAndExplain:
    def test_show_as_json_is_the_whole_record(self, world: World) -> None:
        job = completed(world)
        assert Job.model_validate_json(darkroom(world, "show", job.id, "--json").stdout) == job

    def test_show_names_result_and_manifest(self, world: World) -> None:
        job = completed(world)
        shown = darkroom(world, "show", job.short_id).stdout
        assert str(job.result) in shown
        assert f"results/{job.manifest_name}" in shown

    def test_explain_tells_every_step_with_its_reason_and_what_was_left_out(self, world: World) -> None:
        job = completed(world, "auto/photo.jpg")
        told = darkroom(world, "explain", job.id).stdout
        assert job.skipped
        for line in (*(step.reason for step in job.plan), *(each.reason for each in job.skipped)):
            assert line in told
        assert [entry for entry in job.history if entry.action not in told] == []
        assert f"darkroom get {job.short_id}" in told

    def test_explain_says_what_is_wrong_and_what_to_do(self, world: World) -> None:
        job = failed(world)
        told = darkroom(world, "explain", job.id).stdout
        assert job.error
        assert f"unsupported_format in assess: {job.error.message}" in told
        assert "Export the picture as JPEG" in told

    def test_explain_of_a_job_under_way_names_what_is_to_do(self, world: World) -> None:
        job_id = world.drop("denoise/photo.jpg", jpeg_bytes())
        world.deliver(limit=3)
        told = darkroom(world, "explain", job_id).stdout
        assert "denoise        to do by" in told
        assert f"darkroom cancel {job_id[:12]}" in told


class TestGet:
    def test_the_result_keeps_its_name_and_is_never_replaced_unasked(self, world: World, here: Path) -> None:
        job = completed(world)
        assert job.result
        result = darkroom(world, "get", job.id)
        name = job.result.name.rsplit("/", 1)[1]
        assert result.stdout == f"{name}\n"
        assert Path(name).read_bytes() == world.system.objects.read(job.result)
        assert darkroom(world, "get", job.id).exit_code == 1
        assert darkroom(world, "get", job.id, "--overwrite").exit_code == 0

    def test_original_manifest_and_stages_come_too(self, world: World, here: Path) -> None:
        job = completed(world)
        assert darkroom(world, "get", job.id, "--original", "-o", "-").stdout_bytes == jpeg_bytes()
        manifest = darkroom(world, "get", job.id, "--manifest", "-o", "-").stdout
        assert json.loads(manifest)["job_id"] == job.id
        assert darkroom(world, "get", job.id, "--stage", "denoise", "-o", "steps/denoise.webp").exit_code == 0
        assert Path("steps/denoise.webp").read_bytes()[8:12] == b"WEBP"

    def test_a_slash_at_its_end_makes_the_output_a_folder(self, world: World, here: Path) -> None:
        job = completed(world)
        assert darkroom(world, "get", job.id, "--original", "-o", "new/").stdout == "new/photo.jpg\n"
        assert (here / "new" / "photo.jpg").read_bytes() == jpeg_bytes()

    def test_what_is_not_there_is_told(self, world: World, here: Path) -> None:
        job = failed(world)
        result = darkroom(world, "get", job.id)
        assert (result.exit_code, "is failed and has no result" in result.stderr) == (1, True)
        missing = darkroom(world, "get", completed(world).id, "--stage", "deblur")
        assert (missing.exit_code, "has no picture of stage deblur" in missing.stderr) == (1, True)
        assert darkroom(world, "get", job.id, "--manifest", "--original").exit_code == 2


class TestDecide:
    def test_cancel_stops_a_job_and_tells_which_it_could_not(self, world: World) -> None:
        done = completed(world)
        job_id = world.drop("denoise/other.jpg", png_bytes())
        world.deliver(limit=1)
        result = darkroom(world, "cancel", done.short_id, job_id)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"{done.short_id}: job {done.id} is completed")
        assert world.job(job_id).status == "cancelled"

    def test_replay_drives_a_failed_job_on(self, world: World) -> None:
        job = failed(world)
        assert darkroom(world, "replay", job.short_id).exit_code == 0
        world.deliver_all()
        assert [entry.action for entry in world.job(job.id).history].count("failed") == 2

    def test_a_review_stands_in_the_history_with_its_reviewer(self, world: World) -> None:
        job = completed(world)
        assert darkroom(world, "review", job.id, "--approve", "--reviewer", "anna", "--notes", "fine").exit_code == 0
        reviewed = world.job(job.id)
        assert reviewed.qc_status == "approved"
        assert (reviewed.history[-1].who, reviewed.history[-1].text) == ("anna", "fine")

    def test_a_rejection_with_a_pipeline_runs_the_job_again(self, world: World) -> None:
        job = completed(world)
        asked = ("--stages", "denoise:strength=0.5", "--quality", "60", "--reviewer", "anna")
        assert darkroom(world, "review", job.id, "--reject", *asked).exit_code == 0
        world.deliver_all()
        again = world.job(job.id)
        assert (again.run, again.status) == (2, "completed")
        assert again.plan[1].parameters["strength"] == 0.5
        assert again.plan[2].parameters["quality"] == 60

    def test_a_verdict_is_needed_and_approval_takes_no_pipeline(self, world: World) -> None:
        job = completed(world)
        assert darkroom(world, "review", job.id).exit_code == 2
        assert darkroom(world, "review", job.id, "--approve", "--preset", "auto").exit_code == 2


class TestCatalogue:
    def test_stages_tell_every_parameter_with_limits_and_default(self, world: World) -> None:
        shown = darkroom(world, "stages", "denoise").stdout
        assert "methods: auto, model, nlm, bilateral" in shown
        assert "0..100" in shown
        assert "[1]" in shown

    def test_stages_as_json_hold_the_schema_of_each_parameter(self, world: World) -> None:
        (stage,) = json.loads(darkroom(world, "stages", "upscale", "--json").stdout)
        assert stage["parameters"]["same_size"]["default"] is False

    def test_presets_and_models_are_listed_for_people_and_machines(self, world: World) -> None:
        assert "product" in darkroom(world, "presets").stdout
        assert json.loads(darkroom(world, "presets", "--json").stdout)["product"]["output"]["background"] == "#FFFFFF"
        models = json.loads(darkroom(world, "models", "--json").stdout)
        assert all(len(model["sha256"]) == 64 and model["licence"] for model in models)
        assert all(model["id"] in darkroom(world, "models").stdout for model in models)

    def test_a_model_whose_file_is_missing_is_marked(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = world.system.settings.registry.read_text()
        (tmp_path / "registry.toml").write_text(registry)
        monkeypatch.setenv("DARKROOM_REGISTRY", str(tmp_path / "registry.toml"))
        assert "is missing" in darkroom(world, "models").stdout
