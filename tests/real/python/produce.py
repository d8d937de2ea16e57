"""produce.py FILE together|apart|commit|abort key=value...: as tests/real/java/Produce.java, by librdkafka."""

import sys

from confluent_kafka import KafkaException, Producer

import records

wanted = records.read(sys.argv[1])
how = sys.argv[2]
settings = {"linger.ms": 0 if how == "apart" else 500, "message.timeout.ms": 30000}
settings.update(records.configuration(sys.argv[3:]))
producer = Producer(settings)
outcomes = [None] * len(wanted)


def note(index):
    def delivered(error, message):
        outcomes[index] = records.outcome(index, error, message)

    return delivered


if how in ("commit", "abort"):
    producer.init_transactions(30)
    producer.begin_transaction()
for index, record in enumerate(wanted):
    producer.produce(
        record["topic"],
        value=record["value"],
        key=record["key"],
        partition=record["partition"],
        timestamp=record["timestamp"],
        headers=record["headers"],
        on_delivery=note(index),
    )
    if how == "apart":
        producer.flush(40)
producer.flush(40)
ending = None
if how in ("commit", "abort"):
    try:
        (producer.commit_transaction if how == "commit" else producer.abort_transaction)(30)
        ending = {"transaction": how}
    except KafkaException as error:
        ending = {"transaction": None, "error": error.args[0].name(), "message": error.args[0].str()}
        producer.abort_transaction(30)
for outcome in outcomes:
    records.say(outcome)
if ending:
    records.say(ending)
