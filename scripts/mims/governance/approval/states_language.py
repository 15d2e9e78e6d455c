"""Amazon States Language, as far as our state machines speak it.

Goes in: what a state does. Comes out: the state, a dict; or a step of the way: a state and those
that go with it, where NEXT stands for whatever step follows. Tasks call services through the AWS
SDK integrations, and each catches all that can be caught. JSONPath throughout.

https://states-language.net/spec.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

State = dict[str, Any]
States = dict[str, State]
# A step of the way: its name, its state, and the states that go with it.
Step = tuple[str, State, States]
NEXT = "(next)"
ROLL_BACK = "Roll back"  # where what fails after the first change goes
PATIENT = [
    {
        "ErrorEquals": ["States.TaskFailed"],
        "IntervalSeconds": 2,
        "MaxAttempts": 3,
        "BackoffRate": 2.0,
        "JitterStrategy": "FULL",
    }
]
_NAME_LIMIT = 80  # characters of a state's name


def linked(state: State, following: str | None) -> State:
    """Put the next step's name wherever NEXT stands."""
    return {key: _put(value, following) for key, value in state.items()}


def _put(value: Any, following: str | None) -> Any:
    if isinstance(value, dict):
        return {key: _put(item, following) for key, item in value.items()}
    if isinstance(value, list):
        return [_put(item, following) for item in value]
    return following if value == NEXT else value


def call(
    call: str, parameters: Mapping[str, Any], failed: str = ROLL_BACK, error: str = "$.error"
) -> State:
    """Call a service; go to `failed` with the error where `error` says."""
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{call}",
        "Parameters": dict(parameters),
        "Catch": [catch(["States.ALL"], failed, error)],
    }


def catch(errors: list[str], then: str, path: str = "$.error") -> State:
    """Where errors go, and where their names and causes are kept."""
    return {"ErrorEquals": errors, "ResultPath": path, "Next": then}


def fail(error: str, text: str = "", *, path: str = "") -> State:
    """End the execution: a text, or where to find it."""
    return {"Type": "Fail", "Error": error, **({"CausePath": path} if path else {"Cause": text})}


def error(text: str, then: str, path: str = "$.error") -> State:
    """Go to another state as if a task had failed."""
    result = {"Error": "TookTooLong", "Cause": text}
    return {"Type": "Pass", "Result": result, "ResultPath": path, "Next": then}


def choice(rules: list[dict[str, Any]], *, default: str) -> State:
    """Go where the first rule says that holds."""
    return {"Type": "Choice", "Choices": rules, "Default": default}


def rule(variable: str, *, then: str = NEXT, **test: Any) -> State:
    """Test a variable; as a rule of its own it leads to `then`."""
    return {"Variable": variable, **test, **({"Next": then} if then else {})}


def both(tests: list[dict[str, Any]], then: str = NEXT) -> State:
    """Tests that must all hold."""
    return {"And": tests, "Next": then}


def state_name(text: str) -> str:
    """A name that fits."""
    return text[:_NAME_LIMIT]


def update_version(
    arn: str, changes: Mapping[str, Any], failed: str = ROLL_BACK, error: str = "$.error"
) -> State:
    """Change members of a version."""
    parameters = {"ModelPackageArn.$": arn, **changes}
    return {**call("sagemaker:updateModelPackage", parameters, failed, error), "ResultPath": None}


def life(stage: str, status: str) -> State:
    """A ModelLifeCycle."""
    return {"Stage": stage, "StageStatus": status, "StageDescription.$": "$.said"}
