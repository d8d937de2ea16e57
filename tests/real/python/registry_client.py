"""registry_client.py CONNECTION sync|async: every public method of confluent-kafka's SchemaRegistryClient.

The methods are listed by looking into the class: one that this program does not call is a failure, so that a newer
client cannot bring one that nobody tried.
"""

import asyncio
import inspect
import json
import sys

from confluent_kafka.schema_registry import (
    AssociationCreateOrUpdateInfo,
    AssociationCreateOrUpdateRequest,
    AsyncSchemaRegistryClient,
    ConfigCompatibilityLevel,
    Metadata,
    MetadataProperties,
    MetadataTags,
    Rule,
    RuleKind,
    RuleMode,
    RuleParams,
    RuleSet,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)

from checks import check, connection, finish, section

CONF = connection(sys.argv[1])
STYLE = sys.argv[2]
CLASS = SchemaRegistryClient if STYLE == "sync" else AsyncSchemaRegistryClient
# Client after client uses the same registry: its subjects are its own.
OWN = f"python-{STYLE}"
SHOP = f"shop_{STYLE}"
called = set()
loop = asyncio.new_event_loop()


class Client:
    """The client under test, each call noted, and awaited where there is something to await."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*arguments, **named):
            called.add(name)
            answer = method(*arguments, **named)
            return loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer

        return call


client = Client(CLASS(CONF))


def fresh():
    """Without what it remembers: the answer is the registry's."""
    client.clear_caches()
    return client


def refused(function, *arguments, **named):
    """Status and error code of a refusal."""
    try:
        return function(*arguments, **named)
    except SchemaRegistryError as error:
        assert error.error_message, "a refusal says why"
        return (error.http_status_code, error.error_code)


def avro(name, *fields, metadata=None, rule_set=None, namespace=OWN.replace("-", "_"), **more):
    """A record; its namespace is this client's own, so that no other client's subject has the same schema."""
    fields = [{"name": field, "type": "string"} if isinstance(field, str) else field for field in fields]
    text = json.dumps({"type": "record", "name": name, "namespace": namespace, "fields": fields, **more})
    return Schema(text, "AVRO", [], metadata, rule_set)


def subject(name):
    return f"{OWN}-{name}"


def registers_and_reads():
    name = subject("orders-value")
    first = avro("Order", "id")
    ident = client.register_schema(name, first)
    check("an id", ident, lambda ident: isinstance(ident, int) and ident > 0)
    check("registered again", fresh().register_schema(name, first), ident)
    full = fresh().register_schema_full_response(name, first)
    check("full response: id", full.schema_id, ident)
    check("full response: guid", full.guid, lambda guid: isinstance(guid, str) and len(guid) == 36)
    check("full response: schema", json.loads(full.schema.schema_str), json.loads(first.schema_str))

    got = fresh().get_schema(ident)
    check("by id", json.loads(got.schema_str), json.loads(first.schema_str))
    check("by id: type", got.schema_type, "AVRO")
    check("by id: no references", got.references, lambda references: not references)
    check("by id and subject", fresh().get_schema(ident, subject_name=name).schema_str, got.schema_str)
    check("by an unknown id", refused(fresh().get_schema, 2_000_000_000), (404, 40403))
    check("by guid", fresh().get_schema_by_guid(full.guid).schema_str, got.schema_str)
    check(
        "by an unknown guid",
        refused(fresh().get_schema_by_guid, "00000000-0000-0000-0000-000000000000"),
        (404, 40403),
    )
    check("types", sorted(client.get_schema_types()), ["AVRO", "JSON", "PROTOBUF"])

    second = avro("Order", "id", {"name": "note", "type": "string", "default": ""})
    other = fresh().register_schema(name, second)
    check("another schema, another id", other, lambda other: other > ident)
    copies = subject("copies-value")
    check("the same schema elsewhere, the same id", fresh().register_schema(copies, first), ident)
    check("subjects of an id", client.get_subjects_by_schema_id(ident), sorted([copies, name]))
    # The subject only says in which context the id is meant.
    both = client.get_subjects_by_schema_id(ident, subject_name=name)
    check("subjects of an id, by a subject's context", both, sorted([copies, name]))
    check("subjects of an id, a page", client.get_subjects_by_schema_id(ident, offset=1, limit=1), [name])
    versions = client.get_schema_versions(ident)
    check(
        "versions of an id",
        sorted((version.subject, version.version) for version in versions),
        sorted([(copies, 1), (name, 1)]),
    )
    check("subjects of an unknown id", refused(client.get_subjects_by_schema_id, 2_000_000_000), (404, 40403))

    found = fresh().lookup_schema(name, second)
    check("looked up", (found.subject, found.version, found.schema_id), (name, 2, other))
    check("looked up: guid", found.guid, lambda guid: isinstance(guid, str) and guid != full.guid)
    check("not there", refused(fresh().lookup_schema, name, avro("Other")), (404, 40403))
    check("no such subject", refused(fresh().lookup_schema, subject("none"), first), (404, 40401))

    latest = fresh().get_latest_version(name)
    check("latest", (latest.version, latest.schema_id, latest.subject), (2, other, name))
    check("a version", fresh().get_version(name, 1).schema_id, ident)
    check("the version latest", fresh().get_version(name).version, 2)
    check("no such version", refused(fresh().get_version, name, 9), (404, 40402))
    check("no such subject", refused(fresh().get_latest_version, subject("none")), (404, 40401))
    check("versions", client.get_versions(name), [1, 2])
    check("versions, a page", client.get_versions(name, offset=1, limit=1), [2])
    check("versions of no subject", refused(client.get_versions, subject("none")), (404, 40401))
    check("subjects", client.get_subjects(subject_prefix=OWN), sorted([copies, name]))
    check("subjects, a page", client.get_subjects(subject_prefix=OWN, offset=1, limit=1), [name])
    check("all subjects", client.get_subjects(), lambda all: name in all and copies in all)
    check("not a schema", refused(fresh().register_schema, name, Schema("{", "AVRO")), (422, 42201))


def refers():
    address = subject("address")
    client.register_schema(address, avro("Address", "street", namespace=SHOP))
    text = {
        "type": "record",
        "name": "Person",
        "namespace": SHOP,
        "fields": [{"name": "home", "type": f"{SHOP}.Address"}],
    }
    person = Schema(json.dumps(text), "AVRO", [SchemaReference(f"{SHOP}.Address", address, 1)])
    ident = fresh().register_schema(subject("person"), person)
    got = fresh().get_schema(ident)
    check("references", [(r.name, r.subject, r.version) for r in got.references], [(f"{SHOP}.Address", address, 1)])
    check("referenced by", client.get_referenced_by(address, 1), [ident])
    check("referenced by, of the latest", client.get_referenced_by(address), [ident])
    check("referenced by, a page beyond", client.get_referenced_by(address, 1, offset=1, limit=1), [])
    check("a reference holds", refused(client.delete_version, address, 1), (422, 42206))
    check("a reference holds the subject", refused(client.delete_subject, address), (422, 42206))
    missing = Schema(json.dumps(text), "AVRO", [SchemaReference(f"{SHOP}.Address", subject("none"), 1)])
    check("a reference to nothing", refused(fresh().register_schema, subject("person"), missing), (422, 42201))
    resolved = json.loads(fresh().get_schema(ident, fmt="resolved").schema_str)
    check("resolved", resolved["fields"][0]["type"], lambda type: isinstance(type, dict) and type["name"] == "Address")
    for language, base, using, reference in [
        (
            "PROTOBUF",
            f'syntax = "proto3";\npackage {SHOP};\nmessage Money {{ int64 units = 1; }}\n',
            f'syntax = "proto3";\npackage {SHOP};\nimport "money.proto";\nmessage Price {{ Money of = 1; }}\n',
            "money.proto",
        ),
        (
            "JSON",
            '{"$id":"money.json","title":"' + SHOP + '","type":"object","properties":{"units":{"type":"integer"}}}',
            '{"title":"' + SHOP + '","type":"object","properties":{"of":{"$ref":"money.json"}}}',
            "money.json",
        ),
    ]:
        money = subject(f"money-{language}")
        client.register_schema(money, Schema(base, language))
        price = Schema(using, language, [SchemaReference(reference, money, 1)])
        ident = fresh().register_schema(subject(f"price-{language}"), price)
        got = fresh().get_schema(ident)
        check(f"{language}: type", got.schema_type, language)
        check(f"{language}: references", [r.subject for r in got.references], [money])
        check(f"{language}: text", got.schema_str.strip(), lambda text: reference in text)
        check(f"{language}: looked up", fresh().lookup_schema(subject(f"price-{language}"), price).schema_id, ident)
        check(f"{language}: referenced by", client.get_referenced_by(money), [ident])
        check(
            f"{language}: not a schema",
            refused(fresh().register_schema, money, Schema("message {", language)),
            (422, 42201),
        )


def keeps_metadata():
    name = subject("described")
    tags, properties = MetadataTags({"**.ssn": ["PII", "EU"]}), MetadataProperties({"owner": "payments", "tier": "1"})
    described = avro("Described", "ssn", metadata=Metadata(tags, properties, ["owner"]))
    plain = fresh().register_schema(name, avro("Described", "ssn"))
    ident = fresh().register_schema(name, described)
    check("metadata makes another schema", ident != plain, True)
    got = fresh().get_latest_version(name).schema.metadata
    check("properties", got.properties.properties, {"owner": "payments", "tier": "1"})
    check("tags", {field: sorted(names) for field, names in got.tags.tags.items()}, {"**.ssn": ["EU", "PII"]})
    check("sensitive", got.sensitive, ["owner"])
    check("by metadata", fresh().get_latest_with_metadata(name, {"owner": "payments"}).schema_id, ident)
    check("by two pairs", fresh().get_latest_with_metadata(name, {"owner": "payments", "tier": "1"}).schema_id, ident)
    check("by metadata that none has", refused(fresh().get_latest_with_metadata, name, {"owner": "x"}), (404, 40403))
    check(
        "by metadata of no subject",
        refused(fresh().get_latest_with_metadata, subject("none"), {"owner": "x"}),
        (404, 40401),
    )


def takes_rules():
    # Confluent's community registry takes a rule set; the client sends it with every field.
    rule = Rule("upper", "", RuleKind.TRANSFORM, RuleMode.WRITE, "CEL", ["PII"], RuleParams({"a": "b"}), "x", None, None, False)
    ruled = avro("Ruled", "name", rule_set=RuleSet(None, [rule]))
    name = subject("ruled")
    ident = fresh().register_schema(name, ruled)
    check("with rules", fresh().lookup_schema(name, ruled).schema_id, ident)
    check("with rules, by id", json.loads(fresh().get_schema(ident).schema_str), json.loads(ruled.schema_str))


def normalizes():
    name = subject("normal")
    fields = [{"name": "a", "type": "string"}]
    one = avro("Normal", *fields, z="1", b="2")
    two = avro("Normal", *fields, b="2", z="1")
    ident = fresh().register_schema(name, one, normalize_schemas=True)
    check("normalized, the same", fresh().register_schema(name, two, normalize_schemas=True), ident)
    check("looked up normalized", fresh().lookup_schema(name, two, normalize_schemas=True).schema_id, ident)
    spaced = Schema(json.dumps(json.loads(one.schema_str), indent=3), "AVRO")
    check("white space makes no schema", fresh().lookup_schema(name, spaced, normalize_schemas=True).schema_id, ident)


def judges():
    name = subject("judged")
    check("one's own level, when there is none", refused(client.get_compatibility, name), (404, 40408))
    check("a level", client.set_compatibility(name, "BACKWARD"), {"compatibility": "BACKWARD"})
    check("the level", client.get_compatibility(name), "BACKWARD")
    client.register_schema(name, avro("Judged", "id"))
    good = avro("Judged", "id", {"name": "more", "type": "string", "default": ""})
    bad = avro("Judged", "id", "more")
    check("compatible", client.test_compatibility(name, good), True)
    check("incompatible", client.test_compatibility(name, bad), False)
    check("incompatible, and why", client.test_compatibility(name, bad, 1, verbose=True), False)
    check("with all", client.test_compatibility_all_versions(name, good), True)
    check("incompatible with all", client.test_compatibility_all_versions(name, bad, normalize=True, verbose=True), False)
    check("of no version", refused(client.test_compatibility, name, good, 9), (404, 40402))
    check("refused", refused(fresh().register_schema, name, bad), (409, 409))
    check("no level", refused(client.set_compatibility, name, "SOMETIMES"), (422, 42203))
    check("another level", client.set_compatibility(name, "NONE"), {"compatibility": "NONE"})
    check("not refused", fresh().register_schema(name, bad), lambda ident: ident > 0)
    before = client.get_compatibility()
    check("the global level", client.set_compatibility(level="full_transitive"), {"compatibility": "FULL_TRANSITIVE"})
    check("the global level, read", client.get_compatibility(), "FULL_TRANSITIVE")
    client.set_compatibility(level=before)


def is_configured():
    name = subject("configured")
    wanted = ServerConfig(
        compatibility=ConfigCompatibilityLevel.FORWARD,
        compatibility_group="major",
        default_metadata=Metadata(None, MetadataProperties({"owner": "nobody"}), None),
        override_metadata=Metadata(None, MetadataProperties({"checked": "yes"}), None),
    )
    answer = client.set_config(name, wanted)
    check("configured", answer["compatibility"], "FORWARD")
    check("configured: group", answer["compatibilityGroup"], "major")
    got = client.get_config(name)
    check("configuration: level", got.compatibility_level, "FORWARD")
    check("configuration: group", got.compatibility_group, "major")
    check("configuration: default", got.default_metadata.properties.properties, {"owner": "nobody"})
    check("configuration: override", got.override_metadata.properties.properties, {"checked": "yes"})
    client.register_schema(name, avro("Configured", "id"))
    metadata = fresh().get_latest_version(name).schema.metadata
    check("metadata by configuration", metadata.properties.properties, {"checked": "yes", "owner": "nobody"})
    check("no longer configured", client.delete_config(name).compatibility_level, "FORWARD")
    check("no configuration", refused(client.get_config, name), (404, 40408))
    check("none to take back", refused(client.delete_config, name), (404, 40401))
    before = client.get_config()
    check("the global one", before.compatibility_level, lambda level: level is not None)
    client.set_config(config=ServerConfig(compatibility_group="minor"))
    check("the global one, in part", client.get_config().compatibility_group, "minor")
    check("the global one, untouched", client.get_config().compatibility_level, before.compatibility_level)
    client.delete_config()
    check("the global one is back", client.get_config().compatibility_group, None)
    client.set_compatibility(level=before.compatibility_level)


def has_modes():
    name = subject("moded")
    check("none of its own", refused(client.get_mode, name), (404, 40409))
    check("read only", client.update_mode(name, "READONLY"), "READONLY")
    check("its mode", client.get_mode(name), "READONLY")
    check("a write", refused(fresh().register_schema, name, avro("Moded", "id")), (422, 42205))
    check("import", client.update_mode(name, "IMPORT", force=True), "IMPORT")
    check("no mode", refused(client.update_mode, name, "SOMETIMES"), (422, 42204))
    check("taken back", client.delete_mode(name), "IMPORT")
    check("nothing to take back", refused(client.delete_mode, name), (404, 40401))
    check("a write again", fresh().register_schema(name, avro("Moded", "id")), lambda ident: ident > 0)
    check("the global mode", client.get_global_mode(), "READWRITE")
    check("all read only", client.update_global_mode("READONLY"), "READONLY")
    check("a write, all read only", refused(fresh().register_schema, name, avro("Moded", "x")), (422, 42205))
    check("back", client.update_global_mode("READWRITE", force=True), "READWRITE")


def deletes():
    name = subject("deleted")
    first, second, third = (avro("Deleted", *["abc"[at] for at in range(count + 1)]) for count in range(3))
    client.set_compatibility(name, "NONE")
    idents = [client.register_schema(name, schema) for schema in (first, second, third)]
    check("not soft-deleted before", refused(client.delete_version, name, 1, permanent=True), (404, 40407))
    check("a version", client.delete_version(name, 1), 1)
    check("again", refused(client.delete_version, name, 1), (404, 40406))
    check("the others", client.get_versions(name), [2, 3])
    check("all", client.get_versions(name, deleted=True), [1, 2, 3])
    check("gone", refused(fresh().get_version, name, 1), (404, 40402))
    check("not quite", fresh().get_version(name, 1, deleted=True).schema_id, idents[0])
    check("still by id", json.loads(fresh().get_schema(idents[0]).schema_str), json.loads(first.schema_str))
    check("not looked up", refused(fresh().lookup_schema, name, first), (404, 40403))
    check("looked up, deleted", fresh().lookup_schema(name, first, deleted=True).version, 1)
    check("versions of the id", client.get_schema_versions(idents[0]), [])
    check("versions of the id, deleted", [v.version for v in client.get_schema_versions(idents[0], deleted=True)], [1])
    check("subjects of the id, deleted", client.get_subjects_by_schema_id(idents[0], deleted=True), [name])
    check("restored", fresh().register_schema(name, first), idents[0])
    check("restored as the newest", client.get_versions(name), [2, 3, 4])
    check("for good", client.delete_version(name, 2), 2)
    check("for good, twice", client.delete_version(name, 2, permanent=True), 2)
    check("no longer there", client.get_versions(name, deleted=True), lambda versions: 2 not in versions)
    check("the subject", client.delete_subject(name), [3, 4])
    check("again", refused(client.delete_subject, name), (404, 40404))
    check("not listed", client.get_subjects(subject_prefix=name), [])
    check("listed, deleted", client.get_subjects(subject_prefix=name, deleted=True), [name])
    check("the subject, for good", client.delete_subject(name, permanent=True), lambda versions: 4 in versions)
    check("not listed at all", client.get_subjects(subject_prefix=name, deleted=True), [])
    check("no subject", refused(client.delete_subject, name), (404, 40401))
    check("no id", refused(fresh().get_schema, idents[1]), (404, 40403))


def has_contexts():
    name = f":.{OWN}:orders-value"
    check("the default one", client.get_contexts(), lambda all: "." in all)
    ident = client.register_schema(name, avro("InContext", "id"))
    check("ids count for themselves", ident, 1)
    check("the contexts", client.get_contexts(), lambda all: f".{OWN}" in all)
    check("a page of contexts", len(client.get_contexts(offset=0, limit=1)), 1)
    check("the subject", fresh().get_latest_version(name).subject, name)
    check("by id and subject", json.loads(fresh().get_schema(1, subject_name=name).schema_str)["name"], "InContext")
    check("listed", client.get_subjects(subject_prefix=f":.{OWN}:"), [name])
    # Confluent looks for a subject without a context in all of them, after the default one.
    check("found without its context", fresh().get_latest_version("orders-value").subject, name)
    check("elsewhere it is not", refused(fresh().get_versions, "orders-value"), (404, 40401))


def takes_odd_names():
    for odd in ["a/b", "a.b", "ü π 漢", "100%", "a?b=c&d", "a+b", "com.example.Outer$Inner", "..", "a:b", "/slash/"]:
        name = subject("odd") + odd
        ident = client.register_schema(name, avro("Odd", "id"))
        check(f"{odd}: by subject", fresh().get_latest_version(name).schema_id, ident)
        check(f"{odd}: its name", fresh().get_latest_version(name).subject, name)
        check(f"{odd}: listed", client.get_subjects(subject_prefix=name), [name])
        check(f"{odd}: configured", client.set_compatibility(name, "NONE"), {"compatibility": "NONE"})
        check(f"{odd}: deleted", client.delete_subject(name), [1])


def has_no_associations():
    # Records of associations stop older registries on the same topic, so there are none; clients whose serializers look
    # for one take 404 for "none", and go on with the topic's name.
    wanted = AssociationCreateOrUpdateRequest(
        "orders", "-", "id-1", "topic", [AssociationCreateOrUpdateInfo(subject("orders-value"), "value")]
    )
    check("none by name", refused(client.get_associations_by_resource_name, "orders", "-", "topic", ["value"]), (404, 404))
    check("none is made", refused(client.create_association, wanted), (404, 404))
    check("none is deleted", refused(client.delete_associations, "id-1", "topic", ["value"], True), (404, 404))


def ends():
    check("configuration", client.config()["url"], CONF["url"])
    client.clear_latest_caches()
    client.clear_caches()
    called.add("new_client")
    made = CLASS.new_client(dict(CONF))
    check("made by its maker", type(made) is CLASS, True)
    end = "close" if STYLE == "sync" else "aclose"
    getattr(Client(made), end)()
    getattr(client, end)()


for part in [
    registers_and_reads,
    refers,
    keeps_metadata,
    takes_rules,
    normalizes,
    judges,
    is_configured,
    has_modes,
    deletes,
    has_contexts,
    takes_odd_names,
    has_no_associations,
    ends,
]:
    section(part)
public = {name for name, member in inspect.getmembers(CLASS) if callable(member) and not name.startswith("_")}
check("methods that were not tried", sorted(public - called), [])
print(json.dumps({"methods": len(public)}))
finish()
