//! The configuration from file, environment and flags, and what is refused of it.

use super::*;
use crate::engine::DeflateMode;

fn set(pairs: &[&str]) -> Result<Config, Error> {
    let mut config = Config::default();
    pairs.iter().try_for_each(|pair| config.set_pair(pair))?;
    config.finish()?;
    Ok(config)
}

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_key_takes_its_default_its_bounds_and_nothing_beyond() {
    for key in KEYS {
        let default = key.default();
        let mut config = Config::default();
        if !default.is_empty() {
            config.set(key.name, &default).unwrap_or_else(|error| panic!("{}: {error}", key.name));
            assert_eq!(key.default(), default, "{}", key.name);
        }
        for wrong in ["", "x", "-1", "1.5", "_1", "1_", "18446744073709551616"] {
            let name = key.name;
            let needed = match name {
                "http.allowed_origins" | "http.allowed_hosts" => continue,
                "tls.cert" | "tls.key" | "tls.client_ca" if !wrong.is_empty() => continue,
                "tls.cert" | "tls.key" | "tls.client_ca" => "the path of a file",
                "websocket.deflate" => "one of",
                "tls.required" => "`true` or `false`",
                "tls.client_auth" => "`required` or `optional`",
                _ => "whole number",
            };
            let error = config.set(name, wrong).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(needed), "{error}");
        }
        let [section, name] = key.name.split('.').collect::<Vec<_>>()[..] else {
            panic!("{} has a section", key.name);
        };
        assert!(lookup::of_section(section).contains(&name));
        assert!(reference().contains(&format!("`{}`", key.name)));
    }
}

#[test]
fn the_keys_are_those_of_the_specification() {
    let expected = "message_bytes unauthenticated_message_bytes unauthenticated_requests \
        sniff_timeout_ms auth_timeout_ms tls_timeout_ms http_head_timeout_ms message_timeout_ms heartbeat_ms dead_ms \
        messages_per_minute requests_per_second requests_burst ephemeral_per_second \
        connects_per_second_per_ip connects_burst_per_ip connections connections_per_user \
        connections_per_ip channels_per_connection parts_per_message history_page history_bytes \
        channel_idle_ms idle_channels inbox_events inbox_age_ms inbox_sweep_ms inbox_notifications \
        inbox_devices executions_per_team logins_per_minute outbox_bytes outbox_soft_bytes outbox_soft_ms drain_ms";
    assert_eq!(lookup::of_section("limits").join(" "), expected);
    assert_eq!(lookup::of_section("tokens").join(" "), "access_s refresh_s expired_close_ms");
    assert_eq!(lookup::of_section("http"), ["allowed_origins", "allowed_hosts"]);
    assert_eq!(lookup::of_section("tls"), ["cert", "key", "required", "client_ca", "client_auth"]);
    let websocket = ["deflate", "deflate_min_bytes", "deflate_memory_bytes"];
    assert_eq!(lookup::of_section("websocket"), websocket);
}

#[test]
fn compression_is_one_of_three_words() {
    for mode in DeflateMode::ALL {
        let pair = format!("websocket.deflate= {} ", mode.word());
        assert_eq!(set(&[&pair]).unwrap().engine.deflate, mode);
    }
    let error = Config::default().set("websocket.deflate", "Shared").unwrap_err().to_string();
    let expected =
        "websocket.deflate: `Shared` does not fit; one of off, shared, dedicated is needed";
    assert_eq!(error, expected);
    assert_eq!(engine::Config::default().for_one_of(4).deflate_memory_bytes, 16 << 20);
}

#[test]
fn a_value_reaches_every_layer_that_needs_it() {
    let config = set(&[
        "limits.message_bytes=100_000",
        "limits.unauthenticated_message_bytes = 5000",
        "limits.heartbeat_ms=200",
        "limits.dead_ms=700",
        "limits.connections=7",
        "limits.drain_ms=50",
        "limits.messages_per_minute=none",
        "limits.sniff_timeout_ms=9",
        "http.allowed_origins=https://a.example, https://b.example",
    ])
    .unwrap();
    assert_eq!((config.router.message_bytes, config.engine.message_bytes), (100_000, 5000));
    assert_eq!((config.router.heartbeat_ms, config.engine.heartbeat_ms), (200, 200));
    assert_eq!((config.engine.dead_ms, config.net.dead), (700, Duration::from_millis(700)));
    assert_eq!((config.guard.connections, config.net.connections_max), (Some(7), 7));
    assert_eq!(config.net.drain_spread, Duration::from_millis(50));
    assert_eq!(config.net.drain_max, Duration::from_millis(20_050));
    assert_eq!((config.guard.messages_per_minute, config.engine.sniff_timeout_ms), (None, Some(9)));
    assert_eq!(config.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.net.full.code, 4100);
}

#[test]
fn what_nobody_set_follows_and_what_was_set_must_agree() {
    for (pairs, outcome) in [
        (&["limits.outbox_bytes=2048"][..], Ok(())),
        (&["limits.outbox_soft_bytes=4194304"], Ok(())),
        (&["limits.dead_ms=300"], Ok(())),
        (&["limits.heartbeat_ms=60000"], Ok(())),
        (&["limits.message_bytes=1024"], Ok(())),
        (
            &["limits.outbox_bytes=2048", "limits.outbox_soft_bytes=2049"],
            Err("limits.outbox_soft_bytes must be at most limits.outbox_bytes"),
        ),
        (
            &["limits.heartbeat_ms=500", "limits.dead_ms=500"],
            Err("limits.heartbeat_ms must be less than limits.dead_ms"),
        ),
        (
            &["limits.message_bytes=1024", "limits.unauthenticated_message_bytes=1025"],
            Err("limits.unauthenticated_message_bytes must be at most limits.message_bytes"),
        ),
        (
            &["tokens.access_s=10", "tokens.refresh_s=9"],
            Err("tokens.access_s must be at most tokens.refresh_s"),
        ),
    ] {
        let got = set(pairs).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(got, outcome.map_err(str::to_owned), "{pairs:?}");
    }
    let config = set(&["limits.outbox_bytes=2048"]).unwrap();
    assert_eq!(config.engine.outbox_soft_bytes, 2048);
    let config = set(&["limits.message_bytes=4194304"]).unwrap();
    assert_eq!(config.engine.outbox_bytes, 8_388_608);
}

#[test]
fn an_unknown_key_is_told_what_may_have_been_meant() {
    for (pair, says) in [
        (
            "limits.mesage_bytes=1",
            "did you mean `limits.message_bytes`?\n  known in [limits]: message",
        ),
        (
            "limit.message_bytes=1",
            "did you mean `limits.message_bytes`?\n  known sections: limits,",
        ),
        ("message_bytes=1", "did you mean `limits.message_bytes`?"),
        (
            "tokens.acces_s=1",
            "did you mean `tokens.access_s`?\n  known in [tokens]: access_s, refresh_s",
        ),
        ("limits.frobnicate=1", "unknown key `limits.frobnicate`\n  known in [limits]"),
        ("limits.dead_ms", "`limits.dead_ms` is no KEY=VALUE"),
        ("limits.history_page=0", "from 1 to 10000"),
        ("limits.connections=all", "or `none`, is needed"),
    ] {
        let error = set(&[pair]).unwrap_err().to_string();
        assert!(error.contains(says), "{pair}: {error}");
    }
}

#[test]
fn the_environment_sets_what_it_knows_and_warns_of_the_rest() {
    let mut config = Config::default();
    let warnings = config
        .environment(variables(&[
            ("STENTOR_LIMITS_MESSAGE_BYTES", "1000"),
            ("STENTOR_HTTP_ALLOWED_ORIGINS", "https://a.example"),
            ("STENTOR_FROBNICATE", "5"),
            ("LIMITS_DEAD_MS", "5"),
            ("stentor_limits_dead_ms", "5"),
        ]))
        .unwrap();
    assert_eq!(config.router.message_bytes, 1000);
    assert_eq!(config.allowed_origins, ["https://a.example"]);
    assert_eq!(config.engine.dead_ms, engine::Config::default().dead_ms);
    assert_eq!(warnings, ["STENTOR_FROBNICATE is not known and ignored"]);
    for (name, says) in [
        (
            "STENTOR_LIMIT_DEAD_MS",
            "unknown key `STENTOR_LIMIT_DEAD_MS`; did you mean `limits.dead_ms`?",
        ),
        ("STENTOR_LIMITS_FROBNICATE", "unknown key `STENTOR_LIMITS_FROBNICATE`"),
    ] {
        let wrong = config.environment(variables(&[(name, "5")])).unwrap_err().to_string();
        assert!(wrong.starts_with(says), "{wrong}");
    }
    let wrong = config.environment(variables(&[("STENTOR_LIMITS_DEAD_MS", "soon")]));
    assert!(wrong.unwrap_err().to_string().contains("limits.dead_ms: `soon` does not fit"));
}

#[test]
fn without_limits_rates_and_counts_go_and_sizes_and_queues_stay() {
    let mut config = set(&["limits.message_bytes=1000", "limits.connections=5"]).unwrap();
    config.lift_limits();
    config.finish().unwrap();
    assert_eq!(config.guard, guard::Config::unlimited());
    assert_eq!(config.router.unauthenticated_requests, None);
    assert_eq!(config.net.connections_max, usize::MAX);
    let defaults = Config::default();
    assert_eq!(config.router.message_bytes, 1000);
    assert_eq!(config.router.channels_per_connection, defaults.router.channels_per_connection);
    assert_eq!(config.engine.outbox_bytes, defaults.engine.outbox_bytes);
    assert_eq!(config.engine.parts_per_message, defaults.engine.parts_per_message);
}

#[cfg(feature = "toml")]
mod from_file {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        config.read_text(Path::new("a.toml"), text).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn sections_dotted_keys_lists_and_hexadecimal() {
        let config = read(
            "tokens.access_s = 60\n[limits]\nmessage_bytes = 0x1_0000\nlogins_per_minute = \"none\"\n\
             [http]\nallowed_origins = [\"https://a.example\"] # ours\n",
        )
        .unwrap();
        assert_eq!((config.auth.access_s, config.router.message_bytes), (60, 65536));
        assert_eq!(config.guard.logins_per_minute, None);
        assert_eq!(config.allowed_origins, ["https://a.example"]);
        assert!(read("").is_ok());
    }

    #[test]
    fn file_then_environment_then_flags() {
        let mut config =
            read("[limits]\nmessage_bytes = 1000\ndead_ms = 1000\nhistory_page = 10").unwrap();
        let env = [("STENTOR_LIMITS_DEAD_MS", "2000"), ("STENTOR_LIMITS_HISTORY_PAGE", "20")];
        config.environment(variables(&env)).unwrap();
        config.set_pair("limits.history_page=30").unwrap();
        config.finish().unwrap();
        assert_eq!(config.router.message_bytes, 1000);
        assert_eq!(config.engine.dead_ms, 2000);
        assert_eq!(config.router.history_page, 30);
    }

    #[test]
    fn a_complaint_shows_the_place() {
        for (text, complaint) in [
            (
                "[limits]\n# é\nmesage_bytes = 5\n",
                "a.toml:3:1: unknown key `limits.mesage_bytes`; did you mean `limits.message_bytes`?",
            ),
            ("[limits]\nmesage_bytes = 5\n", "\n  2 | mesage_bytes = 5\n    | ^^^^^^^^^^^^"),
            (
                "[limits]\ndead_ms = \"é soon\"",
                "a.toml:2:11: limits.dead_ms: `é soon` does not fit; a whole number from 2 to",
            ),
            (
                "[limits]\ndead_ms = \"é soon\"",
                "\n  2 | dead_ms = \"é soon\"\n    |           ^^^^^^^^",
            ),
            ("[limits]\ndead_ms = -5", "`-5` does not fit"),
            ("[limits]\ndead_ms = true", "`true` does not fit"),
            ("[limits]\ndead_ms = [\"1\"]", "`[1]` does not fit"),
            (
                "[limit]\n",
                "a.toml:1:2: unknown section [limit]; did you mean [limits]?\n  1 | [limit]\n    |  ^^^^^\n  known sections: limits,",
            ),
            ("dead_ms = 5", "a.toml:1:1: unknown key `dead_ms`; did you mean `limits.dead_ms`?"),
            ("[limits]\ndead_ms = ", "a.toml:2:"),
            ("[limits]\ndead_ms = 5\ndead_ms = 6", "duplicate key"),
            ("a = 'é", "a.toml:1:"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
            let (what, shown) = error.split_once("\n  ").unwrap();
            assert!(!what.is_empty() && shown.contains('^'), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::default().read_file(Path::new("/nowhere/a.toml")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/a.toml: "), "{error}");
    }
}

#[test]
fn tls_is_configured_as_a_whole_or_not_at_all() {
    for (pairs, complaint) in [
        (&["tls.cert=a.pem"][..], "tls.cert and tls.key go together"),
        (&["tls.key=a.pem"], "tls.cert and tls.key go together"),
        (&["tls.client_ca=a.pem"], "tls.client_ca needs tls.cert"),
        (&["tls.cert=a", "tls.key=b", "tls.client_auth=optional"], "tls.client_auth needs"),
        (&["tls.required=true"], "tls.required needs tls.cert"),
    ] {
        let error = set(pairs).unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{error}");
    }
    let all = set(&[
        "tls.cert=cert.pem",
        "tls.key=/etc/key.pem",
        "tls.client_ca=ca.pem",
        "tls.client_auth=optional",
        "tls.required=true",
        "limits.tls_timeout_ms=7",
    ]);
    let config = all.unwrap();
    assert_eq!(config.tls.cert.as_deref(), Some(std::path::Path::new("cert.pem")));
    assert_eq!(config.tls.client_auth, "optional");
    assert!(config.engine.tls_required && config.engine.tls_timeout_ms == 7);
}
