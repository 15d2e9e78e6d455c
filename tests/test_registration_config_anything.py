"""Whatever JSON object comes as a config: it is taken, or one error names every place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config_schema
from mims.errors import InputError
from mims.registration.config import RegistrationConfig, parse_config
from mims.registration.forms import ALIASES, INFERENCE_CONFIG, LOAD_TESTING
from mims.registration.load_testing import LoadTesting
from mims.text import printable
from registration_configs import CONTRACT_FORM, ENVIRON, PIPELINE_FORM, STEP_FORM
from test_registration_config_schema import fits

NAMES = [*RegistrationConfig.model_fields, *ALIASES, "inference_config"]
NESTED = [*INFERENCE_CONFIG, *LOAD_TESTING, *LoadTesting.model_fields, "us-west-2", "NA"]
FORMS: list[dict[str, Any]] = [STEP_FORM, CONTRACT_FORM, PIPELINE_FORM]
PARTS = [value for form in FORMS for value in form.values()]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
near = st.sampled_from(["us-west-2", "EU", "sagemaker", "mims", "alias/a", "1.7", "own:1", "a-b"])
json_values = st.recursive(
    scalars | near,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NESTED) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)
keys = st.sampled_from(NAMES) | st.text()
configs = st.builds(
    lambda form, changes: {**form, **changes},
    st.sampled_from([{}, *FORMS]),
    st.dictionaries(keys, json_values | st.sampled_from(PARTS), max_size=5),
)


@given(configs, st.dictionaries(st.sampled_from(["AWS_REGION", "MIMS_BUCKET"]), near | st.text()))
def test_any_object_is_taken_or_refused_in_words(raw: dict[str, Any], more: dict[str, str]) -> None:
    try:
        config, refused = parse_config(raw, {**ENVIRON, **more}), None
    except InputError as error:
        config, refused = None, error
    if config:
        assert fits(raw, config_schema.schema())
        for region in config.regions:
            assert config.bucket[region]
            assert config.image(region)
            assert len(config.container_environment(region)) <= 100
    else:
        assert refused
        assert refused.problems
        for problem in refused.problems:
            place, _, text = problem.partition(": ")
            assert place.startswith(("config ", "AWS_REGION", "MIMS_BUCKET"))
            assert text
            assert printable(problem) == problem


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_themselves_are_taken(form: dict[str, Any]) -> None:
    assert parse_config(form, ENVIRON)
