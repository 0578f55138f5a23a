"""The objects of a load test in a cluster, and what of its options makes no sense."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest

from loadtest.distributed.messages import Plan
from loadtest.launch import RunConfig
from loadtest.profile import Journey, Profile
from scripts.load_job.manifests import Place, master_job, plan_secret, workers_job

OWNER = {"metadata": {"name": "load-1-master", "uid": "u-1"}}
PLACE = Place("load-1", "dev", "docker.io/local/task-load:1", "task-api", 400)
PROFILE = Profile(name="shop", rate=50, steady_s=2, journeys=(Journey("GET /", "/"),))
PLAN = Plan(RunConfig(PROFILE, "http://shop", "out", headers={"Authorization": "secret"}), 3, seeds=True)
OBJECTS = (master_job(PLACE), workers_job(PLACE, PLAN, "198.18.0.7", OWNER), plan_secret(PLACE, PLAN, OWNER))


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return dict(job["spec"]["template"]["spec"])


@pytest.mark.parametrize("found", OBJECTS, ids=lambda found: found["metadata"]["name"])
def test_the_objects_are_what_kubernetes_takes(found: dict[str, Any]) -> None:
    """By its own schemas, which know no other fields."""
    kubernetes_validate.validate(found, "1.34", strict=True)


@pytest.mark.parametrize("job", OBJECTS[:2], ids=["master", "workers"])
def test_no_failure_is_hidden_by_another_try(job: dict[str, Any]) -> None:
    """Not by the Job, nor by the kubelet; and none outlives its time."""
    spec = job["spec"]
    assert (0, "Never") == (spec["backoffLimit"], pod(job)["restartPolicy"])
    assert spec["activeDeadlineSeconds"] == 400
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["completions"] == spec["parallelism"]


@pytest.mark.parametrize("job", OBJECTS[:2], ids=["master", "workers"])
def test_pods_keep_to_the_profile_restricted_and_to_quotas(job: dict[str, Any]) -> None:
    """A namespace that asks for limits of both resources lets them in; nothing but /tmp can be written."""
    [container] = pod(job)["containers"]
    assert {"drop": ["ALL"]} == container["securityContext"]["capabilities"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod(job)["securityContext"]["runAsNonRoot"]
    assert {"cpu", "memory"} == set(container["resources"]["limits"]) == set(container["resources"]["requests"])
    assert not pod(job)["automountServiceAccountToken"]
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert ["/tmp"] == writable


def test_the_master_alone_has_the_secrets() -> None:
    """The plan, whose headers may be credentials, is in a Secret; workers know neither it nor the database."""
    master, workers, secret = OBJECTS
    assert PLAN == msgspec.json.decode(base64.b64decode(secret["data"]["plan.json"]), type=Plan)
    assert ["DATABASE_URL", "JWT_KEYS"] == [each["name"] for each in pod(master)["containers"][0]["env"]]
    assert "secret" not in json.dumps(workers).lower()
    assert "Authorization" not in json.dumps(master)


def test_everything_goes_with_the_masters_job() -> None:
    """By its owner references."""
    for found in OBJECTS[1:]:
        assert ["u-1"] == [owner["uid"] for owner in found["metadata"]["ownerReferences"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--workers", "3"), "--workers: for a load that is made in a cluster; add --cluster"),
        (("--cluster",), "name the --image"),
        (("--cluster", "--image", "i", "--tokens", "t"), "the master seeds and has its own; give --secret"),
        (("--cluster", "--image", "i", "--workers", "0"), "Invalid value for '--workers'"),
        (("--cluster", "--image", "i", "--kubeconfig", "nowhere"), "nowhere"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    """With exit 2, before anything is asked for."""
    profile = tmp_path / "shop.yaml"
    profile.write_text("name: shop\nrate: 5\nsteady_s: 1\njourneys: [{name: a, path: /}]\n")
    command = [sys.executable, "-m", "scripts.cli", "load", "run", str(profile), "--target", "http://shop", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (2, True) == (done.returncode, expected in " ".join(done.stderr.split())), done.stderr
