"""serializers.py REGISTRY BOOTSTRAP TOPIC avro|protobuf|json auto|registered|latest|raw [PROTO]: Confluent's own serializers.

Sends three orders to TOPIC with a string key, reads them back with the deserializer, and prints one line an order
sent and one an order read. "auto" lets the serializer register its schema; "registered" registers it by hand first
and forbids the serializer to, so that it only looks it up; "latest" (Protobuf) registers the text of the file PROTO
and has the serializer take the latest version. Then it sends three bad ones made by hand: another magic
byte, an unknown schema id, and the good framing with a payload that is cut short; one line each. "raw" registers
the schema by hand and sends the orders without their framing, which the gateway is to put before them: what is read
must be byte for byte what the serializer made. Of the bad ones it sends the one that is cut short.
"""

import base64
import json
import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import records

registry_url, bootstrap, topic, language, registration = sys.argv[1:6]

AVRO = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "total", "type": "double"},
        {
            "name": "lines",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Line",
                    "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}],
                },
            },
        },
    ],
}
JSON = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Order",
    "type": "object",
    "required": ["id", "total", "lines"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "total": {"type": "number", "minimum": 0},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku", "count"],
                "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}},
            },
        },
    },
}

client = SchemaRegistryClient({"url": registry_url})
auto = registration == "auto"
settings = {"auto.register.schemas": auto}
if language == "avro":
    text = json.dumps(AVRO)
    if not auto:
        client.register_schema(f"{topic}-value", Schema(text, "AVRO"))
    serialize = AvroSerializer(client, text, conf=settings)
    deserialize = AvroDeserializer(client)
elif language == "json":
    text = json.dumps(JSON)
    if not auto:
        client.register_schema(f"{topic}-value", Schema(text, "JSON"))
    serialize = JSONSerializer(text, client, conf=settings)
    deserialize = JSONDeserializer(text)
else:
    from google.protobuf.json_format import MessageToDict

    import order_pb2

    if registration == "latest":
        with open(sys.argv[6], encoding="utf-8") as proto:
            client.register_schema(f"{topic}-value", Schema(proto.read(), "PROTOBUF"))
        settings["use.latest.version"] = True
    elif not auto:
        # As the serializer itself would: a base64 FileDescriptorProto.
        text = base64.b64encode(order_pb2.DESCRIPTOR.serialized_pb).decode()
        client.register_schema(f"{topic}-value", Schema(text, "PROTOBUF"))
    serialize_message = ProtobufSerializer(order_pb2.Order, client, conf=settings)
    deserialize_message = ProtobufDeserializer(order_pb2.Order)

    def serialize(order, context):
        message = order_pb2.Order(id=order["id"], total=order["total"])
        for line in order["lines"]:
            message.lines.add(sku=line["sku"], count=line["count"])
        return serialize_message(message, context)

    def deserialize(value, context):
        return MessageToDict(deserialize_message(value, context))


context = SerializationContext(topic, MessageField.VALUE)
orders = [
    {"id": f"order-{number}", "total": 10.5 * number + 1, "lines": [{"sku": "apple", "count": number + 1}]}
    for number in range(3)
]
producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 30000})


def send(what, value):
    outcomes = []
    producer.produce(
        topic,
        key=b"key",
        value=value,
        partition=0,
        on_delivery=lambda error, message: outcomes.append(records.outcome(0, error, message)),
    )
    producer.flush(40)
    records.say({what: outcomes[0] if outcomes else None})


payloads = [serialize(order, context) for order in orders]
# Magic byte and schema id; for Protobuf also the short form of the first message's index.
framing = 0 if registration != "raw" else 6 if language == "protobuf" else 5
for payload in payloads:
    send("sent", payload[framing:])

consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-readers", "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
for order, payload in zip(orders, payloads):
    message = consumer.poll(20)
    if message is None or message.error():
        records.say({"read": None, "error": str(message and message.error())})
        break
    as_sent = message.value() == payload and deserialize(message.value(), context) == order
    records.say({"read": deserialize(message.value(), context), "as_sent": as_sent})
consumer.close()

good = payloads[0]
if registration != "raw":
    send("bad_magic", b"\x07" + good[1:])
    send("bad_id", b"\x00" + (2**31 - 7).to_bytes(4, "big") + good[5:])
send("bad_payload", good[framing:-1])
