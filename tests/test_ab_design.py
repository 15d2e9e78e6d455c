"""An A/B's design: into tags and back, and what is wrong with one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mims.errors import InputError
from mims.governance.ab.design import PREFIX, Design

ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/"
GIVEN: dict[str, Any] = {
    "endpoint": "fraud",
    "champion": f"{ARN}1",
    "challenger": f"{ARN}2",
    "champion_variant": "Fraud-1",
    "challenger_variant": "Fraud-2",
    "share": 0.1,
    "smallest": 0.02,
    "score": "correct",
    "capture": "s3://mims-captures/fraud",
    "labels": "s3://mims-labels/fraud",
    "most": 20_000,
    "started": datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    "former": "fraud-1-0123456789ab",
}


def design(**changes: Any) -> Design:
    return Design(**{**GIVEN, **changes})


shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
above = st.floats(0, exclude_min=True, allow_infinity=False)


@given(
    st.builds(
        design,
        share=shares,
        smallest=above,
        alpha=shares,
        score=st.sampled_from(["correct", "error"]),
        minimum=st.integers(1, 10**9),
        most=st.integers(2 * 10**9, 10**12),
        error_rise=st.floats(0, 1, exclude_min=True),
        latency_ratio=st.floats(1, exclude_min=True, allow_infinity=False),
        shadow=st.booleans(),
        started=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
    )
)
def test_what_the_tags_hold_is_the_design(made: Design) -> None:
    tags = made.checked().tags()

    assert Design.of(tags) == made
    assert all(key.startswith(PREFIX) and len(key) <= 128 for key in tags)
    assert all(len(value) <= 256 for value in tags.values())
    # AWS's own pattern of a tag's key and value, but for letters beyond ASCII
    assert all(
        re.fullmatch(r"[A-Za-z0-9 _.:/=+\-@]*", text) for one in tags.items() for text in one
    )


def test_tags_of_others_are_no_design() -> None:
    assert Design.of({}) is None
    assert Design.of({"team": "risk"}) is None
    assert Design.of({"team": "risk", **design().tags()}) == design()


@given(st.dictionaries(st.sampled_from(sorted(design().tags())), st.text(max_size=20), min_size=1))
def test_changed_tags_are_read_or_named(changes: dict[str, str]) -> None:
    try:
        assert Design.of({**design().tags(), **changes})
    except InputError as error:
        assert error.problems  # noqa: PT017 - either way is right


def test_all_that_is_wrong_with_tags_is_said_at_once() -> None:
    tags = design().tags()
    del tags[f"{PREFIX}share"]
    tags |= {f"{PREFIX}most": "many", f"{PREFIX}shadow": "perhaps", f"{PREFIX}format": "7"}

    with pytest.raises(InputError) as caught:
        Design.of(tags)

    assert [*caught.value.problems] == [
        "tag mims:ab:format: must be 1, not 7",
        "tag mims:ab:share: is missing",
        "tag mims:ab:most: 'many' is no int",
        "tag mims:ab:shadow: 'perhaps' is no bool",
        (
            "put back what they were; or give the endpoint its former configuration by hand "
            "(UpdateEndpoint), and then run mims-registry ab stop ENDPOINT --roll-back"
        ),
    ]


@pytest.mark.parametrize(
    "change", [{"share": "0.5"}, {"alpha": "0.2"}, {"minimum": "1"}, {"labels": "s3://mims-x/y"}]
)
def test_a_design_that_somebody_has_changed_by_hand(change: dict[str, str]) -> None:
    """What it says could be, and the rules are no longer those that it began with."""
    tags = design().tags() | {PREFIX + name: value for name, value in change.items()}

    with pytest.raises(InputError, match="somebody has changed them since the A/B began"):
        Design.of(tags)


# What no A/B can be, and how that is said.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    # one of the two would get no traffic
    "nothing": ({"share": 0.0}, "traffic 0.0: must be between 0 and 1"),
    "everything": ({"share": 1.0}, "traffic 1.0: must be between 0 and 1"),
    # not a number is neither below nor above
    "nan": ({"share": float("nan")}, "traffic nan"),
    # every difference would be worth finding: it never ends
    "smallest": ({"smallest": 0.0}, "smallest 0.0: must be above 0"),
    "infinite": ({"smallest": float("inf")}, "smallest inf"),
    "alpha": ({"alpha": 1.0}, "alpha 1.0"),
    "minimum": ({"minimum": 0}, "minimum 0: must be 1 record at least"),
    # it would end before it may be decided
    "most": ({"most": 600}, "most 600: must be 1000 records at least"),
    "error rise": ({"error_rise": 0.0}, "error-rise 0.0"),
    "latency": ({"latency_ratio": 1.0}, "latency-ratio 1.0: must be above 1"),
    "score": ({"score": "clicks"}, "score 'clicks': must be one of correct, label, error"),
    # nobody sees what a shadow answers
    "shadow": ({"shadow": True, "score": "label"}, "a shadow's answers reach nobody"),
    "itself": ({"challenger": f"{ARN}1"}, "challenger: is the champion itself"),
    "file": ({"capture": "captures"}, r"capture 'captures': must be s3://bucket/prefix"),
    "bucket": ({"labels": "s3://"}, r"labels 's3://': must be"),
    # S3 takes this key, but no tag does
    "characters": ({"labels": "s3://labels/(new)"}, r"labels 's3://labels/\(new\)': no tag can"),
    "long": ({"capture": "s3://captures/" + "x" * 256}, "256 characters at most"),
}


@pytest.mark.parametrize(("changes", "text"), WRONG.values(), ids=WRONG)
def test_what_no_ab_can_be(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        design(**changes).checked()


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        design(share=2.0, smallest=-1.0, capture="x", score="y").checked()

    assert len(caught.value.problems) == 4
