// registry CONNECTION: every method of the Go client's Client interface, and its three serializers.
//
// The methods are listed by reflection: one that this program does not call is a failure. A connection is one JSON
// object, as in tests/real/python/checks.py; so are the lines that it prints.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/jsonschema"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/protobuf"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type connection struct {
	URL, CA, User, Password, Token, Certificate, Key string
}

var passed, failures int
var called = map[string]bool{}

func say(line map[string]any) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func check(what string, got, expected any) {
	if reflect.DeepEqual(got, expected) {
		passed++
		return
	}
	failures++
	say(map[string]any{"failed": what, "got": fmt.Sprintf("%v", got), "expected": fmt.Sprintf("%v", expected)})
}

// call notes the method's name, calls it, and returns its answers but the error, which fails the check.
func call(client schemaregistry.Client, name string, arguments ...any) []any {
	called[name] = true
	method := reflect.ValueOf(client).MethodByName(name)
	in := make([]reflect.Value, len(arguments))
	for at, argument := range arguments {
		in[at] = reflect.ValueOf(argument)
	}
	var answers []any
	for _, value := range method.Call(in) {
		answers = append(answers, value.Interface())
	}
	return answers
}

func must(client schemaregistry.Client, name string, arguments ...any) any {
	answers := call(client, name, arguments...)
	if last := answers[len(answers)-1]; last != nil {
		check(name, last, nil)
	}
	return answers[0]
}

// refused is the error code of a refusal.
func refused(client schemaregistry.Client, name string, arguments ...any) int {
	answers := call(client, name, arguments...)
	if err, is := answers[len(answers)-1].(*rest.Error); is {
		return err.Code
	}
	return 0
}

func main() {
	var to connection
	if err := json.Unmarshal([]byte(os.Args[1]), &to); err != nil {
		panic(err)
	}
	conf := schemaregistry.NewConfig(to.URL)
	if to.User != "" {
		conf = schemaregistry.NewConfigWithBasicAuthentication(to.URL, to.User, to.Password)
	}
	if to.Token != "" {
		conf = schemaregistry.NewConfigWithBearerAuthentication(to.URL, to.Token, "lsrc-1", "pool-1")
	}
	conf.SslCaLocation, conf.SslCertificateLocation, conf.SslKeyLocation = to.CA, to.Certificate, to.Key
	conf.MaxRetries = 0
	client, err := schemaregistry.NewClient(conf)
	if err != nil {
		panic(err)
	}
	uses(client)
	serializes(client)
	called["Close"] = true
	check("closed", client.Close(), nil)
	var missing []string
	methods := reflect.TypeOf((*schemaregistry.Client)(nil)).Elem()
	for at := range methods.NumMethod() {
		if name := methods.Method(at).Name; !called[name] {
			missing = append(missing, name)
		}
	}
	check("methods that were not tried", missing, []string(nil))
	say(map[string]any{"methods": methods.NumMethod()})
	say(map[string]any{"passed": passed, "failures": failures})
	if failures > 0 {
		os.Exit(1)
	}
}

func avro(name, more string) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{SchemaType: "AVRO", Schema: fmt.Sprintf(
		`{"type":"record","name":"%s","namespace":"go","fields":[{"name":"id","type":"string"}%s]}`, name, more)}
}

func uses(client schemaregistry.Client) {
	const subject = "go-orders-value"
	first, second := avro("Order", ""), avro("Order", `,{"name":"note","type":"string","default":""}`)
	bad := avro("Order", `,{"name":"more","type":"string"}`)
	call(client, "Config")
	id := must(client, "Register", subject, first, false).(int)
	check("registered", id > 0, true)
	must(client, "ClearCaches")
	full := must(client, "RegisterFullResponse", subject, first, false).(schemaregistry.SchemaMetadata)
	check("the same id", full.ID, id)
	check("a guid", len(full.GUID), 36)
	other := must(client, "Register", subject, second, true).(int)
	check("another id", other > id, true)
	must(client, "ClearCaches")
	text := must(client, "GetBySubjectAndID", subject, id).(schemaregistry.SchemaInfo).Schema
	check("by guid", must(client, "GetByGUID", full.GUID).(schemaregistry.SchemaInfo).Schema, text)
	check("an unknown id", refused(client, "GetBySubjectAndID", subject, 2000000000), 40403)
	check("versions of an id", must(client, "GetSubjectsAndVersionsByID", id),
		[]schemaregistry.SubjectAndVersion{{Subject: subject, Version: 1}})
	must(client, "ClearCaches")
	check("looked up", must(client, "GetID", subject, second, true), other)
	must(client, "ClearCaches")
	found := must(client, "GetIDFullResponse", subject, second, false).(schemaregistry.SchemaMetadata)
	check("looked up, all of it", []any{found.ID, found.Version, found.Subject}, []any{other, 2, subject})
	check("latest", must(client, "GetLatestSchemaMetadata", subject).(schemaregistry.SchemaMetadata).Version, 2)
	must(client, "ClearLatestCaches")
	check("a version", must(client, "GetSchemaMetadata", subject, 1).(schemaregistry.SchemaMetadata).ID, id)
	check("no such version", refused(client, "GetSchemaMetadata", subject, 9), 40402)
	check("no such subject", refused(client, "GetLatestSchemaMetadata", "go-none"), 40401)
	check("versions", must(client, "GetAllVersions", subject), []int{1, 2})
	check("its version", must(client, "GetVersion", subject, second, true), 2)
	check("its version, deleted or not", must(client, "GetVersionIncludeDeleted", subject, first, true, true), 1)
	subjects := must(client, "GetAllSubjects").([]string)
	check("listed", sort.SearchStrings(subjects, subject) < len(subjects), true)
	contexts := must(client, "GetAllContexts").([]string)
	check("contexts", len(contexts) > 0 && contexts[0] == ".", true)

	described := first
	described.Metadata = &schemaregistry.Metadata{Properties: map[string]string{"owner": "go"}}
	at := must(client, "Register", "go-described", described, false)
	must(client, "ClearCaches")
	got := must(client, "GetLatestWithMetadata", "go-described", map[string]string{"owner": "go"}, false)
	check("by metadata", got.(schemaregistry.SchemaMetadata).ID, at)

	var level schemaregistry.Compatibility
	check("a level", level.ParseString("BACKWARD"), nil)
	check("set", must(client, "UpdateCompatibility", subject, level), level)
	check("read", must(client, "GetCompatibility", subject), level)
	check("compatible", must(client, "TestCompatibility", subject, 1, second), true)
	check("incompatible", must(client, "TestSubjectCompatibility", subject, bad), false)
	check("refused", refused(client, "Register", subject, bad, false), 409)
	before := must(client, "GetDefaultCompatibility")
	check("the default", must(client, "UpdateDefaultCompatibility", before), before)
	group := schemaregistry.ServerConfig{CompatibilityLevel: level, CompatibilityUpdate: level, CompatibilityGroup: "major"}
	must(client, "UpdateConfig", subject, group)
	check("configured", must(client, "GetConfig", subject, true).(schemaregistry.ServerConfig).CompatibilityGroup, "major")
	check("configured by default", must(client, "GetDefaultConfig").(schemaregistry.ServerConfig).CompatibilityLevel, before)
	must(client, "UpdateDefaultConfig", schemaregistry.ServerConfig{CompatibilityUpdate: before.(schemaregistry.Compatibility)})

	check("deleted", must(client, "DeleteSubjectVersion", subject, 1, false), 1)
	must(client, "ClearCaches")
	deleted := must(client, "GetSchemaMetadataIncludeDeleted", subject, 1, true).(schemaregistry.SchemaMetadata)
	check("deleted, still there", deleted.ID, id)
	check("for good", must(client, "DeleteSubjectVersion", subject, 1, true), 1)
	check("the subject", must(client, "DeleteSubject", subject, false), []int{2})
	check("the subject, for good", must(client, "DeleteSubject", subject, true), []int{2})
}

func serializes(client schemaregistry.Client) {
	type order struct {
		ID string `json:"id" avro:"id"`
	}
	sent := order{ID: "one"}
	check("avro", client != nil, true)
	avroOut, err := avrov2.NewSerializer(client, serde.ValueSerde, avrov2.NewSerializerConfig())
	check("avro serializer", err, nil)
	bytes, err := avroOut.Serialize("go-avro", &sent)
	check("avro out", err, nil)
	avroIn, err := avrov2.NewDeserializer(client, serde.ValueSerde, avrov2.NewDeserializerConfig())
	check("avro deserializer", err, nil)
	var read order
	check("avro in", avroIn.DeserializeInto("go-avro", bytes, &read), nil)
	check("avro, as sent", read, sent)

	jsonOut, err := jsonschema.NewSerializer(client, serde.ValueSerde, jsonschema.NewSerializerConfig())
	check("json serializer", err, nil)
	bytes, err = jsonOut.Serialize("go-json", &sent)
	check("json out", err, nil)
	jsonIn, err := jsonschema.NewDeserializer(client, serde.ValueSerde, jsonschema.NewDeserializerConfig())
	check("json deserializer", err, nil)
	read = order{}
	check("json in", jsonIn.DeserializeInto("go-json", bytes, &read), nil)
	check("json, as sent", read, sent)

	protobufOut, err := protobuf.NewSerializer(client, serde.ValueSerde, protobuf.NewSerializerConfig())
	check("protobuf serializer", err, nil)
	message := wrapperspb.String("one")
	bytes, err = protobufOut.Serialize("go-protobuf", message)
	check("protobuf out", err, nil)
	protobufIn, err := protobuf.NewDeserializer(client, serde.ValueSerde, protobuf.NewDeserializerConfig())
	check("protobuf deserializer", err, nil)
	back := &wrapperspb.StringValue{}
	check("protobuf in", protobufIn.DeserializeInto("go-protobuf", bytes, back), nil)
	check("protobuf, as sent", back.Value, "one")
}
