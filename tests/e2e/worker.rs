//! `examples/worker.sh`: a shell script over `nc` is a worker, and ends with the server.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::doors::Client;
use crate::server::{Folder, Server, token};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worker.sh");

#[test]
fn a_shell_script_answers_calls() {
    let folder = Folder::new("worker");
    let token = token(&folder, "greeter", "service");
    let options = ["--data", "kept", "--loops", "3", "--set", "limits.drain_ms=0"];
    let server = Server::start(&folder, &options);
    let (host, port) = server.address.split_once(':').expect("an address");
    let mut worker = Command::new("sh")
        .args([SCRIPT, host, port])
        .env("TOKEN", token)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh and nc are needed");
    let mut said = BufReader::new(worker.stdout.take().expect("a pipe")).lines();
    assert_eq!(said.next().expect("a line").expect("text"), "serving");

    let greeting = json!({"type": "data_request", "resource": "greeting",
                          "params": {"call_id": "mine", "user": {"username": "\"name\":\"x"}}});
    for (name, web) in [("ana", false), ("bia", true)] {
        let (mut client, _) = Client::register(&server.address, web, name);
        let fresh = client.ask(&greeting).expect("a reply");
        assert_eq!(fresh["data"], json!({"greeting": format!("hello {name}")}), "{fresh}");
        assert_eq!(fresh.get("cached"), None);
        let again = client.ask(&greeting).expect("a reply");
        assert_eq!((&again["data"], &again["cached"]), (&fresh["data"], &json!(true)));
        let failed = client.ask(&json!({"type": "command", "command": "fail"})).expect("a reply");
        assert_eq!(failed["code"], "worker_error");
        assert_eq!(failed["message"], format!("as you wish, {name}"));
    }
    server.terminate();
    worker.wait().expect("it ends with the server");
}
