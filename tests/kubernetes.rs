//! The Kubernetes files: what a schema validator accepts, and what it cannot see: that names, ports and selectors agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use support::places::{fetched, project};
use support::process::run;

/// The oldest release that is still supported somewhere, and the newest that the validator knows.
const RELEASES: [&str; 2] = ["1.30.0", "1.37.0"];

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(project("config/kubernetes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Every object of every file.
fn objects() -> Vec<Value> {
    let objects = files().into_iter().flat_map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        let read = |part: &str| serde_saphyr::from_str::<Value>(part).unwrap();
        text.split("\n---\n").map(read).collect::<Vec<_>>()
    });
    objects.collect()
}

fn object(kind: &str, name: &str) -> Value {
    let mut found = objects().into_iter();
    found
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn pod() -> Value {
    object("StatefulSet", "portcullis")["spec"]["template"].clone()
}

/// The one container's ports by name.
fn port(name: &str) -> Value {
    let pod = pod();
    let mut ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap().iter();
    let found = ports.find(|port| port["name"] == name);
    found.unwrap_or_else(|| panic!("the container has no port {name}"))["containerPort"].clone()
}

fn configuration_text() -> String {
    let map = object("ConfigMap", "portcullis");
    map["data"]["portcullis.yaml"].as_str().unwrap().to_owned()
}

fn configuration() -> Value {
    serde_saphyr::from_str(&configuration_text()).unwrap()
}

/// The port at the end of `0.0.0.0:8081`.
fn port_of(address: &Value) -> Value {
    let (_, port) = address.as_str().unwrap().rsplit_once(':').unwrap();
    port.parse::<u16>().unwrap().into()
}

#[test]
fn a_schema_validator_accepts_every_file_and_no_unknown_field_is_in_them() {
    let validator = fetched("kubernetes").join("bin/kubernetes-validate");
    for release in RELEASES {
        let mut command = vec![validator.to_str().unwrap().to_owned()];
        command.extend(["--strict", "-k", release].map(str::to_owned));
        command.extend(files().iter().map(|file| file.to_str().unwrap().to_owned()));
        let ran = run(&command);
        assert!(ran.status.success(), "{ran:#?}");
        let passed = (ran.out + &ran.err).matches(" passed ").count();
        assert_eq!(passed, objects().len(), "{release}");
    }
    // And it would see a mistake.
    let folder = support::places::scratch();
    let wrong = folder.path().join("wrong.yaml");
    let text = fs::read_to_string(project("config/kubernetes/statefulset.yaml")).unwrap();
    fs::write(&wrong, text.replace("livenessProbe:", "livenesProbe:")).unwrap();
    let ran = run(&[validator, "--strict".into(), wrong].map(|word| word.to_str().unwrap().to_owned()));
    assert!(!ran.status.success(), "{ran:#?}");
}

#[test]
fn the_configuration_is_one_that_portcullis_takes() {
    let folder = support::places::scratch();
    let file = folder.path().join("portcullis.yaml");
    fs::write(&file, configuration_text()).unwrap();
    let check = |variables: &[&str]| {
        let mut command = vec!["env".to_owned()];
        command.extend(variables.iter().map(|&variable| variable.to_owned()));
        command.push(env!("CARGO_BIN_EXE_portcullis").to_owned());
        command.extend(["check".to_owned(), file.to_str().unwrap().to_owned()]);
        run(&command)
    };
    let ran = check(&["KAFKA=k:9092", "POD_NAME=portcullis-0", "POD_NAMESPACE=n"]);
    assert!(ran.status.success(), "{ran:#?}");
    // A pod that does not know its name does not start with half of one.
    assert!(!check(&["KAFKA=k:9092"]).status.success());
}

#[test]
fn every_selector_finds_the_pods() {
    let labels = pod()["metadata"]["labels"].clone();
    let set = object("StatefulSet", "portcullis");
    let budget = object("PodDisruptionBudget", "portcullis");
    let affinity = &pod()["spec"]["affinity"]["podAntiAffinity"];
    let required = &affinity["requiredDuringSchedulingIgnoredDuringExecution"][0];
    let preferred = &affinity["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"];
    let selectors = [
        &set["spec"]["selector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
        &required["labelSelector"]["matchLabels"],
        &preferred["labelSelector"]["matchLabels"],
        &object("Service", "portcullis")["spec"]["selector"],
        &object("Service", "portcullis-registry")["spec"]["selector"],
    ]
    .map(Clone::clone);
    for selector in selectors {
        let selector = selector.as_object().unwrap();
        assert!(!selector.is_empty());
        for (name, value) in selector {
            assert_eq!(labels[name], *value, "{name}");
        }
    }
    assert_eq!(required["topologyKey"], "kubernetes.io/hostname");
    let replicas = set["spec"]["replicas"].as_u64().unwrap();
    assert!(replicas >= 3 && budget["spec"]["maxUnavailable"] == 1);
}

#[test]
fn services_and_probes_lead_to_ports_that_the_configuration_listens_on() {
    let configuration = configuration();
    let embedded = &configuration["registry"]["embedded"];
    assert_eq!(port("registry"), port_of(&embedded["listen"]));
    assert_eq!(port("admin"), port_of(&configuration["admin"]["listen"]));
    assert_eq!(
        port("gateway"),
        port_of(&configuration["gateway"]["listeners"][0]["address"])
    );
    for name in ["portcullis", "portcullis-registry"] {
        for service in object("Service", name)["spec"]["ports"].as_array().unwrap() {
            assert_eq!(service["port"], port(service["targetPort"].as_str().unwrap()));
        }
    }
    let container = &pod()["spec"]["containers"][0];
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"].map(|probe| {
        let get = &container[probe]["httpGet"];
        let name = get["port"].as_str().unwrap();
        port(name);
        (name.to_owned(), get["path"].as_str().unwrap().to_owned())
    });
    let expected = [
        ("registry", "/subjects"),
        ("admin", "/livez"),
        ("admin", "/readyz"),
    ];
    assert_eq!(
        probes,
        expected.map(|(port, path)| (port.to_owned(), path.to_owned()))
    );
    let scraped = pod()["metadata"]["annotations"]["prometheus.io/port"].clone();
    assert_eq!(scraped, port("admin").to_string());
}

#[test]
fn pods_are_told_apart_by_the_names_that_the_headless_service_gives_them() {
    let set = object("StatefulSet", "portcullis");
    let service = object("Service", "portcullis");
    assert_eq!(set["spec"]["serviceName"], service["metadata"]["name"]);
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    let host = "${POD_NAME}.portcullis.${POD_NAMESPACE}.svc";
    let configuration = configuration();
    assert_eq!(configuration["registry"]["embedded"]["advertised_host"], host);
    assert_eq!(configuration["gateway"]["listeners"][0]["advertised_host"], host);
    let pod = pod();
    let variables: BTreeSet<_> = pod["spec"]["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| variable["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        variables,
        ["KAFKA", "POD_NAME", "POD_NAMESPACE"].map(str::to_owned).into()
    );
}

#[test]
fn a_pod_has_the_time_that_draining_takes_and_rights_to_nothing() {
    let pod = pod();
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert_eq!(configuration()["gateway"]["drain_timeout"], "30s");
    assert!(
        grace > 30 + 10,
        "the gateway's drain, then the registry's last requests"
    );
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    let rights = &pod["spec"]["containers"][0]["securityContext"];
    assert_eq!(rights["allowPrivilegeEscalation"], false);
    assert_eq!(rights["readOnlyRootFilesystem"], true);
    assert_eq!(rights["capabilities"]["drop"][0], "ALL");
    let mount = &pod["spec"]["containers"][0]["volumeMounts"][0];
    let args = pod["spec"]["containers"][0]["args"].as_array().unwrap();
    let folder = mount["mountPath"].as_str().unwrap();
    assert_eq!(args[2], format!("{folder}/portcullis.yaml"));
    let volume = &pod["spec"]["volumes"][0];
    assert_eq!(volume["name"], mount["name"]);
    assert_eq!(
        volume["configMap"]["name"],
        object("ConfigMap", "portcullis")["metadata"]["name"]
    );
}
