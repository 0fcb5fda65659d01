//! Pages of other sites, and text that is code somewhere else.

use serde_json::json;

use crate::peer::{Peer, UPGRADE, answer, close, status};
use crate::server::Server;

fn upgraded(server: &Server, host: &str, origins: &[&str]) -> u16 {
    let lines: String = origins.iter().map(|origin| format!("Origin: {origin}\r\n")).collect();
    let request = UPGRADE.replacen("Host: a\r\n", &format!("Host: {host}\r\n{lines}"), 1);
    status(&answer(&server.address, &[request.as_bytes(), &close(1000)].concat(), false))
}

/// Origins that look like ours, or are two: 403; those of this machine and of the same host: 101.
#[test]
fn xo_01_to_03_only_the_pages_that_may() {
    let server = Server::start(&[]);
    for origin in [
        "http://evil.example",
        "https://localhost:5000",
        "http://localhost.evil.example",
        "http://localhost:80@evil.example",
        "http://localhost:5000/",
        "HTTP://localhost:5000",
        "http://localhost.:5000",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1x",
        "",
        "a.b",
        "http://localhost:5000 http://evil.example",
        "http://LOCALHOST",
        "file://",
        "Null",
        "http://evil.example#http://localhost",
        "http://localhost:",
        "http://localhost:5x",
    ] {
        assert_eq!(upgraded(&server, "chat.example", &[origin]), 403, "{origin:?}");
    }
    for origin in ["http://localhost", "http://localhost:3000", "http://127.0.0.1:8080", "null"] {
        assert_eq!(upgraded(&server, "chat.example", &[origin]), 101, "{origin:?}");
    }
    assert_eq!(upgraded(&server, "chat.example", &["http://chat.example"]), 101);
    assert_eq!(upgraded(&server, "chat.example:80", &["http://chat.example"]), 101);
    assert_eq!(upgraded(&server, "chat.example:81", &["http://chat.example"]), 403);
    assert_eq!(upgraded(&server, "chat.example", &["https://chat.example"]), 403);
    assert_eq!(upgraded(&server, "a", &["http://localhost", "http://localhost"]), 403);
    assert_eq!(upgraded(&server, "a", &[]), 101);
    server.judge();
}

/// Origins that are almost on the list: 403; those on it: 101.
#[test]
fn xo_02_a_list_of_origins_is_exactly_that_list() {
    let server = Server::start(&["http.allowed_origins=https://app.example"]);
    assert_eq!(upgraded(&server, "chat.example", &["https://app.example"]), 101);
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "https://evil-app.example",
        "https://app.example.evil",
        "https://App.example",
        "https://app.example.",
        "null",
        "http://chat.example",
        "http://localhost",
    ] {
        assert_eq!(upgraded(&server, "chat.example", &[origin]), 403, "{origin:?}");
    }
    server.judge();
}

/// Requests of another origin, also before its requests: no answer opens itself to them.
#[test]
fn xo_04_no_answer_opens_itself_to_other_sites() {
    let server = Server::start(&[]);
    for method in ["GET", "OPTIONS", "POST"] {
        let request = format!(
            "{method} /metrics HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n\
             Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
        );
        let said = answer(&server.address, request.as_bytes(), false);
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("Access-Control-Allow"), "{said}");
    }
    server.judge();
}

/// SQL in searches, names and metadata: it is text, and comes back as it was.
#[test]
fn in_01_text_that_is_sql_is_text() {
    let server = Server::start(&[]);
    let mut user = Peer::lines(&server.address);
    let id = user.register("quote");
    for query in ["' OR 1=1 --", "%", "_", "*", "\\", "\"", "a' UNION SELECT * FROM users --"] {
        let found = user.ok(json!({"type": "search_users", "query": query}));
        assert_eq!(found["users"], json!([]), "{query}");
    }
    let found = user.ok(json!({"type": "search_users", "query": "quote"}));
    assert_eq!(found["users"][0]["id"], *id);
    for name in ["'; DROP TABLE messages; --", "%_\\\"'", "<img src=x onerror=alert(1)>"] {
        let room = json!({"type": "create_room", "name": name, "visibility": "public"});
        let chat = user.ok(room)["chat"].take();
        assert_eq!(chat["name"], name);
        let request = json!({"type": "message", "chat_id": chat["id"], "content": name,
            "client_id": name, "metadata": {name: name}});
        assert_eq!(user.ok(request)["message"]["metadata"][name], name);
        let rooms = user.ok(json!({"type": "list_rooms", "query": name}));
        assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(1), "{name}: {rooms}");
    }
    // Nor is it the language of the index of words.
    for (query, count) in [
        ("'; DROP TABLE messages; --", 1),
        ("\"table drop", 1),
        ("drop OR nothing", 0),
        ("drop NOT script", 0),
        ("dro*", 0),
        ("words:drop", 0),
        ("NEAR(drop table)", 0),
    ] {
        let found = user.ok(json!({"type": "search_messages", "query": query}));
        assert_eq!(found["messages"].as_array().map(Vec::len), Some(count), "{query}");
    }
    drop(user);
    server.judge();
}

/// Escapes, line ends and secrets in everything that is sent: none of it is in the log.
#[test]
fn in_02_nothing_that_is_sent_reaches_the_log_unescaped() {
    let server = Server::start(&[]);
    let forged = "x\\u001b[2J\\n2026-01-01T00:00:00Z INFO  forged";
    let line = format!("{{\"type\":\"{forged}\",\"request_id\":\"{forged}\"}}\n");
    for bytes in [
        line.into_bytes(),
        b"\x1b[2J forged\n".to_vec(),
        UPGRADE.replacen("Host: a", "Host: a\r\nOrigin: http://\x7fforged", 1).into_bytes(),
        UPGRADE.replacen("Host: a", "Host: a\r\nOrigin: http://forged", 1).into_bytes(),
        UPGRADE.replacen("/ws", "/ws/forged.forged.forged", 1).into_bytes(),
        b"GET /forged HTTP/1.1\r\nHost: forged\r\nUser-Agent: forged\r\n\r\n".to_vec(),
        [UPGRADE.as_bytes(), b"\x88\x88\0\0\0\0\x0f\xa0forged"].concat(),
    ] {
        let mut stream = crate::peer::connect(&server.address);
        crate::peer::pour(&mut stream, &bytes);
        stream.shutdown(std::net::Shutdown::Write).expect("half-closed");
        crate::peer::rest(&mut stream);
    }
    let mut user = Peer::lines(&server.address);
    let request = json!({"type": "register", "username": "secret", "password": "forged horse"});
    let token = user.ok(request)["token"].as_str().expect("a token").to_owned();
    drop(user);
    let log = server.judge();
    assert!(!log.contains('\u{1b}') && !log.contains("forged") && !log.contains(&token), "{log}");
}

/// Markup in what a page could show: the page runs nothing but its own script.
#[test]
fn in_03_the_page_allows_nothing_but_itself() {
    let server = Server::start(&[]);
    let request = "GET / HTTP/1.1\r\nHost: \"><script>\r\nAccept: text/html\r\n\r\n";
    assert_eq!(status(&answer(&server.address, request.as_bytes(), true)), 400);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    let said = answer(&server.address, request.as_bytes(), false);
    let said = String::from_utf8_lossy(&said).into_owned();
    let (head, body) = said.split_once("\r\n\r\n").expect("a head");
    for field in [
        "Content-Security-Policy: default-src 'self'",
        "X-Content-Type-Options: nosniff",
        "frame-ancestors 'none'",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    assert!(
        !head.contains("unsafe-inline") && !body.contains("<script>") && !body.contains("onload=")
    );
    server.judge();
}
