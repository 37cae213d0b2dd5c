//! Where outbound requests may go: the public internet and what the operator opened. Everything that is private,
//! local to a host or link, reserved, or wraps such an address is refused.
//!
//! Ranges from the IANA special-purpose registries (RFC 6890 and its updates).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A range of addresses: `127.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// As an IPv6 number; IPv4 stands in its mapped form `::ffff:a.b.c.d`.
    network: u128,
    mask: u128,
}

/// Why a text is not an address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address range: write it like 127.0.0.0/8 or fd00::/8")]
pub struct InvalidCidr {
    text: String,
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let invalid = || InvalidCidr { text: text.chars().take(80).collect() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| invalid())?,
            Some(_) => return Err(invalid()),
        };
        if prefix > width {
            return Err(invalid());
        }
        let mask = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        // An IPv4 range must not reach beyond the mapped block, whatever its prefix.
        let mask = if width == 32 { mask | (u128::MAX << 32) } else { mask };
        Ok(Self { network: number(address) & mask, mask })
    }
}

impl Cidr {
    /// Whether the address lies in this range.
    pub fn contains(&self, address: IpAddr) -> bool {
        number(address) & self.mask == self.network
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Decides about addresses.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<Cidr>,
}

/// An address that may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("denied: {target} is {address}, which is {what}; an operator can open it with --allow-outbound {address}")]
pub(super) struct DeniedAddress {
    pub(super) target: String,
    pub(super) address: IpAddr,
    pub(super) what: &'static str,
}

impl AddressPolicy {
    /// The public internet and these ranges.
    pub fn new(allowed: Vec<Cidr>) -> Self {
        Self { allowed }
    }

    /// Whether this address may be called; the error says what kind of address it is.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.allowed.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        match address {
            IpAddr::V4(v4) => check_v4(v4),
            IpAddr::V6(v6) => match embedded_v4(v6) {
                Some(inner) => self.check(IpAddr::V4(inner)),
                None => check_v6(v6),
            },
        }
    }

    pub(super) fn check_target(&self, target: &str, address: IpAddr) -> Result<(), DeniedAddress> {
        self.check(address).map_err(|what| DeniedAddress { target: target.to_owned(), address, what })
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, NAT64 (`64:ff9b::/96`), 6to4 (`2002::/16`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn check_v4(address: Ipv4Addr) -> Result<(), &'static str> {
    match address.octets() {
        [0, ..] => Err("an unspecified address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Err("a private address"),
        [100, 64..=127, ..] => Err("a carrier's shared address"),
        [127, ..] => Err("a loopback address"),
        [169, 254, 169, 254] => Err("a cloud metadata address"),
        [169, 254, ..] => Err("a link-local address"),
        [192, 0, 0, _] | [192, 88, 99, _] => Err("an address reserved for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Err("a documentation address"),
        [198, 18..=19, ..] => Err("a benchmarking address"),
        [224..=239, ..] => Err("a multicast address"),
        [240..=255, ..] => Err("a reserved address"),
        _ => Ok(()),
    }
}

fn check_v6(address: Ipv6Addr) -> Result<(), &'static str> {
    if address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
        return Err("a cloud metadata address");
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Err("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Err("a loopback address"),
        [0xfc00..=0xfdff, ..] => Err("a private address"),
        [0xfe80..=0xfebf, ..] => Err("a link-local address"),
        [0xff00..=0xffff, ..] => Err("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Err("a documentation address"),
        // Teredo, ORCHID, benchmarking and their neighbours.
        [0x2001, 0..=0x1ff, ..] => Err("an address reserved for protocols"),
        [0x2000..=0x3fff, ..] => Ok(()),
        _ => Err("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let policy = AddressPolicy::default();
        for public in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(policy.check(public.parse().expect("address")), Ok(()), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.3",
            "169.254.169.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "fd00:ec2::254",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(policy.check(closed.parse().expect("address")).is_err(), "{closed}");
        }
    }

    #[test]
    fn opened_ranges_pass_in_every_form_and_open_nothing_else() {
        let policy =
            AddressPolicy::new(vec!["127.0.0.0/8".parse().expect("range"), "fd00:1::/32".parse().expect("range")]);
        for open in ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "fd00:1::5"] {
            assert_eq!(policy.check(open.parse().expect("address")), Ok(()), "{open}");
        }
        for closed in ["10.0.0.1", "::1", "fd00:2::5"] {
            assert!(policy.check(closed.parse().expect("address")).is_err(), "{closed}");
        }
        let all = AddressPolicy::new(vec!["0.0.0.0/0".parse().expect("range")]);
        assert!(all.check("10.0.0.1".parse().expect("address")).is_ok());
        assert!(all.check("::1".parse().expect("address")).is_err(), "an IPv4 range opens no IPv6 address");
    }

    #[test]
    fn bad_ranges_are_refused() {
        for text in
            ["", "/", "127.0.0.1/33", "::/129", "127.0.0/8", "localhost", "10.0.0.0/+8", "10.0.0.0/", "10.0.0.0/8/8"]
        {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
