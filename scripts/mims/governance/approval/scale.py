"""What a state machine does about an endpoint's instances: keep as many, or give them back.

Goes in: the endpoint's name. Comes out: steps and states. A configuration says only what an
endpoint began with: it may have been scaled since. So a new one begins with as many instances, and
on the way back the former one is scaled to what it was, once.
"""

from __future__ import annotations

from mims.governance.approval.states_language import (
    NEXT,
    PATIENT,
    State,
    States,
    Step,
    both,
    call,
    choice,
    rule,
)


def scale_known(endpoint: str | None) -> Step:
    """Find what the endpoint has been scaled to, and begin with no fewer instances."""
    see, keep, more = "See its instances", "Keep its instances", "More instances by now?"
    first = "$.had.variants[0].DesiredInstanceCount"
    # The first variant: paths have no greatest of several. `pipeline start` has looked at all.
    by_now: list[State] = [
        {"Not": {"Variable": "$.former.config", "StringEqualsPath": "$.deployment.config"}},
        {"Variable": first, "IsPresent": True},
        {"Variable": first, "NumericGreaterThanPath": "$.deployment.count"},
    ]
    states: States = {
        see: {**_scale_seen(endpoint, "Endpoint unknown"), "ResultPath": "$.had", "Next": keep},
        keep: {
            "Type": "Map",
            "ItemsPath": "$.had.variants",
            "ItemProcessor": _WANTED_AGAIN,
            "ResultPath": "$.had.variants",
            "Next": more,
        },
        more: choice([both(by_now, "Begin with as many")], default=NEXT),
        "Begin with as many": {
            "Type": "Pass",
            "Parameters": {
                "model.$": "$.deployment.model",
                "variant.$": "$.deployment.variant",
                "count.$": first,
                "config.$": f"States.Format('{{}}-{{}}', $.deployment.scaled, {first})",
            },
            "ResultPath": "$.deployment",
            "Next": NEXT,
        },
    }
    rules = [rule("$.former.config", IsNull=True)]
    return ("Was there an endpoint?", choice(rules, default=see), states)


def scaled_back(endpoint: str | None, scale: State, then: str, note: str) -> States:
    """Scale the endpoint, which has its former configuration again, to what it was; once."""
    again = "Back: scaled"
    same = {"Variable": "$.has.scale", "StringEqualsPath": "$.had.scale", "Next": then}
    text = f"endpoint {endpoint} has its former configuration again, and has to be scaled by "
    return {
        "Back: see its instances": {
            **_scale_seen(endpoint, then, note),
            "ResultPath": "$.has",
            "Next": "Back: as many?",
        },
        "Back: as many?": choice(
            [same, rule("$.scaled", IsPresent=True, then="Back: not as many")],
            default="Back: scale",
        ),
        "Back: scale": {**scale, "Next": again},
        again: {"Type": "Pass", "Result": True, "ResultPath": "$.scaled", "Next": scale["Next"]},
        "Back: not as many": {
            "Type": "Pass",
            "Parameters": {
                "Error": "NotScaled",
                "Cause.$": f"States.Format('{text}hand: {{}}', "
                "States.JsonToString($.had.variants))",
            },
            "ResultPath": note,
            "Next": then,
        },
    }


# Of a variant, what UpdateEndpointWeightsAndCapacities takes; one that is serverless has no number.
_WANTED_AGAIN: State = {
    "ProcessorConfig": {"Mode": "INLINE"},
    "StartAt": "Has it instances?",
    "States": {
        "Has it instances?": choice(
            [
                both(
                    [
                        {"Variable": f"$.{name}", "IsPresent": True}
                        for name in ("DesiredInstanceCount", "DesiredWeight")
                    ],
                    "Its instances",
                )
            ],
            default="Its name",
        ),
        "Its instances": {
            "Type": "Pass",
            "Parameters": {
                f"{name}.$": f"$.{name}"
                for name in ("VariantName", "DesiredInstanceCount", "DesiredWeight")
            },
            "End": True,
        },
        "Its name": {
            "Type": "Pass",
            "Parameters": {"VariantName.$": "$.VariantName"},
            "End": True,
        },
    },
}


def _scale_seen(endpoint: str | None, failed: str, error: str = "$.error") -> State:
    """See what an endpoint that serves is scaled to; `scale` tells two such looks apart."""
    members = [f"$.ProductionVariants[*].Desired{name}" for name in ("InstanceCount", "Weight")]
    counts, weights = (f"States.JsonToString({path})" for path in members)
    return {
        **call("sagemaker:describeEndpoint", {"EndpointName": endpoint}, failed, error),
        "ResultSelector": {
            "variants.$": "$.ProductionVariants",
            "scale.$": f"States.Format('{{}} {{}}', {counts}, {weights})",
        },
        "Retry": PATIENT,
    }
