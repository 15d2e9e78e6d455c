"""Create the buckets that a registration config names, in the local AWS.

In: a registration config (a JSON file, or a folder that holds one) and the endpoint. Out: every
bucket of the config in every region of it; those that are there stay as they are. It is the local
chain's stand-in for whoever creates buckets in a real account. What is wrong in the config is
registration's to explain: it is passed over here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_REGION = "us-west-2"
REGIONS = ("regions", "model_registration_region")  # the config's key, and what pipelines call it
MARKETPLACES = {"NA": "us-east-1", "EU": "eu-west-1", "FE": "us-west-2"}  # and their regions
REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d+")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def main(argv: Sequence[str] | None = None) -> int:
    """Create what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("config", type=Path, help="registration config")
    parser.add_argument("--endpoint", required=True, help="the local AWS, never a real one")
    parser.add_argument("--bucket", required=True, help="where the config names none")
    options = parser.parse_args(argv)
    for region, bucket in wanted(read_config(options.config), options.bucket).items():
        create(options.endpoint, region, bucket)
    return 0


def read_config(path: Path) -> Mapping[str, Any]:
    """Read what can be read."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    try:
        config = json.loads(files[0].read_bytes())
    except (IndexError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def wanted(config: Mapping[str, Any], default: str) -> dict[str, str]:
    """Bucket by region."""
    named = next((config[key] for key in REGIONS if config.get(key)), DEFAULT_REGION)
    regions = {region_of(name) for name in (named if isinstance(named, list) else [named])}
    buckets = config.get("bucket") or default
    if not isinstance(buckets, dict):
        buckets = dict.fromkeys(regions, buckets)
    return {
        region_of(name): bucket
        for name, bucket in buckets.items()
        if region_of(name) in regions
        and REGION.fullmatch(region_of(name))
        and BUCKET.fullmatch(str(bucket))
    }


def region_of(name: Any) -> str:
    """AWS's name of a region, which may be called by its marketplaces."""
    return MARKETPLACES.get(str(name), str(name))


def create(endpoint: str, region: str, bucket: str) -> None:
    """Create one bucket."""
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - the local AWS takes any
    )
    if bucket in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        return
    where: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    if region == "us-east-1":  # S3 refuses the name of this one region
        where = {}
    s3.create_bucket(Bucket=bucket, **where)
    print(f"created bucket {bucket} in {region}")  # noqa: T201 - a program's answer


if __name__ == "__main__":
    sys.exit(main())
