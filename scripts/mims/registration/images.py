"""SageMaker's serving images: from framework, version, region and instance type to an image URI.

Facts alone, as SageMaker publishes them: which account holds an image in a region, which versions
there are, how its tags are spelt. What is not in the table can be named in the config as
`image_uri`; nothing here asks a registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mims.errors import InputError
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

Framework = Literal["xgboost", "sklearn", "pytorch", "tensorflow"]

_WAY_OUT = "name the image with image_uri"

_ALGORITHMS = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-iso-east-1": "833128469047",
    "us-isob-east-1": "281123927165",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}

# The deep learning containers' main account, and the regions that have one of their own.
_MAIN = (
    "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 "
    "eu-central-1 eu-north-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 "
    "us-west-1 us-west-2"
)
_DEEP_LEARNING = dict.fromkeys(_MAIN.split(), "763104351884") | {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
}
_WITH_ISO = _DEEP_LEARNING | {
    "us-iso-east-1": "886529160074",
    "us-isob-east-1": "094389454867",
}
_WITH_ISOF = _WITH_ISO | {
    "us-isof-east-1": "303241398832",
    "us-isof-south-1": "454834333376",
}


@dataclass(frozen=True)
class Series:
    """Versions of a framework, oldest first, whose images share accounts and spelling of tags."""

    framework: Framework
    versions: str
    repository: str
    tag: str
    accounts: Mapping[str, str]


_TORCH, _TF, _CPU = "pytorch-inference", "tensorflow-inference", "{version}-cpu-py3"

SERIES = (
    Series("xgboost", "0.90-1 0.90-2 1.0-1", "sagemaker-xgboost", _CPU, _ALGORITHMS),
    Series(
        "xgboost",
        "1.2-1 1.2-2 1.3-1 1.5-1 1.7-1 3.0-5",
        "sagemaker-xgboost",
        "{version}",
        _ALGORITHMS,
    ),
    Series("sklearn", "0.20.0 0.23-1 1.0-1 1.2-1", "sagemaker-scikit-learn", _CPU, _ALGORITHMS),
    Series(
        "pytorch",
        "1.2.0 1.3.1 1.4.0 1.5.0 1.6.0 1.7.1 1.8.0 1.8.1",
        _TORCH,
        "{version}-{processor}-py3",
        _WITH_ISO,
    ),
    Series(
        "pytorch",
        "1.9.0 1.9.1 1.10.0 1.10.2 1.11.0 1.12.0 1.12.1",
        _TORCH,
        "{version}-{processor}-py38",
        _WITH_ISO,
    ),
    Series("pytorch", "1.13.1", _TORCH, "{version}-{processor}-py39", _WITH_ISO),
    Series("pytorch", "2.0.0 2.0.1", _TORCH, "{version}-{processor}-py310", _WITH_ISO),
    Series("pytorch", "2.1.0 2.2.0", _TORCH, "{version}-{processor}-py310", _WITH_ISOF),
    Series("pytorch", "2.3.0 2.4.0 2.5.1", _TORCH, "{version}-{processor}-py311", _DEEP_LEARNING),
    Series("pytorch", "2.6.0", _TORCH, "{version}-{processor}-py312", _DEEP_LEARNING),
    Series(
        "tensorflow",
        "1.13.0 1.14.0 1.15.0 1.15.2 1.15.3 1.15.4 1.15.5 2.0.0 2.0.1 2.0.2 2.0.3 2.0.4 "
        "2.1.0 2.1.1 2.1.2 2.1.3 2.2.0 2.2.1 2.2.2 2.3.0 2.3.1 2.3.2 2.4.1 2.4.3 2.5.1 "
        "2.6.0 2.6.3 2.7.0 2.8.0 2.8.4 2.9.2 2.9.3 2.10.0 2.10.1 2.11.0 2.11.1 2.12.1",
        _TF,
        "{version}-{processor}",
        _WITH_ISO,
    ),
    Series("tensorflow", "2.13.0 2.14.1", _TF, "{version}-{processor}", _WITH_ISOF),
    Series("tensorflow", "2.16.1 2.18.0 2.19.0", _TF, "{version}-{processor}", _DEEP_LEARNING),
)

_DOMAINS = {
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "us-iso-": "c2s.ic.gov",
    "cn-": "amazonaws.com.cn",
}


def versions(framework: Framework) -> list[str]:
    """The versions that have an image, oldest first."""
    return [v for s in SERIES if s.framework == framework for v in s.versions.split()]


def full_version(framework: Framework, version: str | None) -> str:
    """Give the image's version for what a user calls it: `2.6` is 2.6.0, nothing is the newest.

    Raises:
        InputError: no image is known for the version; it lists those that are.

    """
    known = versions(framework)
    if version is None:
        return known[-1]
    if version in known:
        return version
    meant = [v for v in known if "." in version and re.match(re.escape(version) + "[.-]", v)]
    if not meant:
        raise InputError(
            f"no {framework} {version} image is known (known: {listed(known, 99)}); "
            f"take one of these or {_WAY_OUT}"
        )
    return meant[-1]


def serving_image(framework: Framework, version: str, region: str, instance_type: str) -> str:
    """Give the URI of SageMaker's own serving image for a full version.

    Raises:
        InputError: there is none in the region, or none for the instance type's processor.

    """
    series = next(s for s in SERIES if s.framework == framework and version in s.versions.split())
    if region not in series.accounts:
        raise InputError(
            f"no {framework} {version} image is known in region {region} "
            f"(known: {listed(sorted(series.accounts), 99)}); {_WAY_OUT}"
        )
    processor = _processor(instance_type)
    if processor not in ("cpu", "gpu"):
        raise InputError(
            f"no {framework} image is known for {processor} {instance_type}; {_WAY_OUT}"
        )
    domain = next((d for prefix, d in _DOMAINS.items() if region.startswith(prefix)), None)
    registry = f"{series.accounts[region]}.dkr.ecr.{region}.{domain or 'amazonaws.com'}"
    return (
        f"{registry}/{series.repository}:{series.tag.format(version=version, processor=processor)}"
    )


def _processor(instance_type: str) -> str:
    family = instance_type.split(".")[1]
    if family.startswith(("inf", "trn")):
        return "Neuron"
    if re.match(r"[a-z]+\d+g", family):  # c7g, m6gd, x2gd; but not g5 or p4de
        return "Graviton"
    return "gpu" if family[0] in "gp" else "cpu"
