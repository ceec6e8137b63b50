//! RunPod's form and the images are made of what is documented, and of files that are there.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../edge/worker");
const ENGINES: [&str; 2] = ["sglang", "vllm"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(WORKER).join(path)).expect(path)
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).expect(path)
}

/// The members of an object are among these.
#[track_caller]
fn assert_known(object: &Value, known: &str) {
    let known: BTreeSet<_> = known.split(' ').collect();
    for member in object.as_object().expect("an object").keys() {
        assert!(known.contains(member.as_str()), "{member} is not documented");
    }
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap_or_default()
}

/// The fields of a form, by the names of their variables.
fn inputs(hub: &Value) -> Vec<(&str, &Value)> {
    let entries = hub["config"]["env"].as_array().expect("entries").iter();
    entries.map(|entry| (text(entry, "key"), &entry["input"])).collect()
}

#[test]
fn the_form_has_documented_members_and_types_only() {
    for engine in ENGINES {
        let hub = json(&format!("{engine}/.runpod/hub.json"));
        assert_known(&hub, "title description type category iconUrl config");
        assert_eq!((text(&hub, "type"), text(&hub, "category")), ("serverless", "language"));
        assert!(hub["description"].as_str().is_some_and(|words| words.chars().count() <= 189));
        let known =
            "runsOn endpointType containerDiskInGb gpuCount gpuIds cpuFlavor allowedCudaVersions env presets";
        assert_known(&hub["config"], known);
        for (key, input) in inputs(&hub) {
            assert_known(
                input,
                "name type description default required advanced options min max trueValue falseValue",
            );
            // There is no "password".
            assert!(["string", "huggingface", "number", "boolean"].contains(&text(input, "type")), "{key}");
            let words = text(input, "description").chars().count();
            assert!((1..=189).contains(&words), "{key}: {words} characters");
        }
        for preset in hub["config"]["presets"].as_array().expect("presets") {
            assert_known(preset, "name defaults");
            for key in preset["defaults"].as_object().expect("defaults").keys() {
                assert!(inputs(&hub).iter().any(|(known, _)| known == key), "{key}");
            }
        }
    }
}

#[test]
fn the_token_is_optional_stands_next_to_the_model_and_has_no_default() {
    for engine in ENGINES {
        let hub = json(&format!("{engine}/.runpod/hub.json"));
        let inputs = inputs(&hub);
        assert_eq!((inputs[0].0, inputs[1].0), ("MODEL_NAME", "HF_TOKEN"));
        let token = inputs[1].1;
        assert_eq!(token["required"], false);
        assert!(token.get("advanced").is_none() && token.get("default").is_none());
        assert!(text(token, "description").contains("{{ RUNPOD_SECRET_"));
    }
}

#[test]
fn the_form_asks_for_what_the_entry_script_reads() {
    let start = read("start.sh");
    for engine in ENGINES {
        for (key, _) in inputs(&json(&format!("{engine}/.runpod/hub.json"))) {
            assert!(start.contains(&format!("${{{key}:-")), "start.sh does not read {key}");
        }
    }
}

#[test]
fn the_test_that_the_hub_makes_has_documented_members_and_no_token() {
    for engine in ENGINES {
        let tests = json(&format!("{engine}/.runpod/tests.json"));
        assert_known(&tests, "tests config");
        for test in tests["tests"].as_array().expect("tests") {
            assert_known(test, "name input timeout");
        }
        assert_known(&tests["config"], "gpuTypeId gpuCount cpuFlavor env allowedCudaVersions");
        for entry in tests["config"]["env"].as_array().expect("variables") {
            assert_known(entry, "key value");
            assert!(!text(entry, "key").contains("TOKEN"));
        }
    }
}

/// Images are not built here: what they copy is at least there, and a build is given no token.
#[test]
fn images_copy_files_that_are_there_and_are_given_no_token() {
    for engine in ENGINES {
        let image = read(&format!("{engine}/Dockerfile"));
        assert!(!image.lines().any(|line| line.starts_with("ARG") || line.contains("TOKEN=")));
        assert!(image.contains("COPY --chmod=755 edge/worker/start.sh /usr/local/bin/start"));
        assert!(image.contains(&format!("CMD [\"{engine}\"]")));
        let toolchain = std::fs::read_to_string(Path::new(WORKER).join("../../rust-toolchain.toml"))
            .expect("a toolchain");
        let version =
            toolchain.split('"').nth(1).expect("a version").rsplit_once('.').expect("three numbers").0;
        assert!(
            image.contains(&format!("FROM rust:{version}-")),
            "{engine}: not the compiler of rust-toolchain.toml"
        );
    }
}
