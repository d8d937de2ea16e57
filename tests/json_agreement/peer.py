"""The third judge: Python's jsonschema. Frames on stdin and stdout, each a big-endian u32 length and that many bytes.

A frame is a byte, 0 to judge and 1 to explain, and then cases: a draft (4, 6, 7, 19, 20), a schema, a u32 count, that many
payloads; schemas and payloads begin with their length. To judge, the answer has a byte a payload: 0 valid, 1 invalid,
2 no JSON, 3 no answer. To explain, it is a text.

Numbers are read as integers and decimals, not as doubles, so that they are compared as JSON has them."""

import decimal
import json
import struct
import sys
import traceback
from decimal import Decimal

from jsonschema import validators

sys.setrecursionlimit(10_000)
decimal.setcontext(decimal.Context(prec=3_000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN))


def exactly(base):
    """The library's validator of a draft, to which a whole Decimal is an integer where 1.0 is one."""

    def is_integer(checker, instance):
        whole = isinstance(instance, Decimal) and instance == instance.to_integral_value()
        return whole or base.TYPE_CHECKER.is_type(instance, "integer")

    extended = validators.extend(base, type_checker=base.TYPE_CHECKER.redefine("integer", is_integer))
    # Registered, so that a subschema with `$schema` is not judged by the original again.
    return validators.validates(base.__name__)(extended)


DRAFTS = {
    4: validators.Draft4Validator,
    6: exactly(validators.Draft6Validator),
    7: exactly(validators.Draft7Validator),
    19: exactly(validators.Draft201909Validator),
    20: exactly(validators.Draft202012Validator),
}


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=no_constant)


def read_json(text):
    text = text.decode()
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    return DECODER.decode(text)


class Cases:
    def __init__(self, frame):
        self.frame = frame
        self.at = 1

    def __bool__(self):
        return self.at < len(self.frame)

    def number(self):
        (number,) = struct.unpack_from(">I", self.frame, self.at)
        self.at += 4
        return number

    def text(self):
        length = self.number()
        self.at += length
        return self.frame[self.at - length : self.at]

    def draft(self):
        self.at += 1
        return self.frame[self.at - 1]


def judge(validator, payload):
    try:
        instance = read_json(payload)
    except ValueError:
        return 2
    except (decimal.DecimalException, RecursionError):
        return 3
    try:
        return 0 if validator.is_valid(instance) else 1
    except Exception:
        return 3


def explain(validator, payload):
    try:
        errors = list(validator.iter_errors(read_json(payload)))
        return "; ".join(f"{error.json_path}: {error.message[:200]}" for error in errors) or "valid"
    except Exception:
        return traceback.format_exc(limit=-2)


def answer(frame):
    cases = Cases(frame)
    answers = bytearray()
    while cases:
        validator = DRAFTS[cases.draft()](read_json(cases.text()))
        for _ in range(cases.number()):
            payload = cases.text()
            if frame[0] == 0:
                answers.append(judge(validator, payload))
            else:
                answers += explain(validator, payload).encode(errors="replace")
    return answers


while header := sys.stdin.buffer.read(4):
    reply = answer(sys.stdin.buffer.read(struct.unpack(">I", header)[0]))
    sys.stdout.buffer.write(struct.pack(">I", len(reply)) + reply)
    sys.stdout.buffer.flush()
