"""consume.py TOPIC,TOPIC COUNT key=value...: as tests/real/java/Consume.java, by librdkafka, always in a group."""

import sys
import time

from confluent_kafka import Consumer

import records

topics = sys.argv[1].split(",")
wanted = int(sys.argv[2])
settings = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "group.id": f"python-{time.time_ns()}"}
settings.update(records.configuration(sys.argv[3:]))
consumer = Consumer(settings)
consumer.subscribe(topics)
deadline = time.monotonic() + 90
quiet_until = time.monotonic() + 1
seen = 0
while time.monotonic() < deadline and (seen < wanted or time.monotonic() < quiet_until):
    message = consumer.poll(0.2)
    if message is None:
        continue
    if message.error():
        records.say({"error": message.error().name(), "message": message.error().str()})
        continue
    records.say(records.consumed(message))
    seen += 1
    quiet_until = time.monotonic() + 1
if seen:
    consumer.commit(asynchronous=False)
consumer.close()
