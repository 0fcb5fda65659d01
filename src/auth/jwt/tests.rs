//! Tokens, good and bad: RFC 7515 vectors, and every way that verifiers have been fooled.

use super::*;
use crate::auth::{Role, no_teams};
use crate::base::id::{Id, UserId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const T: u64 = 1_700_000_000;

fn at(unix_s: u64) -> Now {
    Now { monotonic: Duration::ZERO, unix_ms: unix_s * 1000 }
}

fn jwt(foreign: Vec<Key>) -> Jwt {
    Jwt::new(&OwnKey::new([7; 32]), foreign).unwrap()
}

fn claims() -> Claims {
    Claims {
        sub: UserId::parse("018bcfe5-687b-7fff-8000-000000000000").unwrap(),
        sid: Some(Id::new(1, &[1; 10])),
        jti: Some(Id::new(2, &[2; 10])),
        iat: Some(T),
        exp: T + 900,
        role: Role::Service,
        name: Some("ann".into()),
        teams: Arc::from(["blue".to_owned()]),
    }
}

/// A token of any header and payload, signed with our own key.
fn signed(header: &Value, payload: &str) -> String {
    let message = [header.to_string().as_str(), payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = message.join(".");
    let key = EncodingKey::from_secret(&[7; 32]);
    let signature = crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn verify_payload(payload: &str) -> Result<Claims, TokenError> {
    jwt(vec![]).verify(at(T), &signed(&json!({"alg": "HS256", "kid": "stentor"}), payload))
}

fn is_invalid<T: fmt::Debug>(result: Result<T, TokenError>, reason: &str) {
    match result {
        Err(TokenError::Invalid(why)) if why.contains(reason) => {}
        other => panic!("expected invalid for `{reason}`, got {other:?}"),
    }
}

#[test]
fn what_is_issued_reads_back() {
    let (jwt, mut claims) = (jwt(vec![]), claims());
    for _ in 0..2 {
        let token = jwt.issue(&claims).unwrap();
        assert_eq!(jwt.verify(at(T), &token).as_ref(), Ok(&claims));
        claims =
            Claims { sid: None, jti: None, iat: None, name: None, teams: no_teams(), ..claims };
    }
    claims.teams = (0..300).map(|team| format!("team-{team:08}")).collect();
    is_invalid(jwt.issue(&claims), "4096");
    let other = Jwt::new(&OwnKey::new([8; 32]), vec![]).unwrap();
    is_invalid(other.verify(at(T), &jwt.issue(&self::claims()).unwrap()), "signature");
}

#[test]
fn times_have_thirty_seconds_of_leeway() {
    let jwt = jwt(vec![]);
    let token = jwt.issue(&claims()).unwrap();
    for (now, expected) in [
        (T - 31, Err(TokenError::Invalid("iat lies in the future"))),
        (T - 30, Ok(())),
        (T + 929, Ok(())),
        (T + 930, Err(TokenError::Expired)),
        (u64::MAX / 1000, Err(TokenError::Expired)),
    ] {
        assert_eq!(jwt.verify(at(now), &token).map(|_| ()), expected, "{now}");
    }
    let with_nbf =
        |nbf: u64| verify_payload(&format!(r#"{{"sub":"a","exp":{},"nbf":{nbf}}}"#, T + 9));
    assert!(with_nbf(T + 30).is_ok());
    is_invalid(with_nbf(T + 31), "nbf");
}

#[test]
fn a_claim_of_the_wrong_type_is_an_error_and_not_an_absence() {
    let good = json!({"sub": "a", "exp": T + 9, "unknown": {"x": [1]}});
    assert_eq!(verify_payload(&good.to_string()).unwrap().role, Role::User);
    for (claim, values) in [
        ("exp", r#""999" null 1e300 -1 -1.5 true [] {} 9007199254740993 1e16"#),
        ("nbf", r#""x" null 1e300 -1 false []"#),
        ("iat", r#""x" null 1e300 -1 false []"#),
        ("sub", r#"null 1 "" "a/b" "é" []"#),
        ("sid", r#"null 1 "x" []"#),
        ("jti", r#"null 1 "x" []"#),
        ("role", r#"null 1 "root" "Admin" ["admin"]"#),
        ("name", r#"null 1 []"#),
        ("teams", r#"null "blue" [1] [null] {}"#),
        ("iss", r#"null 1"#),
        ("aud", r#"null 1 [1]"#),
    ] {
        for value in values.split(' ') {
            let mut payload = good.clone();
            payload[claim] = serde_json::from_str(value).unwrap();
            let result = verify_payload(&payload.to_string());
            assert!(matches!(result, Err(TokenError::Invalid(_))), "{claim}: {value}: {result:?}");
        }
    }
    for payload in [
        r#"{"sub":"a"}"#,
        r#"{"exp":1700000009}"#,
        r#"{"sub":"a","exp":1700000009,"exp":1800000000}"#,
        r#"["a",1700000009]"#,
        r#"{"sub":"a","exp":1700000009} x"#,
        "",
        "null",
    ] {
        is_invalid(verify_payload(payload), "");
    }
    let long = "x".repeat(65);
    assert!(verify_payload(&json!({"sub": "a".repeat(64), "exp": T}).to_string()).is_ok());
    is_invalid(verify_payload(&json!({"sub": long, "exp": T}).to_string()), "sub");
    let fraction = verify_payload(r#"{"sub":"a","exp":1700000009.75,"name":"a\u202eb"}"#).unwrap();
    assert_eq!((fraction.exp, fraction.name), (1_700_000_009, None));
}

#[test]
fn the_token_does_not_choose_its_algorithm() {
    let payload = json!({"sub": "a", "exp": T + 9}).to_string();
    for alg in ["none", "None", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256"] {
        let token = signed(&json!({"alg": alg, "kid": "stentor"}), &payload);
        is_invalid(jwt(vec![]).verify(at(T), &token), "alg");
        let unsigned = &token[..=token.rfind('.').unwrap()];
        is_invalid(jwt(vec![]).verify(at(T), unsigned), "alg");
    }
    // Signed by HMAC with the public key as the secret.
    let public = include_bytes!("../../../tests/keys/rsa.pub.pem");
    let foreign = jwt(vec![Key::new(Algorithm::Rs256, public).unwrap()]);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&payload));
    for secret in [public.as_slice(), public.trim_ascii_end()] {
        let key = EncodingKey::from_secret(secret);
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        is_invalid(foreign.verify(at(T), &format!("{message}.{signature}")), "alg");
    }
}

#[test]
fn headers_that_ask_for_more_than_a_key_get_nothing() {
    let payload = json!({"sub": "a", "exp": T + 9}).to_string();
    let verify = |header: Value| jwt(vec![]).verify(at(T), &signed(&header, &payload));
    assert!(verify(json!({"alg": "HS256"})).is_ok(), "the only key needs no kid");
    let ignored = json!({"alg": "HS256", "kid": "stentor", "jku": "http://127.0.0.1/", "x5u": 1,
        "jwk": {"kty": "oct", "k": "AAAA"}, "typ": "JWT"});
    assert!(verify(ignored).is_ok());
    for (header, reason) in [
        (json!({"alg": "HS256", "crit": ["b64"], "b64": false}), "crit"),
        (json!({"alg": "HS256", "crit": []}), "crit"),
        (json!({"alg": "HS256", "crit": null}), "crit"),
        (json!({"alg": "HS256", "kid": "../../x"}), "kid"),
        (json!({"alg": "HS256", "kid": "x".repeat(65)}), "64"),
        (json!({"alg": "HS256", "kid": null}), "header"),
        (json!({"alg": ["HS256"]}), "header"),
        (json!({"typ": "JWT"}), "header"),
        (json!(["HS256"]), "header"),
    ] {
        is_invalid(verify(header), reason);
    }
}

#[test]
fn what_is_not_a_token_is_refused_without_a_panic() {
    let jwt = jwt(vec![]);
    let token = jwt.issue(&claims()).unwrap();
    for wrong in ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "\0.\0.\0"] {
        is_invalid(jwt.verify(at(T), wrong), "");
    }
    for wrong in [format!("{token}."), format!(".{token}"), format!("{token}="), token.repeat(30)] {
        is_invalid(jwt.verify(at(T), &wrong), "");
    }
    for length in 0..token.len() {
        is_invalid(jwt.verify(at(T), &token[..length]), "");
    }
    for place in 0..token.len() {
        for other in ["A", "_", "!", "."] {
            let mut damaged = token.clone();
            damaged.replace_range(place..=place, other);
            assert!(damaged == token || jwt.verify(at(T), &damaged).is_err(), "{damaged}");
        }
    }
}

#[test]
fn keys_of_a_backend_verify_with_their_own_algorithm_only() {
    let keys: [(Algorithm, &[u8], EncodingKey); 6] = [
        (Algorithm::Hs256, &[1; 32], EncodingKey::from_secret(&[1; 32])),
        (Algorithm::Hs384, &[2; 48], EncodingKey::from_secret(&[2; 48])),
        (Algorithm::Hs512, &[3; 64], EncodingKey::from_secret(&[3; 64])),
        (
            Algorithm::Rs256,
            include_bytes!("../../../tests/keys/rsa.pub.pem"),
            EncodingKey::from_rsa_pem(include_bytes!("../../../tests/keys/rsa.pem")).unwrap(),
        ),
        (
            Algorithm::Es256,
            include_bytes!("../../../tests/keys/ec.pub.pem"),
            EncodingKey::from_ec_pem(include_bytes!("../../../tests/keys/ec.pem")).unwrap(),
        ),
        (
            Algorithm::EdDsa,
            include_bytes!("../../../tests/keys/ed.pub.pem"),
            EncodingKey::from_ed_pem(include_bytes!("../../../tests/keys/ed.pem")).unwrap(),
        ),
    ];
    let all = keys.each_ref().map(|(algorithm, material, _)| {
        Key::new(*algorithm, material).unwrap().with_kid(algorithm.as_str())
    });
    let all = jwt(all.to_vec());
    for (algorithm, material, encoding) in &keys {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(*algorithm));
        let header = json!({"alg": algorithm.as_str(), "kid": algorithm.as_str()}).to_string();
        let payload = json!({"sub": "u-1", "exp": T + 9, "sid": "s", "jti": "t1"}).to_string();
        let message = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = crypto::sign(message.as_bytes(), encoding, algorithm.library()).unwrap();
        let token = format!("{message}.{signature}");
        let one = jwt(vec![Key::new(*algorithm, material).unwrap()]);
        for verifier in [&all, &one] {
            let claims = verifier.verify(at(T), &token).unwrap();
            assert_eq!((claims.sub.as_str(), claims.sid), ("u-1", None));
            assert!(claims.jti.is_some(), "a jti that is no UUID still has an id");
        }
        for cut in [0, 1, signature.len() / 2, signature.len() - 2] {
            let cut = format!("{message}.{}", &signature[..cut]);
            is_invalid(all.verify(at(T), &cut), "signature");
        }
        let claim_other = message.replace('.', "A.");
        is_invalid(all.verify(at(T), &format!("{claim_other}.{signature}")), "");
    }
    let own = all.issue(&claims()).unwrap();
    assert_eq!(all.verify(at(T), &own), Ok(claims()), "ours is known by its kid");
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_configured() {
    let key = Key::new(Algorithm::Hs256, &[7; 32]).unwrap();
    let strict = jwt(vec![key.clone().with_issuer("https://app").with_audience("chat")]);
    let lax = jwt(vec![key]);
    for (iss, aud, good) in [
        (json!("https://app"), json!("chat"), true),
        (json!("https://app"), json!(["x", "chat"]), true),
        (json!("https://app/"), json!("chat"), false),
        (json!("https://app"), json!("chats"), false),
        (json!("https://app"), json!([]), false),
    ] {
        let payload = json!({"sub": "a", "exp": T, "iss": iss, "aud": aud}).to_string();
        let token = signed(&json!({"alg": "HS256"}), &payload);
        assert_eq!(strict.verify(at(T), &token).is_ok(), good, "{payload}");
        assert!(lax.verify(at(T), &token).is_ok(), "{payload}");
    }
    let bare = signed(&json!({"alg": "HS256"}), &json!({"sub": "a", "exp": T}).to_string());
    is_invalid(strict.verify(at(T), &bare), "iss");
    let jti = |iss: &str| {
        let payload = json!({"sub": "a", "exp": T, "iss": iss, "jti": "1"}).to_string();
        lax.verify(at(T), &signed(&json!({"alg": "HS256"}), &payload)).unwrap().jti.unwrap()
    };
    assert!(jti("a") == jti("a") && jti("a") != jti("b"));
}

#[test]
fn rfc_7515_a_1_and_a_3_have_good_signatures() {
    // The payload of both has no `sub`, so the signature is all that can be good of them.
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let hmac = Key::new(Algorithm::Hs256, &URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
    let (x, y) = (
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    );
    let decoding = DecodingKey::from_ec_components(x, y).unwrap();
    let ec = Key { algorithm: Algorithm::Es256, decoding, ..hmac.clone() };
    for (key, header, signature) in [
        (
            hmac,
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            ec,
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let jwt = jwt(vec![key]);
        is_invalid(
            jwt.verify(at(T), &format!("{header}.{PAYLOAD}.{signature}")),
            "claim is missing",
        );
        let damaged = format!("A{}", &signature[1..]);
        is_invalid(jwt.verify(at(T), &format!("{header}.{PAYLOAD}.{damaged}")), "signature");
    }
}

#[test]
fn keys_that_would_be_unsafe_are_refused() {
    let public = include_bytes!("../../../tests/keys/ec.pub.pem");
    let private = include_bytes!("../../../tests/keys/rsa.pem");
    let refused =
        |algorithm, material: &[u8]| Key::new(algorithm, material).unwrap_err().to_string();
    assert!(refused(Algorithm::Hs256, public).contains("PEM"));
    assert!(refused(Algorithm::Hs256, &[1; 31]).contains("shorter"));
    assert!(refused(Algorithm::Hs512, &[1; 63]).contains("shorter"));
    assert!(refused(Algorithm::Rs256, private).contains("private"));
    for wrong in [public.as_slice(), b"", b"-----BEGIN PUBLIC KEY-----", &[0; 33]] {
        assert!(refused(Algorithm::Rs256, wrong).contains("not a public key"));
    }
    let key = || Key::new(Algorithm::Hs256, &[1; 32]).unwrap();
    for keys in [
        vec![key(), key()],
        vec![key().with_kid("a"), key().with_kid("a").with_issuer("other")],
        vec![key().with_kid("stentor")],
        vec![key().with_kid("")],
        vec![key().with_kid("x".repeat(65))],
    ] {
        assert!(Jwt::new(&OwnKey::new([0; 32]), keys).is_err());
    }
    let shown = format!("{:?}", jwt(vec![key()]));
    assert!(!shown.contains("1, 1, 1") && !shown.contains("7, 7, 7"), "{shown}");
}
