"""registry_old.py CONNECTION BOOTSTRAP TOPIC: confluent_kafka.avro as programs of ten years use it.

Every public method of CachedSchemaRegistryClient, and AvroProducer and AvroConsumer through a broker.
"""

import inspect
import sys
import warnings

warnings.simplefilter("ignore")

from confluent_kafka import avro  # noqa: E402
from confluent_kafka.avro import AvroConsumer, AvroProducer  # noqa: E402
from confluent_kafka.avro.cached_schema_registry_client import CachedSchemaRegistryClient  # noqa: E402

from checks import check, connection, finish, section  # noqa: E402

CONF = connection(sys.argv[1])
BOOTSTRAP, TOPIC = sys.argv[2:4]
CONF.pop("max.retries")
if "basic.auth.user.info" in CONF:
    CONF["basic.auth.credentials.source"] = "USER_INFO"
called = set()


class Client:
    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        called.add(name)
        return getattr(self._client, name)


def schema(name, more=""):
    return avro.loads('{"type":"record","name":"%s","namespace":"old","fields":[{"name":"id","type":"string"}%s]}' % (name, more))


def every_method():
    client = Client(CachedSchemaRegistryClient(dict(CONF)))
    fresh = Client(CachedSchemaRegistryClient(dict(CONF)))
    subject, first = "old-orders-value", schema("Order")
    second = schema("Order", ',{"name":"note","type":"string","default":""}')
    ident = client.register(subject, first)
    check("registered", ident, lambda ident: ident > 0)
    check("checked", fresh.check_registration(subject, first), ident)
    check("by id", fresh.get_by_id(ident).name, "Order")
    other = client.register(subject, second)
    check("latest", fresh.get_latest_schema(subject), lambda got: (got[0], got[2]) == (other, 2))
    check("by version", fresh.get_by_version(subject, 1), lambda got: (got[0], got[2]) == (ident, 1))
    check("nothing", fresh.get_latest_schema("old-none"), (None, None, None))
    check("its version", fresh.get_version(subject, second), 2)
    check("a level", client.update_compatibility("BACKWARD", subject), "BACKWARD")
    check("the level", client.get_compatibility(subject), "BACKWARD")
    check("compatible", client.test_compatibility(subject, second), True)
    check("incompatible", client.test_compatibility(subject, schema("Order", ',{"name":"more","type":"string"}')), False)
    check("deleted", client.delete_subject(subject), [1, 2])
    client.close()
    public = {name for name, member in inspect.getmembers(CachedSchemaRegistryClient) if inspect.isfunction(member)}
    check("methods that were not tried", sorted(name for name in public - called if not name.startswith("_")), [])


def through_a_broker():
    registry = {f"schema.registry.{name}": value for name, value in CONF.items()}
    value, key = schema("Value"), avro.loads('"string"')
    producer = AvroProducer({"bootstrap.servers": BOOTSTRAP, **registry}, default_key_schema=key, default_value_schema=value)
    for number in range(3):
        producer.produce(topic=TOPIC, value={"id": str(number)}, key="key")
    check("all sent", producer.flush(30), 0)
    consumer = AvroConsumer(
        {"bootstrap.servers": BOOTSTRAP, "group.id": TOPIC, "auto.offset.reset": "earliest", **registry}
    )
    consumer.subscribe([TOPIC])
    read = []
    for _ in range(3):
        message = consumer.poll(20)
        assert message is not None and message.error() is None, message and message.error()
        read.append((message.key(), message.value()["id"]))
    consumer.close()
    check("as sent", read, [("key", str(number)) for number in range(3)])


for part in [every_method, through_a_broker]:
    section(part)
finish()
