//! `stentor token`: tokens for services, tests and administrators, without asking the server.

use stentor::auth::jwt::{Jwt, OwnKey};
use stentor::auth::key_file::random_bytes;
use stentor::auth::names::valid_name;
use stentor::auth::{Claims, Tokens};
use stentor::base::id::{Id, UserId};
use stentor::base::now::Now;
use stentor::base::time::Timestamp;
use stentor::net::Clock;

use super::Failure;
use super::arguments::TokenArguments;
use super::output::tell;

/// Prints the tokens, each as the last word of its line.
pub(super) fn token(arguments: &TokenArguments) -> Result<(), Failure> {
    let jwt = Jwt::new(&OwnKey::load_or_create(&arguments.data)?, Vec::new())?;
    let now = Clock::start().now();
    for number in 1..=arguments.count.unwrap_or(1) {
        tell(&line(arguments, &jwt, now, number)?)?;
    }
    Ok(())
}

fn line(arguments: &TokenArguments, jwt: &Jwt, now: Now, number: u32) -> Result<String, Failure> {
    let numbered = |text: &str| match arguments.count {
        None => text.to_owned(),
        Some(_) => format!("{text}-{number}"),
    };
    let sub = numbered(&arguments.sub);
    let sub = UserId::parse(&sub)
        .ok_or_else(|| Failure(format!("--sub `{sub}` has not 1 to 64 of A-Z a-z 0-9 . _ -")))?;
    let name = arguments.name.as_deref().map(numbered);
    if let Some(name) = name.as_deref().filter(|name| !valid_name(name)) {
        return Err(Failure(format!(
            "--name `{name}` has not 1 to 64 characters without controls"
        )));
    }
    let exp = now.unix_s().saturating_add(arguments.ttl.as_secs());
    let claims = Claims {
        sub,
        sid: None,
        jti: Some(Id::new(now.unix_ms, &random_bytes()?)),
        iat: Some(now.unix_s()),
        exp,
        role: arguments.role.into(),
        name: name.map(Into::into),
        teams: arguments.teams.clone().into(),
    };
    let token = jwt.issue(&claims)?;
    let (sub, role) = (&claims.sub, claims.role.as_str());
    Ok(format!("{sub} {role} until {} {token}", Timestamp(exp.saturating_mul(1000))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Arguments, Command};
    use clap::Parser;
    use stentor::auth::Role;

    fn parse(line: &str) -> TokenArguments {
        match Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.command) {
            Ok(Some(Command::Token(token))) => token,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_last_word_is_a_token_that_says_what_was_asked() {
        let jwt = Jwt::new(&OwnKey::random().unwrap(), Vec::new()).unwrap();
        let now = Clock::start().now();
        let arguments =
            parse("stentor token --sub bot --role service --team a --team b --name Bot --ttl 90s");
        let line = line(&arguments, &jwt, now, 1).unwrap();
        assert!(line.starts_with("bot service until "), "{line}");
        let claims = jwt.verify(now, line.rsplit(' ').next().unwrap()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.role), ("bot", Role::Service));
        assert_eq!(claims.exp, now.unix_s() + 90);
        assert_eq!(
            (claims.name.as_deref(), &claims.teams[..]),
            (Some("Bot"), &["a", "b"].map(String::from)[..])
        );
        assert_eq!(claims.sid, None);
    }

    #[test]
    fn several_are_numbered_and_a_bad_id_or_name_is_refused() {
        let jwt = Jwt::new(&OwnKey::random().unwrap(), Vec::new()).unwrap();
        let now = Clock::start().now();
        let several = parse("stentor token --sub u --role user --count 2 --name n");
        for number in [1, 2] {
            let line = line(&several, &jwt, now, number).unwrap();
            assert!(line.starts_with(&format!("u-{number} user ")), "{line}");
            let claims = jwt.verify(now, line.rsplit(' ').next().unwrap()).unwrap();
            assert_eq!(claims.name.as_deref(), Some(format!("n-{number}").as_str()));
        }
        for wrong in [
            "stentor token --sub a/b --role user",
            "stentor token --sub a --role user --name \u{7}",
        ] {
            assert!(line(&parse(wrong), &jwt, now, 1).is_err(), "{wrong}");
        }
    }
}
