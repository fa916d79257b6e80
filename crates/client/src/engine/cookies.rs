//! The cookies of one server, kept because load balancers tell clients apart by them.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::SET_COOKIE};

/// How many cookies are kept.
const MAX_COOKIES: usize = 100;

/// Bytes of the longest cookie that is kept, its name included; browsers keep no longer ones.
const MAX_COOKIE_BYTES: usize = 4096;

/// Names and values. All requests go to one path of one server, so attributes that say where a
/// cookie belongs do not matter.
#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    expires_at: Option<SystemTime>,
}

impl Jar {
    /// Keeps what an answer sets.
    pub(super) fn keep(&mut self, headers: &HeaderMap) {
        let now = SystemTime::now();
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().ok().and_then(|text| Cookie::parse(text, now));
            let Some(cookie) = cookie else { continue };
            self.0.retain(|kept| kept.name != cookie.name);
            if !cookie.is_over(now) && self.0.len() < MAX_COOKIES {
                self.0.push(cookie);
            }
        }
    }

    /// The value of the header `Cookie`: `a=1; b=2`.
    pub(super) fn header(&mut self) -> Option<String> {
        let now = SystemTime::now();
        self.0.retain(|cookie| !cookie.is_over(now));
        let pairs: Vec<_> = self.0.iter().map(|c| format!("{}={}", c.name, c.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    /// Reads `name=value; Max-Age=86400; …`. `Max-Age` counts more than `Expires`.
    fn parse(text: &str, now: SystemTime) -> Option<Self> {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
            return None;
        }
        let (mut max_age, mut expires) = (None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "max-age" => max_age = value.trim().parse::<i64>().ok(),
                "expires" => expires = httpdate::parse_http_date(value.trim()).ok(),
                _ => (),
            }
        }
        let expires_at = match max_age {
            Some(seconds) => {
                let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                now.checked_add(seconds)
            }
            None => expires,
        };
        Some(Self { name: name.to_owned(), value: value.to_owned(), expires_at })
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(cookies: &[&str]) -> Jar {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie.parse().unwrap());
        }
        let mut jar = Jar::default();
        jar.keep(&headers);
        jar
    }

    #[test]
    fn cookies_are_kept_until_they_expire() {
        let past = httpdate::fmt_http_date(SystemTime::now());
        let mut jar = jar(&[
            "1=1; Max-Age=86400",
            "2=a=b; Path=/; HttpOnly; Secure; SameSite=Strict",
            "3=3; Max-Age=0",
            &format!("4=4; Expires={past}"),
            &format!("5=5; Max-Age=10; Expires={past}"),
            "nonsense",
        ]);
        assert_eq!(jar.header().as_deref(), Some("1=1; 2=a=b; 5=5"));
    }

    #[test]
    fn a_later_cookie_replaces_an_earlier_one_or_takes_it_away() {
        let mut both = jar(&["a=1", "b=2", "a=3"]);
        assert_eq!(both.header().as_deref(), Some("b=2; a=3"));
        assert_eq!(jar(&["a=1", "a=; Max-Age=-1"]).header(), None);
    }

    #[test]
    fn no_server_can_fill_the_jar() {
        let many: Vec<_> = (0..1000).map(|number| format!("{number}=x")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(jar(&many).0.len(), MAX_COOKIES);
        let long = format!("long={}", "x".repeat(5000));
        assert_eq!(jar(&[&long, "short=x"]).header().as_deref(), Some("short=x"));
    }
}
