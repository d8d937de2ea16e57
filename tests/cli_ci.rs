//! The promise: `config/ci` works as it stands. pre-commit itself runs the hook, the workflow is one by GitHub's schema and its
//! steps do what they say against a registry, and what reads JUnit's XML reads ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(
    clippy::duplicate_mod,
    reason = "both halves of the support take ports from it"
)]

mod registry_process;
mod support;

use registry_process::{Registry, Said, schema, write};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::places::{fetched, project};

fn binary_folder() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_portcullis"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A program with nothing of the developer's own settings, and `portcullis` on its path.
fn run(folder: &Path, home: &Path, program: &str, args: &[&str]) -> Said {
    let path = format!("{}:{}", binary_folder().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("timeout");
    command
        .args(["-k", "5", "120", program])
        .args(args)
        .current_dir(folder)
        .env_clear();
    for (name, value) in [
        ("PATH", path.as_str()),
        ("HOME", home.to_str().unwrap()),
        ("PRE_COMMIT_HOME", home.join("pre-commit").to_str().unwrap()),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Test"),
        ("GIT_AUTHOR_EMAIL", "test@example.com"),
        ("GIT_COMMITTER_NAME", "Test"),
        ("GIT_COMMITTER_EMAIL", "test@example.com"),
        ("LANG", "C.UTF-8"),
    ] {
        command.env(name, value);
    }
    command.output().unwrap().into()
}

const MANIFEST: &str =
    "schemas:\n  - { file: order.avsc, references: [{ name: Customer, file: customer.avsc }] }\n";
const ORDER: &str =
    "{\"type\": \"record\", \"name\": \"Order\", \"fields\": [{\"name\": \"by\", \"type\": \"Customer\"}]}\n";
const CUSTOMER: &str = "{\"type\": \"record\", \"name\": \"Customer\", \"fields\": []}\n";
const PACKAGE: &str = "{\"name\": \"no schema\"}\n";

fn house(folder: &Path) {
    write(
        folder,
        &[
            ("schemas/schemas.yaml", MANIFEST),
            ("schemas/order.avsc", ORDER),
            ("schemas/customer.avsc", CUSTOMER),
            ("schemas/item.json", "{\"type\": \"object\"}\n"),
            ("package.json", PACKAGE),
        ],
    );
}

/// A repository with these schemas, and `git` and `pre-commit` in it.
struct Repository {
    folder: tempfile::TempDir,
    home: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let repository = Self { folder, home };
        assert_eq!(repository.git(&["init", "-q", "-b", "main"]).code, 0);
        repository
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, args: &[&str]) -> Said {
        run(self.at(), self.home.path(), "git", args)
    }

    fn commit(&self) -> Said {
        assert_eq!(self.git(&["add", "-A"]).code, 0);
        self.git(&["commit", "-q", "-m", "Change schemas"])
    }

    fn pre_commit(&self, args: &[&str]) -> Said {
        let program = fetched("ci").join("bin/pre-commit");
        run(self.at(), self.home.path(), program.to_str().unwrap(), args)
    }
}

#[test]
fn a_commit_with_a_bad_schema_is_stopped_by_the_hook() {
    let repository = Repository::new();
    house(repository.at());
    std::fs::copy(
        project("config/ci/pre-commit-config.yaml"),
        repository.at().join(".pre-commit-config.yaml"),
    )
    .unwrap();
    let said = repository.pre_commit(&["install"]);
    assert_eq!(said.code, 0, "{said:#?}");
    let said = repository.commit();
    assert_eq!(said.code, 0, "{said:#?}");
    assert!((said.out + &said.err).contains("check schemas"), "the hook ran");

    write(
        repository.at(),
        &[("schemas/customer.avsc", "{\"type\": \"record\",\n \"name\": }\n")],
    );
    let said = repository.commit();
    assert_ne!(said.code, 0, "{said:#?}");
    let told = said.out + &said.err;
    assert!(
        told.contains("schemas/customer.avsc:2:10: customer: invalid: not JSON"),
        "{told}"
    );
    assert!(
        !told.contains("order"),
        "only what was changed is looked at: {told}"
    );

    write(
        repository.at(),
        &[
            ("schemas/customer.avsc", CUSTOMER),
            ("schemas/schemas.yaml", "schemas:\n  - { file: nope.avsc }\n"),
        ],
    );
    let said = repository.commit();
    assert_ne!(said.code, 0, "{said:#?}");
    assert!((said.out + &said.err).contains("schemas.yaml:2:5: `file`: there is no file `nope.avsc` here"));

    write(
        repository.at(),
        &[("schemas/schemas.yaml", MANIFEST), ("package.json", "{\n")],
    );
    let said = repository.commit();
    assert_eq!(
        said.code, 0,
        "what is no schema is not the hook's business: {said:#?}"
    );
}

#[test]
fn this_repository_is_a_source_of_the_hook() {
    let (source, user) = (Repository::new(), Repository::new());
    std::fs::copy(
        project(".pre-commit-hooks.yaml"),
        source.at().join(".pre-commit-hooks.yaml"),
    )
    .unwrap();
    assert_eq!(source.commit().code, 0);
    house(user.at());
    assert_eq!(user.git(&["add", "-A"]).code, 0);
    let try_repo = || {
        let source = source.at().to_str().unwrap();
        user.pre_commit(&[
            "try-repo",
            source,
            "portcullis-schema-check",
            "--all-files",
            "--verbose",
        ])
    };
    let said = try_repo();
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.out.contains("schemas/order.avsc: order: valid"), "{said:#?}");
    assert!(!said.out.contains("package.json"), "{said:#?}");
    write(user.at(), &[("schemas/item.json", "{\"type\": 1}\n")]);
    assert_eq!(user.git(&["add", "-A"]).code, 0);
    let said = try_repo();
    assert_eq!(said.code, 1, "{said:#?}");
    // The two definitions of the hook are one.
    let read = |file: &str| {
        serde_saphyr::from_str::<Value>(&std::fs::read_to_string(project(file)).unwrap()).unwrap()
    };
    let (own, local) = (
        read(".pre-commit-hooks.yaml"),
        read("config/ci/pre-commit-config.yaml"),
    );
    let local = &local["repos"][0]["hooks"][0];
    for field in ["id", "name", "entry", "language", "files"] {
        assert_eq!(own[0][field], local[field], "{field}");
    }
}

const WORKFLOW: &str = "config/ci/github-actions.yaml";

#[test]
fn the_workflow_is_one_by_githubs_schema() {
    let file = project(WORKFLOW);
    let program = fetched("ci").join("bin/check-jsonschema");
    let check = |file: &Path| {
        let args = [
            "--builtin-schema",
            "vendor.github-workflows",
            file.to_str().unwrap(),
        ];
        run(
            file.parent().unwrap(),
            Path::new("/tmp"),
            program.to_str().unwrap(),
            &args,
        )
    };
    let said = check(&file);
    assert_eq!(said.code, 0, "{said:#?}");
    let folder = tempfile::tempdir().unwrap();
    let spoiled = folder.path().join("spoiled.yaml");
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("runs-on:", "run-on:");
    std::fs::write(&spoiled, text).unwrap();
    assert_ne!(check(&spoiled).code, 0, "the check can fail");
}

/// GitHub's runner, as far as its `run:` steps go.
struct Runner {
    workflow: Value,
    workspace: tempfile::TempDir,
    temp: tempfile::TempDir,
    /// What `${{ … }}` stands for.
    values: BTreeMap<String, String>,
}

impl Runner {
    fn step(&self, step: &Value, path: &mut String) -> Said {
        let added = self.temp.path().join("path");
        std::fs::write(&added, "").unwrap();
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", "120", "bash", "--noprofile", "--norc", "-e", "-c"])
            .arg(step["run"].as_str().unwrap())
            .current_dir(self.workspace.path())
            .env_clear()
            .env("PATH", &*path)
            .env("RUNNER_TEMP", self.temp.path())
            .env("GITHUB_PATH", &added)
            .env("GITHUB_ACTIONS", "true");
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            let expression = value.as_str().unwrap();
            let inside = expression
                .strip_prefix("${{ ")
                .and_then(|rest| rest.strip_suffix(" }}"));
            let inside = inside.unwrap_or_else(|| panic!("{expression}"));
            command.env(
                name,
                self.values
                    .get(inside)
                    .unwrap_or_else(|| panic!("{inside} is not set")),
            );
        }
        let said = Said::from(command.output().unwrap());
        for line in std::fs::read_to_string(&added).unwrap().lines() {
            *path = format!("{line}:{path}");
        }
        said
    }

    /// Runs a job's steps until one fails: what the last one said.
    fn job(&self, name: &str) -> Said {
        let mut path = std::env::var("PATH").unwrap();
        let steps = self.workflow["jobs"][name]["steps"].as_array().unwrap().iter();
        let mut last = None;
        for step in steps.filter(|step| step["run"].is_string()) {
            let said = self.step(step, &mut path);
            let failed = said.code != 0;
            last = Some(said);
            if failed {
                break;
            }
        }
        last.unwrap()
    }
}

#[test]
fn the_workflows_steps_check_a_pull_request_and_register_what_was_approved() {
    let registry = Registry::start();
    let workflow: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(project(WORKFLOW)).unwrap()).unwrap();
    let register = &workflow["jobs"]["register"];
    assert_eq!(register["environment"], "schema-registry", "the approval gate");
    assert_eq!(
        (&register["needs"], &register["if"]),
        (&"check".into(), &"github.event_name == 'push'".into())
    );
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));

    let binary = env!("CARGO_BIN_EXE_portcullis");
    let sum = Said::from(Command::new("sha256sum").arg(binary).output().unwrap()).out;
    let mut values: BTreeMap<String, String> = [
        ("vars.PORTCULLIS_DOWNLOAD", format!("file://{binary}")),
        (
            "vars.PORTCULLIS_SHA256",
            sum.split(' ').next().unwrap().to_owned(),
        ),
        ("vars.SCHEMA_REGISTRY", registry.url()),
        ("secrets.SCHEMA_REGISTRY_READ_TOKEN", "reads".to_owned()),
        ("secrets.SCHEMA_REGISTRY_WRITE_TOKEN", "writes".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let runner = |values: &BTreeMap<String, String>| Runner {
        workflow: workflow.clone(),
        workspace: tempfile::tempdir().unwrap(),
        temp: tempfile::tempdir().unwrap(),
        values: values.clone(),
    };
    let ours = runner(&values);
    house(ours.workspace.path());
    let said = ours.job("check");
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.out.contains("3 good"), "{said:#?}");
    assert!(ours.workspace.path().join("schemas.xml").exists());
    assert_eq!(registry.ok("GET", "/subjects", ""), serde_json::json!([]));
    let said = ours.job("register");
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(
        registry.ok("GET", "/subjects", ""),
        serde_json::json!(["customer", "item", "order"])
    );

    let changed = CUSTOMER.replace("[]", "\n  [{\"name\": \"vip\", \"type\": \"boolean\"}]");
    write(ours.workspace.path(), &[("schemas/customer.avsc", &changed)]);
    let said = ours.job("check");
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.out.contains("::error file=schemas/customer.avsc,line=2,col=4,title=customer%3A incompatible::READER_FIELD_MISSING_DEFAULT_VALUE"),
        "{said:#?}"
    );

    values.insert("vars.PORTCULLIS_SHA256".to_owned(), "0".repeat(64));
    let forged = runner(&values);
    house(forged.workspace.path());
    let said = forged.job("check");
    assert_ne!(said.code, 0, "another binary is not run: {said:#?}");
    assert!(!forged.workspace.path().join("schemas.xml").exists());
}

#[test]
fn what_reads_junits_xml_reads_ours() {
    let folder = tempfile::tempdir().unwrap();
    house(folder.path());
    write(
        folder.path(),
        &[
            ("schemas/customer.avsc", "{\"type\": \"<&\\\"]]>\u{1}\"}"),
            ("schemas/other.proto", "syntax = \"proto3\";\nmessage M {}\n"),
        ],
    );
    let said = schema(folder.path(), &["check", "schemas", "--junit", "report.xml"]);
    assert_eq!(said.code, 1, "{said:#?}");
    let script = "
import json, sys, junitparser
suites = junitparser.JUnitXml.fromfile('report.xml')
cases = [case for suite in suites for case in suite]
print(json.dumps({
    'tests': suites.tests, 'failures': suites.failures, 'errors': suites.errors,
    'cases': {case.name: [type(result).__name__ for result in case.result] for case in cases},
    'texts': [result.text for case in cases for result in case.result if result.text],
}))";
    let python = fetched("ci").join("bin/python");
    let read = run(
        folder.path(),
        folder.path(),
        python.to_str().unwrap(),
        &["-c", script],
    );
    assert_eq!(read.code, 0, "{read:#?}");
    let read = read.json();
    assert_eq!(
        (&read["tests"], &read["failures"], &read["errors"]),
        (&4.into(), &1.into(), &0.into()),
        "{read}"
    );
    assert_eq!(
        read["cases"],
        serde_json::json!({ "customer": ["Failure"], "item": [], "order": ["Skipped"], "other": [] })
    );
    assert!(
        read["texts"][0]
            .as_str()
            .unwrap()
            .starts_with("schemas/customer.avsc:1:"),
        "{read}"
    );
}
