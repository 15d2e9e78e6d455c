"""docker/aws/buckets.py: the buckets of a config, whatever it calls its regions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import buckets
from mims.registration.forms import ALIASES
from mims.registration.parameters import region_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LocalAws


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Nothing is said, or no regions.
        ({}, {"us-west-2": "default"}),
        ({"regions": [], "bucket": "mine"}, {"us-west-2": "mine"}),
        ({"regions": None}, {"us-west-2": "default"}),
        # One name, or several; AWS's, or the marketplaces'.
        ({"regions": "eu-west-1"}, {"eu-west-1": "default"}),
        ({"regions": "FE", "bucket": "mine"}, {"us-west-2": "mine"}),
        ({"regions": ["NA", "eu-west-1"]}, {"us-east-1": "default", "eu-west-1": "default"}),
        # What pipelines call them.
        ({"model_registration_region": "EU"}, {"eu-west-1": "default"}),
        ({"model_registration_region": ["NA"], "bucket": "mine"}, {"us-east-1": "mine"}),
        # A bucket of each region, by either name; of regions that are not asked for none.
        (
            {"regions": ["NA", "eu-west-1"], "bucket": {"us-east-1": "one", "EU": "two"}},
            {"us-east-1": "one", "eu-west-1": "two"},
        ),
        ({"regions": ["NA"], "bucket": {"NA": "one", "EU": "two"}}, {"us-east-1": "one"}),
        # What registration will refuse.
        ({"regions": [5, "Ohio", "us-west-2"], "bucket": "No"}, {}),
        ({"regions": {"us-west-2": 1}}, {}),
        ({"bucket": {"us-west-2": 5}}, {}),
    ],
)
def test_the_buckets_of_a_config(config: dict[str, Any], expected: dict[str, str]) -> None:
    assert buckets.wanted(config, "default") == expected


def test_it_knows_what_registration_knows() -> None:
    names = {name for name, meant in ALIASES.items() if meant == "regions"}
    assert set(buckets.REGIONS) == {"regions", *names}
    for name in ("NA", "EU", "FE", "CN", "us-west-2"):
        assert buckets.region_of(name) == region_of(name)


def test_they_are_created_once_where_they_belong(
    aws: LocalAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"model_registration_region": ["NA", "EU"], "bucket": {"NA": "one", "EU": "two"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    options = [str(tmp_path), "--endpoint", aws.url, "--bucket", "default"]
    assert [buckets.main(options), buckets.main(options)] == [0, 0]
    told = "created bucket one in us-east-1\ncreated bucket two in eu-west-1\n"
    assert capsys.readouterr().out == told  # once
    s3 = boto3.client("s3")
    assert s3.get_bucket_location(Bucket="two")["LocationConstraint"] == "eu-west-1"
    assert len(s3.list_buckets()["Buckets"]) == 2
