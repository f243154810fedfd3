"""Runs a wake from an unpacked zip and nothing else: `python -I -S whole_zip.py FUNCTION RUNTIME EVENT`.

FUNCTION is the folder of the unpacked zip, RUNTIME one with boto3. The last line of the output is JSON: what the
handler answered, the files of the zip that were opened, and the top-level modules that were imported. Only the
standard library here, and no module of the tests.
"""

import json
import sys
from pathlib import Path


class Context:
    """What Lambda hands to a function."""

    aws_request_id = "a-request"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:slowsched-worker"

    def get_remaining_time_in_millis(self):
        return 900_000


def main(function, runtime, event):
    """Run one wake, and tell of it."""
    opened = set()

    def note(name, arguments):
        if name == "open" and isinstance(arguments[0], str) and arguments[0].startswith(f"{function}/"):
            opened.add(Path(arguments[0]).relative_to(function).as_posix())

    sys.path[:0] = [function, runtime]
    sys.addaudithook(note)
    from worker.handler import handler  # noqa: PLC0415 - from the zip

    answer = handler(json.loads(event), Context())
    modules = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps({"answer": answer, "opened": sorted(opened), "modules": modules}))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
