// registry.js CONNECTION: the two registry clients of Node.js, @confluentinc/schemaregistry with every method of its
// client and its serializers, and @kafkajs/confluent-schema-registry.
//
// A connection is one JSON object, as in tests/real/python/checks.py; so are the lines that it prints.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const https = require("node:https");
const confluent = require("@confluentinc/schemaregistry");
const kafkajs = require("@kafkajs/confluent-schema-registry");

const to = JSON.parse(process.argv[2]);
const tls = to.ca && {
  ca: fs.readFileSync(to.ca),
  cert: to.certificate && fs.readFileSync(to.certificate),
  key: to.key && fs.readFileSync(to.key),
};
const agent = tls && new https.Agent(tls);
let passed = 0;
let failures = 0;
const called = new Set();

function check(what, got, expected) {
  try {
    if (typeof expected === "function") assert.ok(expected(got));
    else assert.deepStrictEqual(got, expected);
    passed += 1;
  } catch {
    failures += 1;
    console.log(JSON.stringify({ failed: what, got: String(JSON.stringify(got)), expected: String(JSON.stringify(expected)) }));
  }
}

async function section(part) {
  try {
    await part();
  } catch (error) {
    failures += 1;
    console.log(JSON.stringify({ failed: part.name, error: String(error && error.stack) }));
  }
}

// Status and code of a refusal.
async function refused(promise) {
  try {
    return await promise;
  } catch (error) {
    return [error.status, error.errorCode];
  }
}

const client = new Proxy(
  new confluent.SchemaRegistryClient({
    baseURLs: [to.url],
    maxRetries: 0,
    createAxiosDefaults: agent && { httpsAgent: agent },
    basicAuthCredentials: to.user && { credentialsSource: "USER_INFO", userInfo: `${to.user}:${to.password}` },
    bearerAuthCredentials: to.token && {
      credentialsSource: "STATIC_TOKEN",
      token: to.token,
      logicalCluster: "lsrc-1",
      identityPoolId: "pool-1",
    },
  }),
  {
    get(target, name) {
      if (typeof target[name] === "function") called.add(name);
      return typeof target[name] === "function" ? target[name].bind(target) : target[name];
    },
  },
);

function avro(name, ...more) {
  const fields = [{ name: "id", type: "string" }, ...more];
  return { schemaType: "AVRO", schema: JSON.stringify({ type: "record", name, namespace: "node", fields }) };
}

async function confluentClient() {
  const subject = "node-orders-value";
  const first = avro("Order");
  const second = avro("Order", { name: "note", type: "string", default: "" });
  const bad = avro("Order", { name: "more", type: "string" });
  check("configuration", client.config().baseURLs, [to.url]);
  const id = await client.register(subject, first, false);
  check("registered", id, (id) => id > 0);
  client.clearCaches();
  const full = await client.registerFullResponse(subject, first, false);
  check("the same id", full.id, id);
  check("a guid", full.guid && full.guid.length, 36);
  const other = await client.register(subject, second, true);
  client.clearCaches();
  check("by id", JSON.parse((await client.getBySubjectAndId(subject, id)).schema), JSON.parse(first.schema));
  check("by guid", JSON.parse((await client.getByGuid(full.guid)).schema), JSON.parse(first.schema));
  check("an unknown id", await refused(client.getBySubjectAndId(subject, 2000000000)), [404, 40403]);
  client.clearCaches();
  check("looked up", await client.getId(subject, second, true), other);
  client.clearCaches();
  const found = await client.getIdFullResponse(subject, second, false);
  check("looked up, all of it", [found.id, found.version, found.subject], [other, 2, subject]);
  check("latest", (await client.getLatestSchemaMetadata(subject)).version, 2);
  client.clearLatestCaches();
  check("a version", (await client.getSchemaMetadata(subject, 1, false)).id, id);
  check("no such version", await refused(client.getSchemaMetadata(subject, 9, false)), [404, 40402]);
  check("versions", await client.getAllVersions(subject), [1, 2]);
  check("its version", await client.getVersion(subject, second, true, false), 2);
  check("subjects", await client.getAllSubjects(), (all) => all.includes(subject));
  const described = { ...first, metadata: { properties: { owner: "node" } } };
  const at = await client.register("node-described", described, false);
  client.clearCaches();
  check("by metadata", (await client.getLatestWithMetadata("node-described", { owner: "node" }, false)).id, at);
  check("a level", await client.updateCompatibility(subject, "BACKWARD"), "BACKWARD");
  check("the level", await client.getCompatibility(subject), "BACKWARD");
  check("compatible", await client.testCompatibility(subject, 1, second), true);
  check("incompatible", await client.testSubjectCompatibility(subject, bad), false);
  check("refused", await refused(client.register(subject, bad, false)), [409, 409]);
  const before = await client.getDefaultCompatibility();
  check("the default", await client.updateDefaultCompatibility(before), before);
  await client.updateConfig(subject, { compatibility: "BACKWARD", compatibilityGroup: "major" });
  check("configured", (await client.getConfig(subject)).compatibilityGroup, "major");
  check("configured by default", (await client.getDefaultConfig()).compatibilityLevel, before);
  await client.updateDefaultConfig({ compatibility: before });
  check("no association", await refused(client.getAssociationsByResourceName("orders", "-", "topic", ["value"], null, 0, -1)), [404, 404]);
  check("none is made", await refused(client.createAssociation({ resourceName: "orders", resourceNamespace: "-", resourceId: "1", resourceType: "topic", associations: [] })), [404, 404]);
  check("none is deleted", await refused(client.deleteAssociations("1", "topic", ["value"], true)), [404, 404]);
  check("deleted", await client.deleteSubjectVersion(subject, 1, false), 1);
  check("the subject", await client.deleteSubject(subject, false), [2]);
  check("the subject, for good", await client.deleteSubject(subject, true), (versions) => versions.includes(2));
}

async function confluentSerializers() {
  const sent = { id: "one" };
  const settings = { autoRegisterSchemas: false, useLatestVersion: true };
  await client.register("node-avro-value", avro("Serialized"), false);
  const avroOut = new confluent.AvroSerializer(client, confluent.SerdeType.VALUE, settings);
  const avroIn = new confluent.AvroDeserializer(client, confluent.SerdeType.VALUE, {});
  const back = await avroIn.deserialize("node-avro", await avroOut.serialize("node-avro", sent));
  check("avro, as sent", { ...back }, sent);
  const text = JSON.stringify({ title: "Node", type: "object", properties: { id: { type: "string" } } });
  await client.register("node-json-value", { schemaType: "JSON", schema: text }, false);
  const jsonOut = new confluent.JsonSerializer(client, confluent.SerdeType.VALUE, { ...settings, validate: true });
  const jsonIn = new confluent.JsonDeserializer(client, confluent.SerdeType.VALUE, {});
  check("json, as sent", await jsonIn.deserialize("node-json", await jsonOut.serialize("node-json", sent)), sent);
  client.close();
}

async function kafkajsClient() {
  const registry = new kafkajs.SchemaRegistry({
    host: to.url,
    agent,
    retry: { retries: 0 },
    auth: to.user && { username: to.user, password: to.password },
    middlewares: to.token
      ? [() => ({ prepareRequest: async (next) => (await next()).enhance({ headers: { authorization: `Bearer ${to.token}` } }) })]
      : [],
  });
  const schema = { type: "record", name: "Order", namespace: "kafkajs", fields: [{ name: "id", type: "string" }] };
  const { id } = await registry.register(schema, { subject: "kafkajs-order" });
  check("kafkajs: registered", (await registry.register(schema, { subject: "kafkajs-order" })).id, id);
  check("kafkajs: latest", await registry.getLatestSchemaId("kafkajs-order"), id);
  check("kafkajs: by version", await registry.getRegistryId("kafkajs-order", 1), id);
  check("kafkajs: by schema", await registry.getRegistryIdBySchema("kafkajs-order", schema), id);
  const bytes = await registry.encode(id, { id: "one" });
  check("kafkajs: framed", [bytes[0], bytes.readInt32BE(1)], [0, id]);
  registry.cache.clear();
  check("kafkajs: as sent", { ...(await registry.decode(bytes)) }, { id: "one" });
  const other = { ...schema, fields: [...schema.fields, { name: "more", type: "string" }] };
  const refusal = await registry.register(other, { subject: "kafkajs-order" }).then(() => "taken", (error) => error.message);
  check("kafkajs: incompatible", refusal, (why) => why !== "taken" && why.length > 0);
  for (const [type, subject, text, message] of [
    ["JSON", "kafkajs-json", '{"title":"Kafkajs","type":"object","properties":{"id":{"type":"string"}}}', { id: "one" }],
    ["PROTOBUF", "kafkajs-protobuf", 'syntax = "proto3"; package kafkajs; message Order { string id = 1; }', { id: "one" }],
  ]) {
    const made = await registry.register({ type, schema: text }, { subject });
    registry.cache.clear();
    const read = await registry.decode(await registry.encode(made.id, message));
    check(`kafkajs: ${type}`, { ...read }, message);
  }
  const missing = await registry.getLatestSchemaId("kafkajs-none").then(() => "there", (error) => error.status);
  check("kafkajs: no subject", missing, 404);
}

(async () => {
  await section(confluentClient);
  await section(confluentSerializers);
  await section(kafkajsClient);
  const own = Object.getOwnPropertyNames(confluent.SchemaRegistryClient.prototype);
  // What the type Client does not have is the class's own business.
  const declared = fs.readFileSync(require.resolve("@confluentinc/schemaregistry/dist/schemaregistry-client.d.ts"), "utf8");
  const client_interface = declared.slice(declared.indexOf("interface Client {"));
  const methods = own.filter((name) => client_interface.slice(0, client_interface.indexOf("\n}")).includes(`    ${name}(`));
  check("methods that were not tried", methods.filter((name) => !called.has(name)), []);
  console.log(JSON.stringify({ methods: methods.length }));
  console.log(JSON.stringify({ passed, failures }));
  process.exit(failures ? 1 : 0);
})();
