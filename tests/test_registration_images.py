"""Serving images: URIs that SageMaker publishes, and what is said where there is none."""

from __future__ import annotations

from typing import get_args

import pytest

from mims.errors import InputError
from mims.registration.images import SERIES, Framework, full_version, serving_image, versions

CPU, GPU = "ml.m5.large", "ml.g5.xlarge"


@pytest.mark.parametrize(
    ("framework", "version", "region", "instance_type", "uri"),
    [
        (
            "xgboost",
            "1.7-1",
            "us-west-2",
            CPU,
            "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
        ),
        # Older tags spell the processor and Python out.
        (
            "xgboost",
            "1.0-1",
            "eu-west-1",
            CPU,
            "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3",
        ),
        (
            "sklearn",
            "1.2-1",
            "us-west-2",
            CPU,
            "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        ),
        (
            "pytorch",
            "2.6.0",
            "us-west-2",
            CPU,
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        ),
        (
            "pytorch",
            "1.13.1",
            "us-east-1",
            GPU,
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:1.13.1-gpu-py39",
        ),
        (
            "tensorflow",
            "2.19.0",
            "us-west-2",
            CPU,
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/tensorflow-inference:2.19.0-cpu",
        ),
        # A region with an account of its own.
        (
            "tensorflow",
            "2.19.0",
            "ap-southeast-7",
            GPU,
            "590183813437.dkr.ecr.ap-southeast-7.amazonaws.com/tensorflow-inference:2.19.0-gpu",
        ),
        # China, GovCloud and the isolated partitions have accounts and domains of their own.
        (
            "xgboost",
            "1.7-1",
            "cn-north-1",
            CPU,
            "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1",
        ),
        (
            "pytorch",
            "2.6.0",
            "us-gov-west-1",
            CPU,
            "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        ),
        (
            "xgboost",
            "1.7-1",
            "us-iso-east-1",
            CPU,
            "833128469047.dkr.ecr.us-iso-east-1.c2s.ic.gov/sagemaker-xgboost:1.7-1",
        ),
        (
            "sklearn",
            "1.2-1",
            "us-isob-east-1",
            CPU,
            "281123927165.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/sagemaker-scikit-learn:1.2-1-cpu-py3",
        ),
        (
            "pytorch",
            "2.1.0",
            "us-isof-south-1",
            CPU,
            "454834333376.dkr.ecr.us-isof-south-1.csp.hci.ic.gov/pytorch-inference:2.1.0-cpu-py310",
        ),
        # p and g families have GPUs; a name that ends in g does not make one.
        (
            "pytorch",
            "2.6.0",
            "us-west-2",
            "ml.p4d.24xlarge",
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference:2.6.0-gpu-py312",
        ),
    ],
)
def test_known_uris(
    framework: Framework, version: str, region: str, instance_type: str, uri: str
) -> None:
    assert serving_image(framework, version, region, instance_type) == uri


@pytest.mark.parametrize(
    ("framework", "given", "full"),
    [
        ("xgboost", None, "3.0-5"),
        ("sklearn", None, "1.2-1"),
        ("pytorch", None, "2.6.0"),
        ("tensorflow", None, "2.19.0"),
        ("pytorch", "1.10", "1.10.2"),  # the last patch of it, not of 1.1
        ("pytorch", "2.0", "2.0.1"),
        ("xgboost", "0.90", "0.90-2"),
        ("tensorflow", "2.12.1", "2.12.1"),
    ],
)
def test_full_versions(framework: Framework, given: str | None, full: str) -> None:
    assert full_version(framework, given) == full


@pytest.mark.parametrize("version", ["2", "2.", "9.9", "2.6.0.1", "latest", ".*"])
def test_an_unknown_version_lists_the_known_and_the_way_out(version: str) -> None:
    with pytest.raises(InputError) as error:
        full_version("pytorch", version)
    assert f"no pytorch {version} image is known" in str(error.value)
    assert all(known in str(error.value) for known in versions("pytorch"))
    assert "image_uri" in str(error.value)


@pytest.mark.parametrize(
    ("region", "instance_type", "reason"),
    [
        ("mars-north-1", CPU, "no pytorch 2.6.0 image is known in region mars-north-1 (known: af"),
        # The newest versions have not reached the isolated regions.
        ("us-iso-east-1", CPU, "no pytorch 2.6.0 image is known in region us-iso-east-1"),
        # Other processors have images of other names.
        ("us-west-2", "ml.inf2.xlarge", "no pytorch image is known for Neuron ml.inf2.xlarge"),
        ("us-west-2", "ml.trn1.2xlarge", "no pytorch image is known for Neuron ml.trn1.2xlarge"),
        ("us-west-2", "ml.c7g.large", "no pytorch image is known for Graviton ml.c7g.large"),
        ("us-west-2", "ml.m6gd.large", "no pytorch image is known for Graviton ml.m6gd.large"),
    ],
)
def test_no_image(region: str, instance_type: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        serving_image("pytorch", "2.6.0", region, instance_type)
    assert reason in str(error.value)
    assert "image_uri" in str(error.value)


@pytest.mark.parametrize("framework", get_args(Framework))
def test_every_framework_has_images_in_the_common_regions(framework: Framework) -> None:
    for version in versions(framework):
        for region in ("us-east-1", "us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1"):
            uri = serving_image(framework, version, region, CPU)
            assert version in uri
            assert f".ecr.{region}." in uri


def test_no_version_stands_twice() -> None:
    every = [(series.framework, v) for series in SERIES for v in series.versions.split()]
    assert len(set(every)) == len(every)
