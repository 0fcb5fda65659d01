//! Names that point here and are somebody else's, lines smuggled into answers, and requests that
//! another site has a browser make.

use crate::http::served;
use crate::peer::{UPGRADE, answer, close, status};
use crate::server::Server;
use crate::siege::Attack;

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A name of a stranger's that was pointed at this machine reads nothing of the inside: 403; an
/// address, `localhost` and a listed name do, and what everybody may see has no name.
#[test]
fn ht_21_a_rebound_name_does_not_see_the_inside() {
    let server = Server::start_secure(&[]);
    let refused = |host| {
        served(get("/metrics", host), 403, "metrics").counted("stentor_http_hosts_refused_total", 1)
    };
    server.endures(&[
        refused("evil.example"),
        refused("127.0.0.1.evil.example:80"),
        served(get("/healthz", "evil.example"), 200, "health"),
        served(get("/", "evil.example"), 200, "page"),
    ]);
    let shown = |host: &str| {
        let answer = answer(&server.address, get("/metrics", host).as_bytes(), true);
        status(&answer) == 200
    };
    for host in ["127.0.0.1:5000", "LocalHost:5000", "[::1]:5000", "stentor", "a.localhost"] {
        assert!(shown(host), "{host}");
    }
    for host in ["localhost.evil.example", "127.0.0.1x.example", "0.1.example"] {
        assert!(!shown(host), "{host}");
    }
    server.judge();

    let server = Server::start(&["http.allowed_hosts=ops.example"]);
    for (host, expected) in
        [("ops.example:5000", 200), ("Ops.Example", 200), ("ops.example.evil", 403)]
    {
        let answer = answer(&server.address, get("/metrics", host).as_bytes(), true);
        assert_eq!(status(&answer), expected, "{host}");
    }
    server.judge();
}

/// Ends of lines, plain and escaped, in whatever might come back in a head: no header is born.
#[test]
fn in_05_nothing_that_is_sent_becomes_a_header() {
    let server = Server::start_secure(&[]);
    let clean = |said: &[u8]| {
        let text = String::from_utf8_lossy(said).to_ascii_lowercase();
        let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
        assert!(!head.contains("forged"), "{text}");
    };
    let farewell = close(1000);
    for upgrade in [
        UPGRADE.replacen("/ws", "/ws/%0d%0aForged:%201", 1),
        UPGRADE.replacen("/ws", "/websocket?%0d%0aForged:1", 1),
        UPGRADE.replacen("\r\n\r\n", "\r\nSec-WebSocket-Protocol: forged%0d%0aForged\r\n\r\n", 1),
        UPGRADE.replacen("\r\n\r\n", "\r\nSec-WebSocket-Extensions: forged; forged=1\r\n\r\n", 1),
    ] {
        for end in [&farewell[..], b""] {
            clean(&answer(&server.address, &[upgrade.as_bytes(), end].concat(), true));
        }
    }
    for (path, endpoint, expected) in [
        ("/%0d%0aForged:1", "unknown", 404),
        ("/ws/%0aForged:1", "websocket", 426),
        ("/?%0d%0aForged:1", "page", 200),
    ] {
        let counter = format!("stentor_http_answers_total{{endpoint=\"{endpoint}\"}}");
        let attack = Attack::new(get(path, "a"), move |said| {
            clean(said);
            assert_eq!(status(said), expected);
        });
        server.endures(&[attack.ending().counted(&counter, 1)]);
    }
    server.judge();
}

/// A form of another site, posted as text that happens to be JSON: no verb is heard, nothing is done.
#[test]
fn xo_05_a_form_of_another_site_does_nothing() {
    let server = Server::start(&[]);
    let heard = server.metric("stentor_requests_total");
    let body = "{\"type\":\"register\",\"username\":\"forged\",\"password\":\"correct horse\"}";
    for (path, expected) in [("/", 405), ("/api/register", 404), ("/metrics", 405), ("/ws", 426)] {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\
                 Cookie: session=1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}\r\n",
                body.len()
            );
            let said = answer(&server.address, request.as_bytes(), true);
            assert_eq!(status(&said), expected, "{path}, {kind}");
            assert!(
                !String::from_utf8_lossy(&said).contains("Set-Cookie"),
                "nothing is kept there"
            );
        }
    }
    // The bystander's own messages apart, nothing was asked.
    let mut peer = crate::peer::Peer::lines(&server.address);
    let found = peer.register("forged");
    assert!(!found.is_empty(), "the name was free");
    assert!(server.metric("stentor_requests_total") >= heard);
    drop(peer);
    server.judge();
}
