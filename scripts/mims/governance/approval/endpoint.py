"""What a state machine does about an endpoint: find it, change it, see that it serves; or go back.

Goes in: the plan of a promotion; names of model and configuration come with an execution's input.
Comes out: steps and states. A failed endpoint can only be deleted, says SageMaker: on the way back
it is made anew with the configuration that it had. No wait is without an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.governance.approval.ends import NOT_READY
from mims.governance.approval.scale import scale_known, scaled_back
from mims.governance.approval.states_language import (
    NEXT,
    PATIENT,
    ROLL_BACK,
    State,
    States,
    Step,
    both,
    call,
    choice,
    error,
    fail,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True)
class Plan:
    """How a promotion goes, beside its gates."""

    queue_url: str
    """SQS queue that approvals are asked by"""
    endpoint: str | None = None
    """the endpoint to deploy to; None: versions change their stage alone"""
    role: str = ""
    """ARN of the role that the model runs with"""
    instance_type: str = "ml.m5.large"
    probe: Mapping[str, str] | None = None
    """a request that the endpoint must answer: `body` and `content_type`"""
    approval_seconds: int = 3 * 86_400
    """how long to wait for each approval"""
    looks: int = 120
    """how often to look at an endpoint before it counts as failed"""
    between: int = 30
    """seconds between two looks"""


def endpoint_known(plan: Plan) -> list[Step]:
    """Find the configuration that the endpoint has: to go back to."""
    missing = "Is the endpoint missing?"
    look = _described(plan, missing)
    ready = {"Variable": "$.former.status", "StringEquals": "InService", "Next": NEXT}
    none: States = {
        missing: choice(
            [rule("$.error.Cause", StringMatches="Could not find endpoint*", then="No endpoint")],
            default="Endpoint unknown",
        ),
        "No endpoint": {
            "Type": "Pass",
            "Result": {"config": None, "status": None},
            "ResultPath": "$.former",
            "Next": NEXT,
        },
        "Endpoint unknown": fail(NOT_READY, path="$.error.Cause"),
        "Endpoint ready?": {"Type": "Choice", "Choices": [ready], "Default": "Endpoint not ready"},
        "Endpoint not ready": fail(
            NOT_READY, f"endpoint {plan.endpoint} is not in service: see to it, and start anew"
        ),
    }
    look |= {"ResultPath": "$.former", "Next": "Endpoint ready?"}
    return [("Look at the endpoint", look, none), scale_known(plan.endpoint)]


def deployed(plan: Plan) -> list[Step]:
    """Make model and configuration, have the endpoint serve them, and see that it does."""
    variant = {
        "VariantName.$": "$.deployment.variant",
        "ModelName.$": "$.deployment.model",
        "InstanceType": plan.instance_type,
        "InitialInstanceCount.$": "$.deployment.count",
        "InitialVariantWeight": 1.0,
    }
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "Create the model": (
            "sagemaker:createModel",
            {
                "ModelName.$": "$.deployment.model",
                "ExecutionRoleArn": plan.role,
                "PrimaryContainer": {"ModelPackageName.$": "$.version.arn"},
            },
        ),
        "Create the configuration": (
            "sagemaker:createEndpointConfig",
            {"EndpointConfigName.$": "$.deployment.config", "ProductionVariants": [variant]},
        ),
    }
    steps: list[Step] = []
    for name, (operation, parameters) in made.items():
        there = f"{name}: is it there?"
        rules = [rule("$.error.Cause", StringMatches="*already existing*")]
        task = {**call(operation, parameters, there), "ResultPath": None, "Next": NEXT}
        steps.append((name, task, {there: choice(rules, default=ROLL_BACK)}))
    return [*steps, *_served(plan), *_verified(plan)]


def _served(plan: Plan) -> list[Step]:
    """Create or update the endpoint, and wait until it has come to rest."""
    named = {"EndpointName": plan.endpoint, "EndpointConfigName.$": "$.deployment.config"}
    create, update, wait = "Create the endpoint", "Update the endpoint", "Wait for the endpoint"
    count, look, slow = "Count the looks", "See the endpoint", "Endpoint too slow"
    moving = [rule("$.endpoint.status", StringEquals=status, then=count) for status in _MOVING]
    seen = {**_described(plan, ROLL_BACK), "Next": "Endpoint settled?", "Retry": PATIENT}
    more: States = {
        create: {**call("sagemaker:createEndpoint", named), "ResultPath": None, "Next": wait},
        update: {**call("sagemaker:updateEndpoint", named), "ResultPath": None, "Next": wait},
        wait: {"Type": "Wait", "Seconds": plan.between, "Next": look},
        look: seen,
        "Endpoint settled?": {"Type": "Choice", "Choices": moving, "Default": NEXT},
        count: {
            "Type": "Pass",
            "Parameters": {"count.$": "States.MathAdd($.looks.count, 1)"},
            "ResultPath": "$.looks",
            "Next": "Look again?",
        },
        "Look again?": choice(
            [rule("$.looks.count", NumericLessThan=plan.looks, then=wait)], default=slow
        ),
        slow: error(f"endpoint {plan.endpoint} took more than {plan.looks} looks", ROLL_BACK),
    }
    served = {"Variable": "$.former.config", "StringEqualsPath": "$.deployment.config"}
    rules = [rule("$.former.config", IsNull=True, then=create), {**served, "Next": look}]
    return [
        ("Is there an endpoint?", {"Type": "Choice", "Choices": rules, "Default": update}, more)
    ]


def _verified(plan: Plan) -> list[Step]:
    """See that the endpoint serves the configuration and answers the probe."""
    failed = "Deployment failed"
    right = [
        {"Variable": "$.endpoint.status", "StringEquals": "InService"},
        {"Variable": "$.endpoint.config", "StringEqualsPath": "$.deployment.config"},
    ]
    said = "'endpoint {} is {} with configuration {}'"
    more: States = {
        failed: {
            "Type": "Pass",
            "Parameters": {
                "Error": "DeploymentFailed",
                "Cause.$": f"States.Format({said}, $.endpoint.name, $.endpoint.status, "
                "$.endpoint.config)",
            },
            "ResultPath": "$.error",
            "Next": ROLL_BACK,
        }
    }
    steps: list[Step] = [("Does it serve?", choice([both(right)], default=failed), more)]
    if plan.probe:
        request = {
            "EndpointName": plan.endpoint,
            "Body": plan.probe["body"],
            "ContentType": plan.probe.get("content_type", "text/csv"),
        }
        task = {**call("sagemakerruntime:invokeEndpoint", request), "ResultPath": None}
        steps.append(("Does it answer?", {**task, "Next": NEXT}, {}))
    return steps


def endpoint_back(plan: Plan, then: str) -> States:
    """Have the endpoint as it was: with its former configuration and instances, or gone."""
    look, gone, wait = "Back: see the endpoint", "Back: is it gone?", "Back: wait"
    delete, create, update = "Back: delete", "Back: create", "Back: update"
    note, slow = "$.incomplete", "Back: too slow"
    former = {"EndpointName": plan.endpoint, "EndpointConfigName.$": "$.former.config"}
    named = {"EndpointName": plan.endpoint}
    nothing = {"Variable": "$.former.config", "IsNull": True}
    as_before: list[State] = [
        {"Variable": "$.former.config", "IsNull": False},
        {"Variable": "$.endpoint.status", "StringEquals": "InService"},
        {"Variable": "$.endpoint.config", "StringEqualsPath": "$.former.config"},
    ]

    def change(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        task = call(f"sagemaker:{operation}", parameters, then, note)
        return {**task, "ResultPath": None, "Next": wait, "Retry": PATIENT}

    return {
        look: {**_described(plan, gone, "$.unseen"), "Next": "Back: as before?"},
        gone: choice(
            [
                both(
                    [nothing, rule("$.unseen.Cause", StringMatches="Could not find*", then="")],
                    then,
                ),
                rule("$.unseen.Cause", StringMatches="Could not find*", then=create),
            ],
            default=wait,
        ),
        "Back: as before?": choice(
            [
                both(as_before, "Back: see its instances"),
                *(rule("$.endpoint.status", StringEquals=s, then=wait) for s in _MOVING),
                {**nothing, "Next": delete},
                rule("$.endpoint.status", StringEquals="Failed", then=delete),
            ],
            default=update,
        ),
        delete: change("deleteEndpoint", named),
        create: change("createEndpoint", former),
        update: change("updateEndpoint", former),
        "Back: count": {
            "Type": "Pass",
            "Parameters": {"count.$": "States.MathAdd($.back.count, 1)"},
            "ResultPath": "$.back",
            "Next": "Back: look again?",
        },
        "Back: look again?": choice(
            [rule("$.back.count", NumericLessThan=plan.looks, then=look)], default=slow
        ),
        slow: error(f"endpoint {plan.endpoint} did not come back", then, note),
        wait: {"Type": "Wait", "Seconds": plan.between, "Next": "Back: count"},
        **scaled_back(
            plan.endpoint,
            change(
                "updateEndpointWeightsAndCapacities",
                {**named, "DesiredWeightsAndCapacities.$": "$.had.variants"},
            ),
            then,
            note,
        ),
    }


def _described(plan: Plan, failed: str, error: str = "$.error") -> dict[str, Any]:
    task = call("sagemaker:describeEndpoint", {"EndpointName": plan.endpoint}, failed, error)
    members = {
        "name.$": "$.EndpointName",
        "status.$": "$.EndpointStatus",
        "config.$": "$.EndpointConfigName",
    }
    return {**task, "ResultSelector": members, "ResultPath": "$.endpoint"}
