"""Sum a run of the chain up in a table: sizes, digests, what was registered, what was predicted.

Goes in: the folder of a run. Comes out: a table on stdout. Standard library only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def rows(run: Path) -> list[tuple[str, str]]:
    """What there is to tell, from exit messages and the verification's report."""
    package, payload, register = (
        json.loads((run / step / "opt/ml/output/message").read_text(encoding="utf-8"))
        for step in ("package", "payload", "register")
    )
    reports = [
        json.loads(line)
        for line in (run / "verify/report.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    table = [
        ("model.tar.gz", f"{package['size']:,} bytes, {package['members']} members"),
        ("  sha256", package["sha256"]),
        ("payload.tar.gz", f"{payload['size']:,} bytes, {', '.join(payload['content_types'])}"),
        ("  sha256", payload["sha256"]),
    ]
    for word, deed in (("new", "new"), ("known", "registered before")):
        for region, version in register[word].items():
            arn = register["arn"].replace("<region>", region).replace("<version>", str(version))
            table += [(region, arn), ("  version", f"{version}, {deed}")]
    for report in reports:
        table += [
            (f"  {answer['content_type']}", answer["response"].strip())
            for answer in report["predictions"]
        ]
    seconds = [f"{message['job']} {message['seconds']}" for message in (package, payload, register)]
    return [*table, ("seconds", ", ".join(seconds))]


def main() -> int:
    """Print the table."""
    table = rows(Path(sys.argv[1]))
    width = max(len(name) for name, _ in table)
    for name, value in table:
        print(f"{name:{width}}  {value}")  # noqa: T201 - a program's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
