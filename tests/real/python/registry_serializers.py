"""registry_serializers.py CONNECTION: confluent-kafka's serializers and deserializers of all three languages.

Each serializes and reads back, without a broker between: registering by itself, with the latest version only,
normalized, with references, and with the schema's GUID in a header instead of its id before the payload.
"""

import json
import sys

from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import order_pb2
import shipment_pb2
from checks import check, connection, finish, section

CONF = connection(sys.argv[1])
client = SchemaRegistryClient(CONF)

ADDRESS = {"type": "record", "name": "Address", "namespace": "ser", "fields": [{"name": "street", "type": "string"}]}
PERSON = {"type": "record", "name": "Person", "namespace": "ser", "fields": [{"name": "home", "type": "ser.Address"}]}
ORDER = {"type": "record", "name": "Order", "namespace": "ser", "fields": [{"name": "id", "type": "string"}]}
MONEY = {"$id": "ser-money.json", "type": "object", "properties": {"units": {"type": "integer"}}}
PRICE = {"title": "Price", "type": "object", "properties": {"of": {"$ref": "ser-money.json"}}}


def there_and_back(what, serializer, deserializer, value, headers=None):
    """What was sent comes back, and the payload is framed as it was said."""
    context = SerializationContext(f"ser-{what}", MessageField.VALUE, headers)
    payload = serializer(value, context)
    if headers is None:
        check(f"{what}: framed", payload[0], 0)
        subject = client.get_latest_version(f"ser-{what}-value")
        check(f"{what}: its id", int.from_bytes(payload[1:5], "big"), subject.schema_id)
    else:
        check(f"{what}: header", headers[0][0], "__value_schema_id")
        check(f"{what}: GUID", (headers[0][1][0], len(headers[0][1])), lambda got: got[0] == 1 and got[1] >= 17)
    # Another client, which remembers nothing.
    check(f"{what}: as sent", deserializer(SchemaRegistryClient(CONF))(payload, context), value)


def avro():
    def reader(client):
        return AvroDeserializer(client)

    # Not shorter: the deserializer wants six bytes even where the framing is in a header.
    value = {"id": "order-one"}
    text = json.dumps(ORDER)
    there_and_back("avro-auto", AvroSerializer(client, text), reader, value)
    there_and_back("avro-normal", AvroSerializer(client, text, conf={"normalize.schemas": True}), reader, value)
    client.register_schema("ser-avro-latest-value", Schema(text, "AVRO"))
    latest = {"auto.register.schemas": False, "use.latest.version": True}
    there_and_back("avro-latest", AvroSerializer(client, text, conf=latest), reader, value)
    header = {"schema.id.serializer": header_schema_id_serializer}
    there_and_back("avro-header", AvroSerializer(client, text, conf=header), reader, value, [])
    client.register_schema("ser-address", Schema(json.dumps(ADDRESS), "AVRO"))
    person = Schema(json.dumps(PERSON), "AVRO", [SchemaReference("ser.Address", "ser-address", 1)])
    there_and_back("avro-reference", AvroSerializer(client, person), reader, {"home": {"street": "Elm"}})


def json_schema():
    value = {"of": {"units": 3}}
    plain = json.dumps({**PRICE, "properties": {"of": {"type": "object"}}})

    def reader(client):
        return JSONDeserializer(plain, schema_registry_client=client)

    there_and_back("json-auto", JSONSerializer(plain, client), reader, value)
    there_and_back("json-normal", JSONSerializer(plain, client, conf={"normalize.schemas": True}), reader, value)
    client.register_schema("ser-json-latest-value", Schema(plain, "JSON"))
    latest = {"auto.register.schemas": False, "use.latest.version": True}
    there_and_back("json-latest", JSONSerializer(plain, client, conf=latest), reader, value)
    header = {"schema.id.serializer": header_schema_id_serializer}
    there_and_back("json-header", JSONSerializer(plain, client, conf=header), reader, value, [])
    client.register_schema("ser-money", Schema(json.dumps(MONEY), "JSON"))
    price = Schema(json.dumps(PRICE), "JSON", [SchemaReference("ser-money.json", "ser-money", 1)])

    def referring(client):
        return JSONDeserializer(price, schema_registry_client=client)

    there_and_back("json-reference", JSONSerializer(price, client), referring, value)


def protobuf():
    def reader(client):
        return ProtobufDeserializer(order_pb2.Order, {}, client)

    value = order_pb2.Order(id="one", total=1.5)
    value.lines.add(sku="apple", count=2)
    there_and_back("protobuf-auto", ProtobufSerializer(order_pb2.Order, client), reader, value)
    normal = ProtobufSerializer(order_pb2.Order, client, conf={"normalize.schemas": True})
    there_and_back("protobuf-normal", normal, reader, value)
    client.register_schema("ser-protobuf-latest-value", client.get_latest_version("ser-protobuf-auto-value").schema)
    latest = {"auto.register.schemas": False, "use.latest.version": True}
    there_and_back("protobuf-latest", ProtobufSerializer(order_pb2.Order, client, conf=latest), reader, value)
    header = {"schema.id.serializer": header_schema_id_serializer}
    there_and_back("protobuf-header", ProtobufSerializer(order_pb2.Order, client, conf=header), reader, value, [])
    # A file that imports another: the serializer registers the imported one first, under its own subject.
    shipment = shipment_pb2.Shipment(order=value)
    there_and_back(
        "protobuf-reference",
        ProtobufSerializer(shipment_pb2.Shipment, client),
        lambda client: ProtobufDeserializer(shipment_pb2.Shipment, {}, client),
        shipment,
    )
    references = client.get_latest_version("ser-protobuf-reference-value").schema.references
    check("protobuf-reference: references", [one.name for one in references], ["order.proto"])


for part in [avro, json_schema, protobuf]:
    section(part)
finish()
