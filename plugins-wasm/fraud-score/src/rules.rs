//! The rules. Each looks at one sign, names its points and says what it saw; none decides alone.
//!
//! Most signs are those that Visa's "E-Commerce Merchants' Guide to Risk Management" lists as potential signs of fraud where
//! no card is present: first-time shoppers, larger orders than normal, many of the same item, other shipping addresses,
//! orders from free mail services, many orders over a short time, many orders from one IP address. The points are ours:
//! weigh them against your own chargebacks.

use crate::{Input, Reason, velocity::Seen};

/// Services where anybody gets an address at once. Most honest people have one too, so alone it says nothing.
const FREE_MAIL: &[&str] = &[
    "aol.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.com",
    "mail.ru",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.ru",
];
/// Services whose addresses are thrown away after one use.
const THROW_AWAY: &[&str] = &[
    "10minutemail.com",
    "dispostable.com",
    "getnada.com",
    "guerrillamail.com",
    "maildrop.cc",
    "mailinator.com",
    "mohmal.com",
    "sharklasers.com",
    "temp-mail.org",
    "tempmail.com",
    "throwawaymail.com",
    "trashmail.com",
    "yopmail.com",
];
/// From this many pieces of one product on, somebody may mean to sell them on.
const MANY_PIECES: u32 = 5;
/// From this many digits in a row on, a mail address looks made by a machine.
const MANY_DIGITS: usize = 5;
/// From this many failed payments on, somebody may be trying cards.
const MANY_FAILED: u32 = 2;

/// What every rule has to say.
pub(crate) fn all(input: &Input, seen: &Seen) -> Vec<Reason> {
    let rules = [
        other_country(input),
        large(input),
        first_order(input),
        failed_payments(input),
        throw_away_mail(input),
        digits_in_mail(input),
        many_pieces(input),
        no_way_to_ask(input),
        mail_burst(input, seen),
        ip_burst(input, seen),
    ];
    rules.into_iter().flatten().collect()
}

fn reason(rule: &'static str, points: u32, text: String) -> Option<Reason> {
    Some(Reason { rule, points, text })
}

fn other_country(input: &Input) -> Option<Reason> {
    let (billing, shipping) = (&input.order.billing.country, &input.order.shipping.country);
    if billing.is_empty() || shipping.is_empty() || billing.eq_ignore_ascii_case(shipping) {
        return None;
    }
    reason("other-country", 25, format!("ships to {shipping}, the bill goes to {billing}"))
}

fn large(input: &Input) -> Option<Reason> {
    let average = input.history.as_ref().and_then(|history| history.average);
    let usual = average.or(input.usual_total).filter(|usual| usual.is_positive())?;
    let whose = if average.is_some() { "this customer's usual order" } else { "the store's usual order" };
    match input.order.total {
        total if total.at_least(6, usual) => reason("large", 30, format!("worth at least 6 times {whose}")),
        total if total.at_least(3, usual) => reason("large", 15, format!("worth at least 3 times {whose}")),
        _ => None,
    }
}

fn first_order(input: &Input) -> Option<Reason> {
    let history = input.history.as_ref()?;
    (history.orders == 0).then(|| Reason { rule: "first-order", points: 10, text: "the customer's first order".into() })
}

fn failed_payments(input: &Input) -> Option<Reason> {
    let failed = input.history.as_ref()?.failed;
    (failed >= MANY_FAILED).then(|| Reason {
        rule: "failed-payments",
        points: 25,
        text: format!("{failed} failed payments before"),
    })
}

fn throw_away_mail(input: &Input) -> Option<Reason> {
    let mail = input.order.mail();
    let (_, domain) = mail.rsplit_once('@')?;
    let below = |known: &str| domain == known || domain.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'));
    let own = input.settings.throw_away_domains.iter().map(|domain| domain.trim().to_lowercase());
    if THROW_AWAY.iter().any(|known| below(known)) || own.into_iter().any(|known| !known.is_empty() && below(&known)) {
        return reason("throw-away-mail", 35, format!("a throw-away mail address ({domain})"));
    }
    None
}

fn digits_in_mail(input: &Input) -> Option<Reason> {
    let mail = input.order.mail();
    let (name, _) = mail.rsplit_once('@')?;
    let longest = name.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    (longest >= MANY_DIGITS).then(|| Reason {
        rule: "digits-in-mail",
        points: 10,
        text: format!("a mail address with {longest} digits in a row"),
    })
}

fn many_pieces(input: &Input) -> Option<Reason> {
    let line =
        input.order.line_items.iter().filter(|line| line.quantity >= MANY_PIECES).max_by_key(|line| line.quantity)?;
    let mail = input.order.mail();
    let free = mail.rsplit_once('@').is_some_and(|(_, domain)| FREE_MAIL.contains(&domain));
    let what = if line.name.is_empty() { "one product" } else { &line.name };
    let text = format!("{} pieces of {what}", line.quantity);
    match free {
        true => reason("many-pieces", 15, format!("{text}, ordered with a free mail address")),
        false => reason("many-pieces", 5, text),
    }
}

fn no_way_to_ask(input: &Input) -> Option<Reason> {
    let billing = &input.order.billing;
    let missing = [
        ("mail address", billing.email.is_empty()),
        ("street", billing.address_1.is_empty()),
        ("postcode", billing.postcode.is_empty()),
        ("phone number", billing.phone.is_empty()),
    ];
    let missing: Vec<&str> = missing.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
    // A missing postcode or phone number alone is usual in some countries and stores.
    (missing.len() >= 2).then(|| Reason {
        rule: "incomplete",
        points: 10,
        text: format!("the bill has no {}", missing.join(", no ")),
    })
}

fn mail_burst(input: &Input, seen: &Seen) -> Option<Reason> {
    let (orders, hours) = (seen.orders_of_mail, input.settings.window_hours);
    (orders > input.settings.orders_per_mail).then(|| Reason {
        rule: "mail-burst",
        points: 20,
        text: format!("{orders} orders of this mail address within {hours} hours"),
    })
}

fn ip_burst(input: &Input, seen: &Seen) -> Option<Reason> {
    let (mails, hours) = (seen.mails_of_ip, input.settings.window_hours);
    (mails > input.settings.mails_per_ip).then(|| Reason {
        rule: "ip-burst",
        points: 25,
        text: format!("orders of {mails} mail addresses from one IP address within {hours} hours"),
    })
}
