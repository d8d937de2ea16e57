"""What the programs that try a registry share: how it is reached, and what was expected of it.

A connection is one JSON object: "url", and what it takes: "ca", "user" and "password", "token", "certificate" and "key".
Every check is one JSON line; the program ends with 1 when one of them failed, and goes on until its end so that all
differences are seen at once.
"""

import json
import os
import sys
import traceback

_failed = 0
_passed = 0


def connection(text):
    """The connection as confluent-kafka's SchemaRegistryClient takes it."""
    said = json.loads(text)
    conf = {"url": said["url"], "max.retries": 0}
    if "ca" in said:
        conf["ssl.ca.location"] = said["ca"]
    if "user" in said:
        conf["basic.auth.user.info"] = f"{said['user']}:{said['password']}"
    if "token" in said:
        conf["bearer.auth.credentials.source"] = "STATIC_TOKEN"
        conf["bearer.auth.token"] = said["token"]
        conf["bearer.auth.logical.cluster"] = "lsrc-1"
        conf["bearer.auth.identity.pool.id"] = "pool-1"
    if "certificate" in said:
        conf["ssl.certificate.location"] = said["certificate"]
        conf["ssl.key.location"] = said["key"]
    return conf


def check(what, got, expected):
    """`expected` may also be a function that says whether `got` is right."""
    global _failed, _passed
    good = expected(got) if callable(expected) else got == expected
    if good:
        _passed += 1
    else:
        _failed += 1
        line = {"failed": what, "got": repr(got)}
        if not callable(expected):
            line["expected"] = repr(expected)
        print(json.dumps(line), flush=True)
    return good


def section(function, *arguments):
    """Runs a part of the program; an exception fails it, and the other parts still run."""
    global _failed
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001: whatever it is, it is a finding
        _failed += 1
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if os.path.basename(frame.filename) == os.path.basename(sys.argv[0])] or where[-1:]
        print(
            json.dumps({"failed": function.__name__, "error": repr(error), "line": own[-1].lineno, "code": own[-1].line}),
            flush=True,
        )


def finish():
    print(json.dumps({"passed": _passed, "failures": _failed}), flush=True)
    sys.exit(1 if _failed else 0)
