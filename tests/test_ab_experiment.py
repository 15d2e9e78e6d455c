"""An A/B from start to end in the local AWS: what is made, refused, cut off and taken back."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import (
    CAPTURE,
    ENDPOINT,
    QUICK,
    ROLE,
    Group,
    a_group,
    config,
    delete,
    gates,
    served,
    stands,
    weights,
    wish,
)
from faults import denied, lost_answer, reset
from governance_versions import REGION, register_version
from mims.errors import InputError, MimsError, ServiceError
from mims.governance import stages
from mims.governance.ab import experiment
from mims.governance.ab.endpoint import look
from mims.governance.decisions import History, OvertakenError
from mims.governance.deploy import Variant, deploy
from mims.governance.registry import Registry
from traffic import settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalAws
    from faults import Fault, Faults
    from mims.governance.ab.experiment import Ended, Started

# test_ab_command.py goes the straight ways.
pytestmark = [pytest.mark.usefixtures("bucket"), pytest.mark.slow]

PRODUCTION, STAGING = ("Production", "Approved"), ("Staging", "PendingManualApproval")
TRIED = ("Staging", "Approved")


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return a_group(tmp_path)


@pytest.fixture
def ends(aws: LocalAws) -> Callable[..., None]:
    """Have the endpoint's next updates end otherwise than well."""

    def post(*ends: str) -> None:
        script = {"region": REGION, "endpoint": ENDPOINT, "ends": ends}
        url, body = f"{aws.url}/local-aws/endpoints", json.dumps(script).encode()
        request = urllib.request.Request(url, body)  # noqa: S310
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass

    return post


def start(group: Group, *, dry_run: bool = False, **changes: Any) -> Started:
    """Start it, as a machine that knows nothing does."""
    return experiment.start(
        *(Registry(REGION), ENDPOINT, group.challenger.arn, group.gates, wish(**changes)),
        reason="cheaper",
        patience=QUICK,
        dry_run=dry_run,
    )


def stop(group: Group, *, promote: bool = False, **how: Any) -> Ended:
    """End it, as another machine does."""
    by = how.pop("gates", group.gates) if promote else None
    registry = Registry(REGION)
    return experiment.stop(registry, ENDPOINT, promote=by, reason="decided", patience=QUICK, **how)


def decided(group: Group) -> list[tuple[str, str, str]]:
    """What was decided in the group: action, phase, reason."""
    history = History.read(Registry(REGION).trail(group.challenger))
    return [(d.action, d.phase, d.reason) for d in history.decisions]


def test_both_serve_and_any_machine_reads_the_design(group: Group) -> None:
    made = start(group)

    assert made.done == "started"
    assert weights() == pytest.approx({"1": 0.9, "2": 0.1})
    assert stands(group.challenger) == TRIED
    there = look(Registry(REGION), ENDPOINT)
    assert there.design == made.design
    assert made.design.former == group.config
    assert (made.design.champion, made.design.challenger) == (
        group.champion.arn,
        group.challenger.arn,
    )
    assert decided(group) == [
        ("admit", "begun", "A/B behind fraud: cheaper"),
        ("admit", "done", "A/B behind fraud: cheaper"),
    ]


def test_all_that_both_see_and_answer_is_captured(group: Group) -> None:
    start(group)

    capture = config()["DataCaptureConfig"]
    assert capture["EnableCapture"]
    assert capture["InitialSamplingPercentage"] == 100
    assert capture["DestinationS3Uri"] == CAPTURE
    assert [one["CaptureMode"] for one in capture["CaptureOptions"]] == ["Input", "Output"]


def test_the_challenger_runs_as_the_champion_does_unless_told(group: Group) -> None:
    start(group, instance_type="ml.c5.xlarge")

    champion, challenger = config()["ProductionVariants"]
    assert (champion["InstanceType"], champion["InitialInstanceCount"]) == ("ml.m5.large", 2)
    assert (challenger["InstanceType"], challenger["InitialInstanceCount"]) == ("ml.c5.xlarge", 2)
    model = boto3.client("sagemaker").describe_model(ModelName=challenger["ModelName"])
    assert model["ExecutionRoleArn"] == ROLE


def test_an_endpoint_that_was_scaled_keeps_its_instances(group: Group) -> None:
    """The configuration says 2, and there are 7 by now: a busy endpoint must not lose five."""
    sagemaker = boto3.client("sagemaker")
    scaled: Any = {
        "VariantName": config()["ProductionVariants"][0]["VariantName"],
        "DesiredInstanceCount": 7,
    }
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=ENDPOINT, DesiredWeightsAndCapacities=[scaled]
    )
    settled(sagemaker, ENDPOINT)

    start(group, instances=1)

    counts = [one["InitialInstanceCount"] for one in config()["ProductionVariants"]]
    assert counts == [7, 1]
    stop(group, promote=True)
    assert [one["InitialInstanceCount"] for one in config()["ProductionVariants"]] == [7]


def test_how_many_records_are_needed_is_known_by_the_accuracy(group: Group) -> None:
    """The champion's accuracy is 0.91: a score of 0 or 1 has the variance 0.91 * 0.09."""
    made = start(group, dry_run=True)
    evenly = start(group, dry_run=True, traffic=0.5)

    assert made.needed
    assert evenly.needed
    assert made.design.most == 2 * made.needed
    assert 20_000 < made.needed < 40_000
    assert made.needed / evenly.needed == pytest.approx(0.25 / 0.09, rel=0.05)
    told = start(group, dry_run=True, score="error", smallest=3.0, most=40_000)
    assert (told.needed, told.design.most) == (None, 40_000)


def test_a_shadow_gets_copies_and_answers_nobody(group: Group) -> None:
    made = start(group, shadow=True, traffic=0.5)

    assert weights() == {"1": 1.0}
    (shadow,) = config()["ShadowProductionVariants"]
    assert shadow["VariantName"] == made.design.challenger_variant
    assert shadow["InitialVariantWeight"] == 0.5
    assert stop(group, promote=True).done == "promoted"
    assert weights() == {"2": 1.0}
    assert not config().get("ShadowProductionVariants")


def test_of_a_shadow_each_copy_is_a_pair_whatever_the_share(group: Group) -> None:
    """Two scores a pair, whose difference varies as both do: 2 * 0.91 * 0.09."""
    made = [start(group, dry_run=True, shadow=True, traffic=t).needed for t in (0.1, 0.5, 1e-3)]
    evenly = start(group, dry_run=True, traffic=0.5).needed

    assert len(set(made)) == 1
    assert made[0]
    assert evenly
    assert made[0] == pytest.approx(evenly, rel=0.05)
    rare = start(group, dry_run=True, shadow=True, traffic=0.1, smallest=0.5, minimum=1000)
    assert rare.design.most == 4000  # of each 1000, and as many again


def test_a_dry_run_changes_nothing(group: Group) -> None:
    made = start(group, dry_run=True)

    assert (made.done, made.dry_run) == ("started", True)
    assert served() == group.config
    assert stands(group.challenger) == STAGING
    assert decided(group) == []
    start(group)
    before = served()
    assert stop(group, promote=True, dry_run=True).done == "promoted"
    assert stop(group, dry_run=True).done == "rolled back"
    assert served() == before
    assert stands(group.challenger) == TRIED


def test_promotion_goes_through_the_gates_and_gives_the_challenger_all(group: Group) -> None:
    start(group)

    ended = stop(group, promote=True)

    assert ended.done == "promoted"
    assert (stands(group.champion)[0], stands(group.challenger)) == ("Archived", PRODUCTION)
    (alone,) = config()["ProductionVariants"]
    assert (alone["InstanceType"], alone["InitialInstanceCount"]) == ("ml.m5.large", 2)
    assert weights() == {"2": 1.0}
    assert config()["DataCaptureConfig"]["DestinationS3Uri"] == CAPTURE
    assert look(Registry(REGION), ENDPOINT).design is None
    assert decided(group)[2:] == [("promote", "begun", "decided"), ("promote", "done", "decided")]


def test_roll_back_puts_everything_back(group: Group) -> None:
    start(group)

    ended = stop(group)

    assert ended.done == "rolled back"
    assert served() == group.config
    assert (stands(group.champion), stands(group.challenger)) == (PRODUCTION, STAGING)
    assert decided(group)[2:] == [("withdraw", "begun", "decided"), ("withdraw", "done", "decided")]
    assert start(group).done == "started"  # and it may be tried again


def test_roll_back_where_the_former_configuration_was_deleted(group: Group) -> None:
    start(group)
    boto3.client("sagemaker").delete_endpoint_config(EndpointConfigName=group.config)

    assert stop(group).said == "endpoint fraud serves the champion alone"

    assert weights() == {"1": 1.0}
    assert stands(group.challenger) == STAGING


def test_tags_of_others_stay(group: Group) -> None:
    sagemaker = boto3.client("sagemaker")
    arn = config()["EndpointConfigArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "risk"}])
    start(group)
    assert look(Registry(REGION), ENDPOINT).tags["team"] == "risk"

    stop(group, promote=True)

    assert look(Registry(REGION), ENDPOINT).tags == {"team": "risk"}


def test_gates_that_refuse_start_nothing(group: Group) -> None:
    strict = group._replace(gates=gates(group.champion.group, auc=0.99))

    made = start(strict)

    assert made.done == "refused"
    assert made.admitted
    assert [one.gate for one in made.admitted.verdicts if not one.passed] == ["metrics.auc"]
    assert served() == group.config
    assert stands(group.challenger) == STAGING


def test_gates_that_refuse_at_the_end_leave_both(group: Group) -> None:
    start(group)

    ended = stop(group, promote=True, gates=gates(group.champion.group, auc=0.99))

    assert ended.done == "refused"
    assert set(weights()) == {"1", "2"}
    assert stands(group.champion) == PRODUCTION


def test_all_that_stands_in_the_way_is_said_at_once(group: Group) -> None:
    with pytest.raises(InputError) as caught:
        experiment.start(
            *(Registry(REGION), ENDPOINT, group.champion.arn, group.gates),
            wish(traffic=1.0, smallest=0.0, capture="captures", champion=group.challenger.name),
            reason="",
            patience=QUICK,
        )

    said = "\n".join(caught.value.problems)
    name = group.champion.name
    for problem in (
        f"serves {name}, not the champion {group.challenger.name}",
        f"{name}: is in Production; only a version in Staging can be a challenger",
        "traffic 1.0: must be between 0 and 1",
        "smallest 0.0: must be above 0",
        "capture 'captures': must be s3://bucket/prefix",
        "challenger: is the champion itself",
    ):
        assert problem in said
    assert served() == group.config


def test_how_many_must_be_said_where_nobody_can_know(group: Group) -> None:
    with pytest.raises(InputError, match=r"most: must be given: how much a score of label varies"):
        start(group, score="label")


def test_no_endpoint_no_ab(group: Group) -> None:
    with pytest.raises(InputError, match="us-west-2 has no endpoint nowhere"):
        experiment.stop(Registry(REGION), "nowhere", reason="", patience=QUICK)
    with pytest.raises(InputError, match=rf"no A/B runs behind .* {group.champion.name} alone"):
        stop(group)


def test_what_serves_must_be_the_one_in_production(group: Group, tmp_path: Path) -> None:
    registry = Registry(REGION)
    third = register_version(tmp_path / "3")
    registry.update(third, ModelApprovalStatus="Approved")
    variants = [Variant(registry.version(third.arn), "ml.m5.large")]
    deploy(registry.sagemaker, ENDPOINT, variants, role=ROLE, patience=QUICK)

    with pytest.raises(InputError, match=rf"{third.name}, which is in Development, not in Prod"):
        start(group)


def test_a_second_ab_is_refused_and_the_same_one_is_left_alone(
    group: Group, tmp_path: Path
) -> None:
    start(group)
    before = served()

    assert start(group).done == "unchanged"
    with pytest.raises(InputError, match=r"an A/B runs behind endpoint fraud .*: 2 against 1"):
        start(group, traffic=0.5)
    third = register_version(tmp_path / "3")
    with pytest.raises(InputError, match="stop it first"):
        start(group._replace(challenger=third))
    assert served() == before


def test_another_went_to_production_meanwhile(group: Group, tmp_path: Path) -> None:
    start(group)
    third, registry = register_version(tmp_path / "3"), Registry(REGION)
    stages.promote(registry, third.arn, group.gates)
    stages.promote(registry, third.arn, group.gates)

    with pytest.raises(InputError, match=rf"{third.name} went to Production meanwhile"):
        stop(group, promote=True)

    assert stop(group).done == "rolled back"


def test_tags_that_somebody_has_changed(group: Group) -> None:
    start(group)
    arn = config()["EndpointConfigArn"]
    tags = [{"Key": "mims:ab:share", "Value": "most"}]
    boto3.client("sagemaker").add_tags(ResourceArn=arn, Tags=tags)  # type: ignore[arg-type]

    with pytest.raises(InputError, match=r"tag mims:ab:share: 'most' is no float"):
        stop(group)


def test_a_name_that_no_endpoint_can_have(group: Group) -> None:
    with pytest.raises(InputError, match="endpoint 'fraud_live': must be up to 63 letters"):
        look(Registry(REGION), "fraud_live")
    assert group


# How the endpoint refuses both variants, and what the error says.
REFUSALS = {
    # SageMaker itself went back
    "rolled back": "RolledBack",
    # only deleting helps: it is made anew with what it had
    "failed": "Failed",
}


@pytest.mark.parametrize("end", REFUSALS.values(), ids=REFUSALS)
def test_a_start_that_fails_leaves_all_as_it_was(
    group: Group, ends: Callable[..., None], end: str
) -> None:
    ends(end)

    with pytest.raises(ServiceError, match="is no longer admitted to the A/B: run again"):
        start(group)

    assert served() == group.config
    assert stands(group.challenger) == STAGING
    assert start(group).done == "started"


def test_an_endpoint_that_refuses_the_challenger_alone(
    group: Group, ends: Callable[..., None]
) -> None:
    start(group)
    both = served()
    ends("RolledBack")

    with pytest.raises(ServiceError, match=rf"{group.champion.name} is in Production again"):
        stop(group, promote=True)

    assert served() == both
    assert stands(group.champion) == PRODUCTION
    assert stands(group.challenger)[0] == "Archived"
    assert stop(group).done == "rolled back"
    assert served() == group.config


# Where a start is cut off: the call, how, and how often boto3 tries.
START_CUTS: dict[str, tuple[str, Fault]] = {
    "admission": ("PutObject", reset()),
    "approval": ("UpdateModelPackage", reset()),
    "model": ("CreateModel", reset()),
    "model denied": ("CreateModel", denied("sagemaker:CreateModel")),
    "configuration": ("CreateEndpointConfig", denied("sagemaker:CreateEndpointConfig")),
    "endpoint": ("UpdateEndpoint", reset()),
    "endpoint denied": ("UpdateEndpoint", denied("sagemaker:UpdateEndpoint")),
    "looks": ("DescribeEndpoint", reset()),
}


@pytest.mark.parametrize(("operation", "fault"), START_CUTS.values(), ids=START_CUTS)
def test_a_start_that_was_cut_off_is_completed(
    proxy: Faults, tmp_path: Path, operation: str, fault: Fault
) -> None:
    group = a_group(tmp_path)
    rule = proxy.on(operation, fault)
    with pytest.raises(ServiceError, match=operation):
        start(group)
    rule.times = rule.used

    assert start(group).done in ("started", "unchanged")

    assert set(weights()) == {"1", "2"}
    assert stands(group.challenger) == TRIED


@pytest.mark.parametrize(
    "operation", ["UpdateModelPackage", "CreateModel", "CreateEndpointConfig", "UpdateEndpoint"]
)
def test_an_answer_that_is_lost_changes_nothing_twice(
    proxy: Faults, tmp_path: Path, operation: str
) -> None:
    group = a_group(tmp_path)
    proxy.on(operation, lost_answer(), times=1)

    assert start(group).done == "started"

    assert set(weights()) == {"1", "2"}
    assert [phase for _, phase, _ in decided(group)] == ["begun", "done"]


def test_a_start_that_was_cut_off_while_the_endpoint_is_updated(
    proxy: Faults, tmp_path: Path
) -> None:
    """All looks fail from the update on: nobody can know how it ended."""
    group = a_group(tmp_path)
    rule = proxy.on("DescribeEndpoint", reset(), when=lambda _: proxy.count("UpdateEndpoint") > 0)
    with pytest.raises(ServiceError, match="stays admitted to the A/B"):
        start(group)
    rule.times = rule.used

    assert start(group).done == "unchanged"

    assert stands(group.challenger) == TRIED


def once_promoted(proxy: Faults) -> Callable[[Any], bool]:
    """From the second configuration on: the stages have moved."""
    before = proxy.count("CreateEndpointConfig")
    return lambda _: proxy.count("CreateEndpointConfig") > before


# Where an end is cut off.
STOP_CUTS: dict[str, tuple[str, Fault]] = {
    "decision": ("PutObject", reset()),
    "stages": ("UpdateModelPackage", reset()),
    "endpoint": ("UpdateEndpoint", reset()),
}


@pytest.mark.parametrize(("operation", "fault"), STOP_CUTS.values(), ids=STOP_CUTS)
@pytest.mark.parametrize("promote", [True, False])
def test_an_end_that_was_cut_off_is_completed(
    proxy: Faults,
    tmp_path: Path,
    operation: str,
    fault: Fault,
    promote: bool,
) -> None:
    group = a_group(tmp_path)
    start(group)
    down = [proxy.on(operation, fault)]
    if operation == "UpdateEndpoint":  # then nobody can be asked how things are
        down.append(
            proxy.on(
                "DescribeEndpoint",
                reset(),
                when=lambda _: proxy.count("UpdateEndpoint") > 2,
            )
        )
    with pytest.raises(ServiceError, match=rf"{operation}|DescribeEndpoint"):
        stop(group, promote=promote)
    for rule in down:
        rule.times = rule.used

    done = stop(group, promote=promote).done

    if promote:
        assert done == "promoted"
        assert (stands(group.champion)[0], stands(group.challenger)) == ("Archived", PRODUCTION)
        assert weights() == {"2": 1.0}
    else:
        assert done == "rolled back"
        assert (stands(group.champion), stands(group.challenger)) == (PRODUCTION, STAGING)
        assert served() == group.config


def test_of_two_operators_one_starts(group: Group) -> None:
    def work(share: float) -> str:
        try:
            return start(group, traffic=share).done
        except (OvertakenError, InputError, ServiceError) as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(work, (0.1, 0.5)))

    assert ended.count("started") == 1
    design = look(Registry(REGION), ENDPOINT).design
    assert design
    assert ended[0 if design.share == 0.1 else 1] == "started"
    assert stands(group.challenger) == TRIED


def test_of_two_operators_one_ends(group: Group) -> None:
    start(group)

    def work(promote: bool) -> str:
        try:
            return stop(group, promote=promote).done
        except MimsError as error:
            return type(error).__name__

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(work, (True, False)))

    assert len({"promoted", "rolled back"}.intersection(ended)) == 1
    assert look(Registry(REGION), ENDPOINT).design is None
    if "promoted" in ended:
        assert (stands(group.challenger), weights()) == (PRODUCTION, {"2": 1.0})
    else:
        assert (stands(group.challenger), served()) == (STAGING, group.config)


def test_a_challenger_that_was_deleted_is_rolled_back(group: Group) -> None:
    start(group)
    delete(group.challenger)

    with pytest.raises(InputError, match="was deleted: roll the A/B back"):
        stop(group, promote=True)

    assert stop(group).done == "rolled back"
    assert served() == group.config


def test_what_was_withdrawn_is_not_promoted(group: Group) -> None:
    """A roll back was cut off before it came to the endpoint."""
    start(group)
    stages.withdraw(Registry(REGION), group.champion.group, reason="worse")

    with pytest.raises(InputError, match="was withdrawn from the A/B: roll it back"):
        stop(group, promote=True)

    assert stop(group).done == "rolled back"
    assert served() == group.config


def test_an_admission_is_left_to_whoever_made_it(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator admitted it a moment ago, and has not come to the endpoint yet."""
    stages.admit(
        Registry(REGION), group.challenger.arn, group.gates, reason="A/B behind fraud: mine"
    )
    monkeypatch.setattr(Registry, "actor", "arn:aws:sts::123456789012:assumed-role/Ops/ben")
    with pytest.raises(OvertakenError, match=r"was admitted to an A/B by .*, who may be starting"):
        start(group)
    with pytest.raises(OvertakenError, match="was admitted to an A/B"):
        stop(group)

    monkeypatch.setattr(stages, "LEASE", timedelta(0))  # five minutes later
    assert start(group).done == "started"

    assert stop(group).done == "rolled back"
    assert stands(group.challenger) == STAGING  # as before the first admission


def test_what_is_left_of_a_start_is_taken_back(group: Group) -> None:
    """It was admitted, and whoever did so never came to the endpoint."""
    stages.admit(
        Registry(REGION), group.challenger.arn, group.gates, reason="A/B behind fraud: mine"
    )

    assert stop(group).done == "rolled back"

    assert stands(group.challenger) == STAGING


def test_an_admission_to_another_endpoint_stays(group: Group) -> None:
    stages.admit(
        Registry(REGION), group.challenger.arn, group.gates, reason="A/B behind fraud-eu: mine"
    )

    with pytest.raises(InputError, match="no A/B runs behind endpoint fraud"):
        stop(group)

    assert stands(group.challenger) == TRIED
