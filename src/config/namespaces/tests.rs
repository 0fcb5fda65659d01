//! Namespaces from flags, files and the environment, and what is refused of them.

use super::*;

fn set(pairs: &[&str]) -> Result<Policies, String> {
    let mut config = Config::default();
    let all = pairs.iter().try_for_each(|pair| config.set_pair(pair));
    all.and_then(|()| config.finish()).map_err(|error| error.to_string())?;
    Ok(config.router.policies)
}

#[test]
fn a_namespace_is_as_open_as_public_unless_said() {
    let policies = set(&["namespaces.game.queue=latest"]).unwrap();
    let game = policies.of("game").unwrap();
    assert_eq!(*game, Policy { queue: Queue::Latest, ..Policy::OPEN });
    assert_eq!(policies.of("other"), None);
    let all = set(&[
        "namespaces.a.b.subscribe=service",
        "namespaces.a.b.publish=admin",
        "namespaces.a.b.durable=true",
        "namespaces.a.b.history_messages=1_000",
        "namespaces.a.b.presence=count",
        "namespaces.a.b.queue=drop_oldest",
    ]);
    let expected = Policy {
        subscribe: Right::Service,
        publish: Right::Admin,
        durable: true,
        history_messages: Some(1000),
        history_seconds: None,
        presence: Presence::Count,
        queue: Queue::DropOldest,
    };
    assert_eq!(all.unwrap().of("a.b"), Some(&expected));
}

#[test]
fn what_is_always_there_keeps_what_nobody_set() {
    let policies = set(&[
        "namespaces.public.history_seconds=0",
        "namespaces.room.presence=list",
        "namespaces.team.subscribe=user",
    ]);
    let policies = policies.unwrap();
    let public = Policy { history_seconds: Some(0), ..Policy::OPEN };
    assert_eq!(policies.of("public"), Some(&public));
    assert_eq!(policies.of("room").unwrap().subscribe, Right::Member);
    assert_eq!(policies.of("room").unwrap().presence, Presence::List);
    let team = policies.of("team").unwrap();
    assert_eq!((team.subscribe, team.publish), (Right::User, Right::Service));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (pair, says) in [
        ("namespaces.game.durabel=true", "did you mean `namespaces.game.durable`?"),
        ("namespaces.game.durabel=true", "known in [namespaces.NAME]: subscribe, publish, durable"),
        ("namespaces.game.x=true", "unknown key `namespaces.game.x`\n  known in [namespaces.NAME]"),
        ("namespaces.game=true", "unknown key `namespaces.game`"),
        ("namespace.game.durable=true", "did you mean `namespaces.game.durable`?"),
        ("namespaces.game.subscribe=User", "one of user, member, service, admin, nobody is needed"),
        ("namespaces.game.durable=yes", "`yes` does not fit; `true` or `false` is needed"),
        ("namespaces.game.history_messages=-1", "or `none`, is needed"),
        ("namespaces.game.queue=drop", "one of kick, drop_oldest, drop_newest, latest is needed"),
        ("namespaces.a b.queue=kick", "`a b` does not fit; a name of 1 to 64"),
        ("namespaces.game.subscribe=member", "`member` needs members"),
        ("namespaces.public.publish=member", "`member` needs members"),
        ("namespaces.room.durable=false", "only `presence` and `queue` can"),
        ("namespaces.game.history_messages=none", "`none` is for durable namespaces"),
    ] {
        let error = set(&[pair]).unwrap_err();
        assert!(error.contains(says), "{pair}: {error}");
    }
    let pairs = ["namespaces.game.durable=true", "namespaces.game.history_seconds=0"];
    assert!(set(&pairs).unwrap_err().contains("what is durable is kept"));
}

#[test]
fn variables_name_namespaces_in_small_letters() {
    let mut config = Config::default();
    let variable = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    let set = config.environment(variable("STENTOR_NAMESPACES_MY_GAME_HISTORY_MESSAGES", "7"));
    assert_eq!(set.unwrap(), Vec::<String>::new());
    config.finish().unwrap();
    assert_eq!(config.router.policies.of("my_game").unwrap().history_messages, Some(7));
    for (name, says) in [
        ("STENTOR_NAMESPACES_GAME_DURABEL", "did you mean `namespaces.game.durable`?"),
        ("STENTOR_NAMESPACES_GAME", "unknown key `STENTOR_NAMESPACES_GAME`"),
        ("STENTOR_NAMESPACE_GAME_DURABLE", "is not known"),
    ] {
        let told = match config.environment(variable(name, "true")) {
            Ok(warnings) => warnings.concat(),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(says), "{name}: {told}");
    }
}

#[cfg(feature = "toml")]
#[test]
fn a_file_has_a_section_for_each() {
    let read = |text: &str| {
        let mut config = Config::default();
        config
            .read_text(std::path::Path::new("a.toml"), text)
            .map_err(|error| error.to_string())?;
        config.finish().map_err(|error| error.to_string())?;
        Ok::<_, String>(config.router.policies)
    };
    let text = "[namespaces.game]\ndurable = true\nhistory_messages = 0x10\n\
        [namespaces.\"a.b\"]\nqueue = \"latest\"\n[namespaces]\npublic.publish = \"service\"\n";
    let policies = read(text).unwrap();
    assert_eq!(policies.of("game").unwrap().history_messages, Some(16));
    assert_eq!(policies.of("a.b").unwrap().queue, Queue::Latest);
    assert_eq!(policies.of("public").unwrap().publish, Right::Service);
    for (text, says) in [
        ("[namespaces.game]\ndurabel = true", "a.toml:2:1: unknown key `namespaces.game.durabel`"),
        ("[namespaces.game]\ndurable = 5", "a.toml:2:11: namespaces.game.durable: `5` does not"),
        ("[namespaces]\ngame = 5", "a.toml:2:1: a namespace is a section: [namespaces.game]"),
        (
            "[namespace.game]\n",
            "a.toml:1:2: unknown section [namespace]; did you mean [namespaces]?",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}
