//! Where a request comes from: the address behind configured proxies, whether it travelled over https, whether a page of
//! ours sent it, and the cookie that it brings.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority};
use url::Url;

use crate::{door::Door, problem::Problem};

/// The session's cookie over https: browsers take a cookie of this name only from this host itself and only over https.
const SECURE_COOKIE: &str = "__Host-cartwright";
/// The session's cookie over plain http, for this machine and networks of one's own.
const PLAIN_COOKIE: &str = "cartwright-session";
/// Cookies of one name that are looked at.
const COOKIES_MAX: usize = 4;
/// Proxies in a row that are believed.
const PROXIES_MAX: usize = 10;

/// Who is at the other end, seen through the proxies that the configuration trusts.
pub(crate) fn client(door: &Door, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let written = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut chain: Vec<&str> = written.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for _ in 0..PROXIES_MAX {
        if !is_proxy(door, client) {
            return client;
        }
        match chain.pop().and_then(|text| text.parse().ok()) {
            Some(next) => client = next,
            None => return client,
        }
    }
    client
}

/// Whether the request came over https, as a trusted proxy says.
pub(crate) fn is_https(door: &Door, peer: IpAddr, headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
    proto && is_proxy(door, peer)
}

fn is_proxy(door: &Door, address: IpAddr) -> bool {
    door.config.proxies.iter().any(|range| range.contains(address))
}

/// The values of the session's cookie; somebody may have planted one beside ours.
pub(crate) fn session_cookies(headers: &HeaderMap, https: bool) -> Vec<String> {
    let name = if https { SECURE_COOKIE } else { PLAIN_COOKIE };
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter(|(key, value)| *key == name && !value.is_empty());
    ours.map(|(_, value)| value.to_owned()).take(COOKIES_MAX).collect()
}

/// The header that sets the session's cookie, or with an empty value ends it.
pub(crate) fn set_cookie(value: &str, https: bool, seconds: u64) -> HeaderValue {
    let (name, secure) = if https { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    let age = if value.is_empty() { 0 } else { seconds };
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    text.parse().expect("names, base64 and numbers are ASCII")
}

/// Refuses what a page of somebody else's sends. Programs send none of these headers and are let through: they bring no
/// cookie that a person did not give them.
pub(crate) fn from_our_pages(door: &Door, headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(header::ORIGIN);
    let fine = site.is_none_or(|site| [&b"same-origin"[..], b"none"].contains(&site))
        && origin.is_none_or(|origin| origin.to_str().is_ok_and(|text| is_ours(door, text, headers, authority)));
    if fine {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_wrong", "another site's page sent this request")
        .help("Behind a proxy, pass the `Host` header on or add the name to `hosts` in the configuration."))
}

fn is_ours(door: &Door, origin: &str, headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let (Some(name), Some(port)) = (origin.host_str(), origin.port_or_known_default()) else { return false };
    if door.config.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return true;
    }
    let written = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(host) = authority.or(written.as_ref()) else { return false };
    let asked =
        host.port_u16().or_else(|| Url::parse(&format!("{}://x", origin.scheme())).ok()?.port_or_known_default());
    host.host().eq_ignore_ascii_case(name) && asked == Some(port)
}
