"""An import and a batch on the local cloud: the API, the dispatcher and the importer as processes of their own."""

import http.client
import json
from pathlib import Path
from typing import Any

from darkroom.local_cloud.api_server import listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.photographs import small_jpeg


def ask(port: int, method: str, path: str, value: Any = None) -> Any:
    """The JSON that the API answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        body = None if value is None else json.dumps(value)
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_rows_are_fetched_or_refused_and_a_batch_runs_to_its_end(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", threads=1)
    with LocalCloud(settings, workers=1, api=listen(0)) as cloud:
        port = cloud.api_port
        assert port is not None

        def ended(path: str) -> bool:
            return bool(ask(port, "GET", path)["status"] == "completed")

        rows = [{"sku_id": "A", "image_url": f"http://127.0.0.1:8080/{name}.jpg"} for name in ("a", "b")]
        told = ask(port, "POST", "/v1/import", rows)
        assert told["accepted"] == 2
        cloud.wait_until(lambda: ended(f"/v1/import/{told['id']}"), timeout_s=90)
        failures = ask(port, "GET", f"/v1/import/{told['id']}")["failures"]
        assert {each["code"] for each in failures} == {"url_refused"}

        photograph = NewObject(data=small_jpeg(48), content_type="image/jpeg", metadata={"label-sku_id": "B"})
        cloud.objects.put("uploads", "b.jpg", photograph)
        ask(port, "PUT", "/v1/configs/sku/B", {"pipeline": {"stages": []}})
        cloud.wait_until(lambda: bool(ask(port, "GET", "/v1/jobs?status=completed")["jobs"]), timeout_s=90)
        batch = ask(port, "POST", "/v1/batch", {"sku_id": "B", "pipeline": {"stages": [], "qc_threshold": 1}})
        cloud.wait_until(lambda: ended(f"/v1/batch/{batch['id']}"), timeout_s=90)
        (product,) = ask(port, "GET", "/v1/jobs?batch=" + batch["id"])["jobs"]
        assert (product["run"], product["qc_status"]) == (2, "auto_approved")
