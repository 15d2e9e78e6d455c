"""What a config may call its keys: from what a user wrote to one form, with where it was written.

Goes in: a JSON object that holds any of the specification's two forms and the names of existing
pipelines, and the environment, whose variables stand in for a few keys. Comes out: a `Form`, whose
values go by the names of `RegistrationConfig`, and which knows the place of each. Values are moved,
never changed but for this: what may be one name or a list becomes a list. Two places that say
different things are a problem. What a value must be is not asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mims.registration.parameters import shown
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIASES = {  # what existing pipelines call a key
    "model_domain": "model_registration_domain",
    "model_objective": "model_registration_objective",
    "model_registration_region": "regions",
    "source_model_inference_image_arn": "image_uri",
    "source_model_environment_variable_map": "environment",
    "load_testing_info_map": "load_testing",
}
INFERENCE_CONFIG = {  # its keys in the contract's form
    "instance_type": "inference_instance_type",
    "initial_instance_count": "initial_instance_count",
}
LOAD_TESTING = {  # its keys as the pipelines' own documentation has them
    "samplePayloadS3Bucket": "sample_payload_s3_bucket",
    "samplePayloadS3Key": "sample_payload_s3_key",
    "expectedTPS": "expected_tps",
    "maxLatencyInMillisecond": "max_latency_in_millisecond",
    "maxAcceptableErrorRate": "max_acceptable_error_rate",
    "instanceTypeList": "instance_type_list",
}
STAND_INS = {  # the variables that count where a key is left out, the first that is set
    "regions": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "bucket": ("MIMS_BUCKET",),
    "backends": ("REGISTRATION_BACKENDS",),
}
PROGRAM = "SAGEMAKER_PROGRAM"  # in the container's environment: the inference entry point
_LISTS = {"regions", "backends"}  # may be a single name
_SECRET = "environment"  # whose values no message quotes  # noqa: S105


class Form:
    """A config's values by name, their places as the user wrote them, and what contradicts."""

    def __init__(self, raw: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[str] = []
        self._places: dict[tuple[Any, ...], str] = {}
        self._take_all(self.values, (), raw, ALIASES, "config ")
        self._take_inference_config()
        self._take_load_testing()
        self._take_program()
        if "model_name" in self.values:
            place = self._places["model_name",]
            self._places.setdefault(("model_registration_objective",), place)
            self.values.setdefault("model_registration_objective", self.values["model_name"])
        for name in STAND_INS:
            self._stand_in(name, environ)
        for name in _LISTS & self.values.keys():
            self._make_list(name)

    def place(self, path: tuple[Any, ...]) -> str:
        """Where a value was written, given its path by our names."""
        known = next((n for n in range(len(path), 0, -1) if path[:n] in self._places), 0)
        if not known:
            return f"config {printable('.'.join(map(str, path)))}"
        rest = [f"[{p}]" if isinstance(p, int) else f".{p}" for p in path[known:] if p != "[key]"]
        return printable(self._places[path[:known]] + "".join(rest))[:200]

    def _take_all(
        self,
        into: dict[str, Any],
        path: tuple[str, ...],
        raw: Mapping[str, Any],
        aliases: Mapping[str, str],
        prefix: str,
    ) -> None:
        """Take every key, an alias as what it stands for; those of our names first."""
        for key in sorted(raw, key=lambda key: key in aliases):
            self._take(into, (*path, aliases.get(key, key)), raw[key], prefix + (key or "''"))

    def _take(self, into: dict[str, Any], path: tuple[str, ...], value: Any, place: str) -> None:
        name = path[-1]
        if name not in into:
            into[name] = value
            self._places[path] = place
        elif into[name] != value:
            other = self._places[path].removeprefix("config ")
            if name == _SECRET:
                says = f"is not the same as {other}"
            else:
                says = f"is {shown(value)}, but {other} is {shown(into[name])}"
            self.problems.append(f"{printable(place)}: {says}: give one")

    def _take_inference_config(self) -> None:
        """Fold in what the contract's form nests; its unknown keys stay, to be refused."""
        nested = self.values.pop("inference_config", {})
        if not isinstance(nested, dict):
            self.problems.append(f"config inference_config: must be an object, not {shown(nested)}")
            return
        for key, value in nested.items():
            name, place = INFERENCE_CONFIG.get(key), f"config inference_config.{key}"
            self._take(self.values, (name or f"inference_config.{key}",), value, place)

    def _take_load_testing(self) -> None:
        raw = self.values.get("load_testing")
        if isinstance(raw, dict):
            path = ("load_testing",)
            named: dict[str, Any] = {}
            self.values["load_testing"] = named
            self._take_all(named, path, raw, LOAD_TESTING, f"{self._places[path]}.")

    def _take_program(self) -> None:
        """Take the program that the environment names for the inference entry point."""
        environment = self.values.get("environment")
        if isinstance(environment, dict) and isinstance(environment.get(PROGRAM), str):
            self.values["environment"] = rest = dict(environment)
            place = f"{self._places['environment',]}.{PROGRAM}"
            self._take(self.values, ("inference_entry_point",), rest.pop(PROGRAM), place)

    def _stand_in(self, name: str, environ: Mapping[str, str]) -> None:
        found = self.values.get(name)
        if found is not None and not (found == [] and name in _LISTS):
            return
        self.values.pop(name, None)
        for variable in STAND_INS[name]:
            if environ.get(variable):
                self.values[name] = environ[variable]
                self._places[name,] = variable
                return

    def _make_list(self, name: str) -> None:
        value, place = self.values[name], self._places[name,]
        if isinstance(value, str):
            parts = value.split(",") if place in STAND_INS[name] else [value]
            self.values[name] = [part.strip() for part in parts]
            self._places.update({(name, index): place for index in range(len(parts))})
