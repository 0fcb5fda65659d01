//! Clients in other languages, built from the published schema and run against the real binary.
//!
//! Law: what `examples/cpp` and `examples/python` say is heard in JSON, and the other way round. Limit:
//! without their tools (`protoc`, CMake and a C++ compiler; Python with `protobuf` and `websockets`,
//! as `python3` or whatever `STENTOR_PYTHON` names) a client is left out, and the test says so.
#![cfg(feature = "cli")]

mod bystander;
#[path = "../e2e/server.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod server;
#[path = "../e2e/tools.rs"]
mod tools;

use std::path::Path;
use std::process::{Command, Output};

use bystander::{Bystander, worker};
use server::{Folder, Server};
use tools::{ROOT, built, has, python_schema, python_with, run, version, works};

/// A server, somebody who listens in JSON, and a token for the client.
struct Scene {
    folder: Folder,
    server: Server,
    bystander: Bystander,
}

impl Scene {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let server = Server::start(&folder, &[]);
        let bystander = Bystander::new(&server.address, &token(&folder, "hub", "service"));
        Self { folder, server, bystander }
    }
}

fn token(folder: &Folder, sub: &str, role: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(["token", "--sub", sub, "--role", role]).current_dir(folder.path());
    let output = run(&mut command);
    let line = String::from_utf8(output.stdout).expect("text");
    line.split_whitespace().next_back().expect("a token").to_owned()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The one line that begins so; all of them are shown when there is none.
fn line<'a>(lines: &'a [String], start: &str) -> &'a str {
    let found = lines.iter().find_map(|line| line.strip_prefix(start));
    found.unwrap_or_else(|| panic!("no line begins with {start:?}: {lines:#?}"))
}

/// What both clients publish, as somebody hears it who speaks JSON.
fn both_payloads(scene: &mut Scene) {
    let first = scene.bystander.event("reading");
    assert_eq!(first["payload"], serde_json::json!({"temperature": 21.5}));
    let second = scene.bystander.event("reading");
    assert_eq!(second["payload"], serde_json::json!({"b64": "AP8="}));
}

#[test]
fn cpp() {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if !has("examples/cpp", &mut [version("protoc"), version("cmake"), version(compiler)]) {
        return;
    }
    let build = built("cpp");
    let source = Path::new(ROOT).join("examples/cpp");
    run(Command::new("cmake").arg("-S").arg(source).arg("-B").arg(&build));
    run(Command::new("cmake").arg("--build").arg(&build));
    let mut scene = Scene::new("cpp");
    let (host, port) = scene.server.address.rsplit_once(':').expect("an address");
    let client = |token: &str| {
        let mut command = Command::new(build.join("stentor_cpp"));
        command.args([host, port, token, "public:hub"]);
        command
    };
    let output = run(&mut client(&token(&scene.folder, "panel", "user")));
    let said = lines(&output);
    assert!(line(&said, "hello ").contains("\"server\":\"stentor/"));
    assert!(line(&said, "auth ").contains("\"username\":\"panel\""));
    assert!(line(&said, "subscribed ").contains("\"channel\":\"public:hub\""));
    assert!(line(&said, "heartbeat ").contains("server_time"));
    assert_eq!(line(&said, "refused "), "no_worker");
    let there = line(&said, "presence ");
    let is_there = |name| there.contains(&format!("\"username\":\"{name}\""));
    assert!(is_there("hub") && is_there("panel"), "{there}");
    assert_eq!(line(&said, "event reading public:hub 1 "), "from panel: {\"temperature\":21.5}");
    let bytes = b"event reading public:hub 2 from panel: \0\xff\n";
    assert!(output.stdout.windows(bytes.len()).any(|part| part == bytes), "bytes as they were");
    worker(&scene.server.address, &token(&scene.folder, "backend", "service"));
    let said = lines(&run(&mut client(&token(&scene.folder, "panel", "user"))));
    assert_eq!(line(&said, "ui_action "), "{\"pressed\":\"start\"}");
    let refused = client("nonsense").output().expect("it can be started");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("auth: token_invalid: "));
    both_payloads(&mut scene);
}

#[test]
fn python() {
    if !has("examples/python", &mut [version("protoc"), python_with("google.protobuf, websockets")])
    {
        return;
    }
    let generated = python_schema();
    let mut scene = Scene::new("python");
    worker(&scene.server.address, &token(&scene.folder, "backend", "service"));
    let mut command = Command::new(tools::python());
    command.arg(Path::new(ROOT).join("examples/python/client.py"));
    command.arg(format!("ws://{}/ws", scene.server.address));
    command.arg(token(&scene.folder, "script", "user")).arg("public:hub");
    let said = lines(&run(command.env("PYTHONPATH", &generated)));
    assert!(line(&said, "hello ").starts_with("stentor/"));
    assert_eq!(line(&said, "auth "), "script");
    assert_eq!(line(&said, "presence "), "['backend', 'hub', 'script']");
    let event = "event reading public:hub from script ";
    assert_eq!(line(&said, event), "b'{\"temperature\":21.5}'");
    assert!(said.contains(&format!("{event}b'\\x00\\xff'")), "{said:#?}");
    assert_eq!(line(&said, "ui_action "), "{'pressed': 'start'}");
    line(&said, "heartbeat 20");
    both_payloads(&mut scene);
}

/// A tool that is not there is found missing, not taken for a success.
#[test]
fn a_missing_tool_is_noticed() {
    assert!(!has("a test", &mut [version("no-such-tool-anywhere")]));
    assert!(!works(Command::new(env!("CARGO_BIN_EXE_stentor")).arg("no-such-command")));
}
