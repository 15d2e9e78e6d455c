"""Where the inputs of a processing job came from.

Goes in: /opt/ml/config/processingjobconfig.json, which SageMaker writes into each processing
container. Comes out: the job's ARN, and for a file of an input the S3 object that it should be a
copy of. Nothing is asked of S3 here: whether the object is still that, is for whoever copies it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel

from mims.registration.inputs import parsed, read_json_object
from mims.registration.storage import Location

if TYPE_CHECKING:
    from mims.registration.artifacts import Artifact

CONFIG_PATH = "opt/ml/config/processingjobconfig.json"


class _S3Input(BaseModel):
    LocalPath: str | None = None
    S3Uri: str | None = None
    S3DataType: str | None = None
    S3InputMode: str | None = None
    S3CompressionType: str | None = None

    @property
    def as_it_is(self) -> bool:
        """Whether the files are the objects under S3Uri, byte for byte."""
        kinds = (self.S3DataType, self.S3InputMode, self.S3CompressionType)
        usual = ("S3Prefix", "File", "None")
        return all(kind in (None, one) for kind, one in zip(kinds, usual, strict=True))


class _Input(BaseModel):
    S3Input: _S3Input | None = None


class _Config(BaseModel):
    ProcessingJobArn: str | None = None
    RoleArn: str | None = None
    ProcessingInputs: list[_Input] | None = None


@dataclass(frozen=True)
class Origins:
    """What SageMaker says of this job; empty outside of one. Folders lead to S3Uris."""

    job_arn: str | None = None
    folders: tuple[tuple[Path, Location], ...] = ()
    role_arn: str | None = None

    def of(self, file: Path) -> Location | None:
        """The S3 object that a file was downloaded from; None for a file of no input.

        An S3Uri is a prefix: the file's path in its folder is added to it, unless it ends in the
        file's name and so is the object itself.
        """
        around = [(folder, at) for folder, at in self.folders if file.is_relative_to(folder)]
        if not around:
            return None
        folder, at = max(around, key=lambda found: len(found[0].parts))
        path = file.relative_to(folder).as_posix()
        if at.key.endswith("/") or not at.key:
            return at._replace(key=at.key + path)
        if path in (".", PurePosixPath(at.key).name):
            return at
        return at._replace(key=f"{at.key}/{path}")

    def traced(self, artifact: Artifact) -> Artifact:
        """The artifact with its origin, if it is a file that was downloaded."""
        if isinstance(artifact.source, bytes):
            return artifact
        return replace(artifact, origin=self.of(artifact.source))


def read_origins(root: Path) -> Origins:
    """Read what SageMaker says of the job whose files lie under `root`.

    Raises:
        InputError: the file is there and is not what SageMaker writes.

    """
    path = root / CONFIG_PATH
    if not path.exists():
        return Origins()
    config = parsed(_Config, read_json_object(path, "SageMaker's job config"), str(path))
    inputs = [given.S3Input for given in config.ProcessingInputs or [] if given.S3Input]
    folders = [
        (root / given.LocalPath.lstrip("/"), Location.read(given.S3Uri))
        for given in inputs
        if given.LocalPath and given.S3Uri and given.as_it_is
    ]
    places = tuple((folder, at) for folder, at in folders if at)
    return Origins(config.ProcessingJobArn, places, config.RoleArn)
