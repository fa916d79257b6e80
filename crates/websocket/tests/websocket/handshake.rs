//! Requests and responses of the opening handshake.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use sockeye_websocket::handshake::{
    HandshakeError, accept, accept_key, generate_key, is_upgrade, verify,
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const REQUEST: &[(&str, &str)] = &[
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY),
];

const RESPONSE: &[(&str, &str)] =
    &[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", ACCEPT)];

/// `base`, where the headers named in `changes` have those values instead, which may be none.
fn headers(
    base: &[(&'static str, &'static str)],
    changes: &[(&str, &[&'static str])],
) -> HeaderMap {
    let mut headers: HeaderMap = base
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    for (name, values) in changes {
        headers.remove(*name);
        for value in *values {
            let name: HeaderName = name.parse().expect("the test uses valid names");
            headers.append(name, HeaderValue::from_static(value));
        }
    }
    headers
}

fn accept_changed(changes: &[(&str, &[&'static str])]) -> Result<HeaderValue, HandshakeError> {
    accept(&Method::GET, Version::HTTP_11, &headers(REQUEST, changes))
}

fn verify_changed(changes: &[(&str, &[&'static str])]) -> Result<(), HandshakeError> {
    let key = HeaderValue::from_static(KEY);
    verify(&key, StatusCode::SWITCHING_PROTOCOLS, &headers(RESPONSE, changes))
}

#[test]
fn the_example_of_the_rfc_is_accepted_and_verified() {
    assert_eq!(generate_key(*b"the sample nonce"), KEY);
    assert_eq!(accept_key(KEY.as_bytes()), ACCEPT);
    assert_eq!(accept_changed(&[]), Ok(HeaderValue::from_static(ACCEPT)));
    assert_eq!(verify_changed(&[]), Ok(()));
}

#[test]
fn tokens_may_stand_anywhere_in_a_list_and_in_any_case() {
    let tables: [(&str, &[&'static str]); 5] = [
        ("connection", &["keep-alive, Upgrade"]),
        ("connection", &["keep-alive", "UPGRADE"]),
        ("connection", &[",,\tupgrade ,"]),
        ("upgrade", &["WebSocket"]),
        ("upgrade", &["h2c, websocket"]),
    ];
    for change in tables {
        assert!(accept_changed(&[change]).is_ok(), "{change:?}");
        assert!(verify_changed(&[change]).is_ok(), "{change:?}");
    }
}

#[test]
fn bad_requests_are_refused() {
    use HandshakeError::{Connection, Key, Upgrade, WebSocketVersion};
    let table: &[(&str, &[&'static str], HandshakeError, u16)] = &[
        ("connection", &[], Connection, 400),
        ("connection", &[""], Connection, 400),
        ("connection", &["close"], Connection, 400),
        ("connection", &["upgrades"], Connection, 400),
        ("connection", &["keep-alive upgrade"], Connection, 400),
        ("upgrade", &[], Upgrade, 400),
        ("upgrade", &["h2c"], Upgrade, 400),
        ("upgrade", &["websocket/13"], Upgrade, 400),
        ("sec-websocket-version", &[], WebSocketVersion, 426),
        ("sec-websocket-version", &["8"], WebSocketVersion, 426),
        ("sec-websocket-version", &["13, 8"], WebSocketVersion, 426),
        ("sec-websocket-version", &["13", "13"], WebSocketVersion, 426),
        ("sec-websocket-key", &[], Key, 400),
        ("sec-websocket-key", &[""], Key, 400),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], Key, 400),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ="], Key, 400),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZSE="], Key, 400), // 17 bytes
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25j"], Key, 400),     // 15 bytes
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25j_Q=="], Key, 400), // base64url
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ==", KEY], Key, 400),
    ];
    for &(name, values, error, status) in table {
        assert_eq!(accept_changed(&[(name, values)]), Err(error), "{name}: {values:?}");
        assert_eq!(error.status().as_u16(), status, "{error}");
    }
}

#[test]
fn only_a_get_of_http_1_1_can_be_upgraded() {
    let request = headers(REQUEST, &[]);
    let post = accept(&Method::POST, Version::HTTP_11, &request);
    assert_eq!(post, Err(HandshakeError::Method));
    assert_eq!(HandshakeError::Method.status().as_u16(), 405);
    for version in [Version::HTTP_10, Version::HTTP_2, Version::HTTP_3] {
        let other = accept(&Method::GET, version, &request);
        assert_eq!(other, Err(HandshakeError::HttpVersion));
    }
    assert_eq!(HandshakeError::HttpVersion.status().as_u16(), 400);
}

#[test]
fn keys_of_random_digits_are_accepted() {
    // The last digit `R` has bits that 16 bytes do not fill.
    assert!(accept_changed(&[("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZR=="])]).is_ok());
}

#[test]
fn bad_responses_are_refused() {
    use HandshakeError::{Accept, Connection, Extensions, Upgrade};
    let table: &[(&str, &[&'static str], HandshakeError)] = &[
        ("connection", &[], Connection),
        ("connection", &["close"], Connection),
        ("upgrade", &[], Upgrade),
        ("upgrade", &["h2c"], Upgrade),
        ("sec-websocket-accept", &[], Accept),
        ("sec-websocket-accept", &["S3pPLMBiTxaQ9kYGzzhZRbK+xOo="], Accept),
        ("sec-websocket-accept", &[ACCEPT, ACCEPT], Accept),
        ("sec-websocket-extensions", &["permessage-deflate"], Extensions),
    ];
    for &(name, values, error) in table {
        assert_eq!(verify_changed(&[(name, values)]), Err(error), "{name}: {values:?}");
    }
    let refused = verify(&HeaderValue::from_static(KEY), StatusCode::OK, &headers(RESPONSE, &[]));
    assert_eq!(refused, Err(HandshakeError::Status(200)));
    assert_eq!(HandshakeError::Status(200).to_string(), "response status is 200, not 101");
}

#[test]
fn a_request_with_an_upgrade_header_asks_for_a_websocket() {
    assert!(is_upgrade(&headers(REQUEST, &[])));
    assert!(is_upgrade(&headers(REQUEST, &[("sec-websocket-key", &[])])));
    assert!(!is_upgrade(&headers(REQUEST, &[("upgrade", &["h2c"])])));
    assert!(!is_upgrade(&HeaderMap::new()));
}
