"""send_numbered.py NAME TOPIC PARTITIONS SCHEMA SEED BAD RATE FOLDER key=value...: as tests/real/java/SendNumbered.java,
by librdkafka."""

import json
import os
import sys

from confluent_kafka import Producer

import numbered
import records

name, topic = sys.argv[1:3]
partitions, schema, seed, bad, rate = map(int, sys.argv[3:8])
folder = sys.argv[8]
numbers = numbered.Numbered(name, schema, seed, bad)
TICK_SECONDS = 0.01
retries = {}


def note_retries(text):
    for broker, seen in json.loads(text)["brokers"].items():
        retries[broker] = seen["txretries"]


settings = {"linger.ms": 5, "message.timeout.ms": 120000, "statistics.interval.ms": 1000, "stats_cb": note_retries}
settings.update(records.configuration(sys.argv[9:]))
producer = Producer(settings)


def delivered(partition, number):
    def note(error, _message):
        if error is not None:
            records.say({"partition": partition, "failed": number, "why": f"{error.name()}: {error.str()}"})
        elif (partition, number) == (0, 0):
            os.mkdir(os.path.join(folder, name))

    return note


sent, due = 0, 0.0
while os.path.exists(folder) and not os.path.exists(os.path.join(folder, "end")):
    due += rate * TICK_SECONDS
    while due >= 1:
        partition, number = sent % partitions, sent // partitions
        key, value = numbers.key(partition, number), numbers.value(partition, number)
        while True:
            try:
                producer.produce(topic, value, key, partition, on_delivery=delivered(partition, number))
                break
            except BufferError:
                producer.poll(0.1)
        sent += 1
        due -= 1
    producer.poll(TICK_SECONDS)
left = producer.flush(150)
assert left == 0, f"{left} records are neither acknowledged nor failed"
for partition in range(partitions):
    records.say({"partition": partition, "sent": (sent + partitions - 1 - partition) // partitions})
records.say({"retries": sum(retries.values())})
