//! `wp_http_validate_url`: which addresses WordPress will call for a stranger. Without asking a name server: names are
//! taken to be public.

use std::net::Ipv4Addr;

use url::{Host, Url};

/// Ports besides the shop's own.
const PORTS: [u16; 3] = [80, 443, 8080];

/// Whether the shop would fetch from, or deliver to, this address. The shop's own host and port are fine.
pub fn allowed(address: &str, home: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    let port = url.port_or_known_default();
    if let Ok(home) = Url::parse(home)
        && home.host_str() == url.host_str()
        && home.port_or_known_default() == port
    {
        return true;
    }
    let public = match url.host() {
        Some(Host::Domain(name)) => name.contains('.') && !name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => public(address),
        Some(Host::Ipv6(_)) | None => false,
    };
    public && port.is_some_and(|port| PORTS.contains(&port))
}

fn public(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let carrier = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || carrier
        || benchmark
        || a == 0
        || a >= 240)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_get_public_addresses_only() {
        let check = |address: &str, expect| assert_eq!(allowed(address, "http://127.0.0.1:8081"), expect, "{address}");
        for fine in ["https://example.com/x.png", "http://8.8.8.8:8080/", "http://127.0.0.1:8081/x.png"] {
            check(fine, true);
        }
        for refused in [
            "http://127.0.0.1:9/x.png",
            "http://10.0.0.1/",
            "http://172.16.3.4/",
            "http://100.64.0.1/",
            "http://198.18.0.1/",
            "http://169.254.1.1/",
            "http://240.0.0.1/",
            "http://[::1]/",
            "http://u:p@example.com/",
            "http://example.com:8090/",
            "ftp://example.com/",
            "not an address",
            "http://localhost/",
        ] {
            check(refused, false);
        }
    }
}
