"""Judges what a script was seen to use by a contract.

An error is what would fail the job or break the contract, a warning what may be meant. Errors are:
paths under /opt/ml/processing that the contract does not declare, required ones that the script
can't know, variables without which it fails and that nobody sets, imports that are not there or do
harm, another contract. From the specification's mims_*_contract.md.
"""

from __future__ import annotations

import difflib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, NamedTuple

from mims.implementation.facts import Facts, Place, Read
from mims.implementation.reader import Reader
from mims.implementation.values import HOLE
from mims.text import listed, printable

if TYPE_CHECKING:
    import os

    from mims.contracts import Channel, Contract

# Those that create /opt/ml/code when they are imported, or import one that does.
_HARMFUL = {
    f"sagemaker_training.{name}"
    for name in (
        *("environment", "files", "process", "entry_point", "trainer", "intermediate_output"),
        *("modules", "mpi", "pytorch_xla", "runner", "smdataparallel", "torch_distributed"),
        "cli.train",
    )
}
# What comes with what the contracts require, and the registry's private library.
_COMES_WITH = {
    "boto3": {"botocore", "s3transfer", "secure_ai_sandbox_python_lib"},
    "pydantic": {"pydantic_core", "annotated_types", "typing_extensions"},
}
_ONCE_STANDARD = {
    *("aifc", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb", "chunk", "crypt"),
    *("distutils", "formatter", "imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib"),
    *("ossaudiodev", "parser", "pipes", "smtpd", "sndhdr", "spwd", "sunau", "symbol", "telnetlib"),
    *("uu", "xdrlib"),
}
_NEWLY_STANDARD = {"annotationlib", "compression", "graphlib", "tomllib", "zoneinfo"}
# Every container has them, or Python and AWS read them themselves.
_EVERYWHERE = {
    *("HOME", "HOSTNAME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TZ"),
    *("TEMP", "TMP", "TMPDIR", "USER"),
}
_ALIKE = 0.9  # of 1, from which on one path is taken for a slip of another
_EVERYWHERE_PREFIXES = ("AWS_", "LC_", "PYTHON", "SM_", "SAGEMAKER_")


class Validation(NamedTuple):
    """What a contract finds wrong with a script, each as `file:line: what, and what to do`."""

    errors: list[str]
    warnings: list[str]

    @property
    def is_valid(self) -> bool:
        """Whether there is no error."""
        return not self.errors


def validate(
    contract: Contract, path: str | os.PathLike[str], contracts: Mapping[str, Contract]
) -> Validation:
    """Read a script and what it imports of its own, and hold it to a contract.

    Raises:
        InputError: there is no such file, or it can't be read.

    """
    script = Path(path)
    check = _Check(contract, script, Reader(script, contract, contracts).go())
    return check.validation()


class _Check:
    def __init__(self, contract: Contract, script: Path, facts: Facts) -> None:
        self.contract = contract
        self.facts = facts
        self.top = Place(str(script), 1)
        self.handed = [given for _, given, _ in facts.handed]
        self.channels = (*contract.inputs, *contract.outputs)
        self.errors: list[tuple[Place, str]] = list(facts.errors)
        self.warnings: list[tuple[Place, str]] = list(facts.warnings)

    def validation(self) -> Validation:
        """Check all."""
        if self.facts.readable:
            if not self.facts.has_main_guard:
                self.warn(self.top, "has no main guard: start it under if __name__ == '__main__'")
            self._contracts()
            self._paths()
            self._keys()
            self._variables()
            self._imports()
        return Validation(_sorted(self.errors), _sorted(self.warnings))

    def fail(self, place: Place, message: str) -> None:
        """Note an error."""
        self.errors.append((place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note a warning."""
        self.warnings.append((place, message))

    # ---- contracts and paths ---------------------------------------------------------------------

    def _contracts(self) -> None:
        for name, given, place in self.facts.handed:
            if given != self.contract:
                wanted = f"the contract of {self.contract.entry_point}"
                self.fail(place, f"hands itself over to {name}: hand it over to {wanted}")

    def _paths(self) -> None:
        undeclared: list[str] = []
        knows: set[str] = set()
        may: set[str] = set()
        for path, place in self.facts.paths.items():
            for channel in self.channels:
                knows |= {channel.path} if _covers(channel.path, path) else set()
                may |= {channel.path} if _may_be(path, channel.path) else set()
            fits = any(_covers(c.path, path) or _leads_to(path, c.path) for c in self.channels)
            if not fits and not any(_covers(other, path) for other in undeclared):
                undeclared.append(path)
                self.fail(place, f"uses {_shown(path)}, {self._not_declared(path)}")
        may |= {c.path for c in self.channels for f in self.facts.loose if _leads_to(f, c.path)}
        self._channels(knows, may)

    def _not_declared(self, path: str) -> str:
        declared = [channel.path for channel in self.channels]
        for folder in declared:
            beginning = "/".join(path.split("/")[: folder.count("/") + 1])
            if difflib.SequenceMatcher(None, beginning, folder).ratio() >= _ALIKE:
                return f"which the contract does not declare: use {folder}"
        return f"which the contract does not declare: it has {listed(declared)}"

    def _channels(self, knows: set[str], may: set[str]) -> None:
        """Look for channels that the script leaves alone."""
        if self.handed:
            return
        for role, channels in (
            ("input", self.contract.inputs),
            ("output", self.contract.outputs),
        ):
            table = self.facts.tables[f"{role}_paths"]
            named = {read.name for read in self.facts.keys[f"{role}_paths"]} if not table else set()
            for channel in channels:
                if channel.path in knows or channel.name in named:
                    continue
                self._left_alone(role, channel, channel.path in may or HOLE in named)

    def _left_alone(self, role: str, channel: Channel, may: bool) -> None:
        what = f"{role} {channel.name}, {channel.path}"
        if not channel.required:
            if not may:
                self.warn(self.top, f"does not use the optional {what}")
        elif may:
            self.warn(self.top, f"may use the required {what}, but nothing shows it: name the path")
        else:
            cure = "name it, or make it an argument's default"
            self.fail(self.top, f"does not know the required {what}: {cure}")

    def _keys(self) -> None:
        """Look at logical names: of entries that main takes, and of tables made for it."""
        for role, channels in (
            ("input_paths", self.contract.inputs),
            ("output_paths", self.contract.outputs),
        ):
            names = [channel.name for channel in channels]
            cure = f"the contract's names are {listed(names)}" if names else "the contract has none"
            supplied = self.facts.tables[role]
            for table, place in supplied:
                odd = sorted({*table.entries} - {*names})
                if odd:
                    self.warn(place, f"puts {listed(odd)} into {role}: {cure}")
            expected = {key for table, _ in supplied for key in table.entries} or {*names}
            reads = [r for r in self.facts.keys[role] if HOLE not in r.name]
            odd_reads = [read for read in reads if read.name not in expected]
            self._taken(role, odd_reads, cure, bool(supplied))
        self._taken("environ_vars", self.facts.keys["environ_vars"], "put it there", True)

    def _taken(self, role: str, reads: list[Read], cure: str, supplied: bool) -> None:
        """Look at entries that are taken from tables without them."""
        needed = {read.name: read for read in reversed(reads) if self._fails(read)}
        for name, read in {**{r.name: r for r in reversed(reads)}, **needed}.items():
            if name in needed:
                self.fail(read.place, f"takes {name} from {role}, which lacks it: {cure}")
            elif not supplied:
                self.warn(read.place, f"looks for {name} in {role}: {cure}")

    # ---- variables -------------------------------------------------------------------------------

    def _variables(self) -> None:
        odd = [read for read in self.facts.reads if not self._is_expected(read)]
        needed = {read.name: read for read in reversed(odd) if self._fails(read)}
        for name, read in {**{r.name: r for r in reversed(odd)}, **needed}.items():
            what = f"{_shown(name)}, which the contract does not declare"
            if name in needed:
                self.fail(read.place, f"needs {what}: read it with a default, or declare it")
            else:
                self.warn(read.place, f"reads {what}: declare it, or do without")
        if not self.handed:
            self._unread()

    def _fails(self, read: Read) -> bool:
        return read.needed and not self.facts.copes_without(read)

    def _is_expected(self, read: Read) -> bool:
        head = read.name.partition(HOLE)[0]
        if not head or read.name in self.facts.provided:
            return True
        if read.name in _EVERYWHERE or read.name.startswith(_EVERYWHERE_PREFIXES):
            return True
        return any(_is_setting(read.name, setting.name) for setting in self.contract.settings)

    def _unread(self) -> None:
        read = {r.name for r in self.facts.reads} | self.facts.provided
        left = [
            s for s in self.contract.settings if not any(_is_setting(name, s.name) for name in read)
        ]
        any_variable = self.facts.reads_any_variable
        for setting in left:
            if setting.required and any_variable:
                self.warn(self.top, f"may read {setting.name}, but nothing shows it: name it")
            elif setting.required:
                self.fail(self.top, f"never reads the required {setting.name}: read os.environ")
        optional = [setting.name for setting in left if not setting.required]
        if optional and not any_variable:
            self.warn(self.top, f"does not heed the optional {listed(optional)}")

    # ---- imports ---------------------------------------------------------------------------------

    def _imports(self) -> None:
        unguarded = self.facts.unguarded("__main__")
        required = {name.replace("-", "_") for name in self.contract.framework_requirements}
        allowed = required.union(*(_COMES_WITH.get(name, set()) for name in required))
        said: set[str] = set()
        for found in self.facts.imports:
            top = found.modules[0].partition(".")[0]
            harmful = [name for name in found.modules if _does_harm(name)]
            guarded = found.guarded or found.by not in unguarded or top in self.facts.asked_for
            if harmful:
                what = f"imports {listed(harmful)}, which creates /opt/ml/code"
                self.fail(found.place, f"{what}: only errors and mapping are free of that")
            elif guarded or top in said or top in allowed:
                continue
            elif top in _ONCE_STANDARD | _NEWLY_STANDARD:
                self._other_pythons(top, found.place)
            elif not _is_standard(top):
                self._third_party(top, found.place)
                said.add(top)

    def _other_pythons(self, top: str, place: Place) -> None:
        if top in _ONCE_STANDARD:
            self.warn(place, f"imports {top}, which newer Pythons lack: guard it")
        elif set(self.contract.framework_requirements) == {"python"}:
            self.warn(place, f"imports {top}, which not every Python has that may run it: guard it")

    def _third_party(self, top: str, place: Place) -> None:
        requirements = [r for r in self.contract.framework_requirements if r != "python"]
        if self.facts.adds_to_path:
            self.warn(place, f"imports {top}, which may lie where it extends sys.path")
        elif requirements:
            cure = f"require it in the contract, or keep to {listed(requirements)}"
            self.fail(place, f"imports {top}, which the contract does not require: {cure}")
        else:
            cure = "do without, or cope with an ImportError"
            self.fail(place, f"imports {top}, and the contract is for the standard library: {cure}")


def _sorted(found: list[tuple[Place, str]]) -> list[str]:
    return [printable(f"{place}: {message}") for place, message in sorted(dict.fromkeys(found))]


def _shown(text: str) -> str:
    return text.replace(HOLE, "…")


def _covers(folder: str, path: str) -> bool:
    """Whether a path, as far as it is known, is a folder or lies in it."""
    return path == folder or path.startswith((f"{folder}/", folder + HOLE))


def _leads_to(path: str, target: str) -> bool:
    """Whether a path is above a target, or can be with what fills its hole."""
    head, hole, _ = path.partition(HOLE)
    return f"{target}/".startswith(head if hole else f"{head}/")


def _may_be(path: str, target: str) -> bool:
    return HOLE in path and _leads_to(path, target)


def _is_setting(name: str, setting: str) -> bool:
    prefix, family, _ = setting.partition("<")
    head, hole, _ = name.partition(HOLE)
    if family:
        return head.startswith(prefix)
    return setting.startswith(head) if hole and head else name == setting


def _does_harm(name: str) -> bool:
    return any(name == harmful or name.startswith(f"{harmful}.") for harmful in _HARMFUL)


def _is_standard(top: str) -> bool:
    """Whether a module is Python's own."""
    if top in sys.builtin_module_names or top == "__future__":
        return True
    names = getattr(sys, "stdlib_module_names", None)  # from 3.10 on
    if names is not None:
        return top in names
    import sysconfig  # it reads the environment

    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    folders += [f"{folder}/lib-dynload" for folder in folders]
    found = PathFinder.find_spec(top, folders)
    return found is not None and found.loader is not None
