"""What the programs share: the file of records and the JSON lines, as in tests/real/java/Records.java."""

import json


def read(path):
    records = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            topic, partition, timestamp, key, value, headers = line.rstrip("\n").split("\t")
            records.append(
                {
                    "topic": topic,
                    "partition": -1 if partition == "-" else int(partition),
                    "timestamp": 0 if timestamp == "-" else int(timestamp),
                    "key": from_hex(key),
                    "value": from_hex(value),
                    "headers": [header(one) for one in headers.split(",") if one],
                }
            )
    return records


def header(text):
    name, _, value = text.rpartition("=")
    return name, from_hex(value)


def from_hex(text):
    return None if text == "-" else bytes.fromhex(text)


def to_hex(value):
    return None if value is None else value.hex()


def configuration(arguments):
    return dict(argument.split("=", 1) for argument in arguments)


def outcome(index, error, message):
    if error is not None:
        return {"index": index, "error": error.name(), "code": error.code(), "message": error.str()}
    return {
        "index": index,
        "topic": message.topic(),
        "partition": message.partition(),
        # Unknown without an acknowledgement.
        "offset": -1 if message.offset() is None else message.offset(),
        "timestamp": message.timestamp()[1],
    }


def consumed(message):
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": to_hex(message.key()),
        "value": to_hex(message.value()),
        "headers": [[name, to_hex(value)] for name, value in message.headers() or []],
    }


def say(thing):
    print(json.dumps(thing), flush=True)
