//! What the configuration is made of, and what is refused.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_variables(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

fn merge(file: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config> {
    Config::merge(toml::from_str(file).map_err(usage)?, &environment(variables), flags)
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "data = \"/file\"\nworkflows = \"/wf\"\nlisten = \"127.0.0.1:1\"\nallow_outbound = [\"10.0.0.0/8\"]\n[retention]\ndays = 3\n";
    let variables = [
        ("CARTWRIGHT_DATA", "/env"),
        ("CARTWRIGHT_LISTEN", "127.0.0.1:2"),
        ("CARTWRIGHT_ALLOW_OUTBOUND", "127.0.0.1, ::1"),
    ];
    let flags = Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
    let config = merge(file, &variables, flags).expect("valid");
    assert_eq!((config.data.as_path(), config.workflows.as_path()), (Path::new("/env"), Path::new("/wf")));
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.storage, StorageChoice::Sled("/env/storage".into()));
    assert_eq!(config.allow_outbound, ["127.0.0.1".parse().expect("range"), "::1".parse().expect("range")]);
    assert_eq!(config.retention, Retention { days: 3, ..DEFAULT_RETENTION });
}

#[test]
fn unknown_keys_are_errors_in_the_file_and_reported_from_the_environment() {
    for file in ["lisen = \"127.0.0.1:1\"", "[retention]\nday = 3", "listen = 5", "["] {
        assert!(merge(file, &[], Flags::default()).is_err(), "{file}");
    }
    let environment =
        environment(&[("CARTWRIGHT_LISTN", "x"), ("CARTWRIGHT_LOG", ""), ("OTHER", "x"), ("NO_COLOR", "1")]);
    assert_eq!(environment.unknown, ["CARTWRIGHT_LISTN"]);
    assert!(environment.no_colour && environment.get("LOG").is_none());
}

#[test]
fn addresses_and_storages_are_understood_or_refused() {
    for (text, expect) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        (":81", "127.0.0.1:81"),
        ("82", "127.0.0.1:82"),
        ("localhost:83", "127.0.0.1:83"),
        ("[::1]:84", "[::1]:84"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ] {
        assert_eq!(parse_listen(text).expect(text).to_string(), expect);
    }
    for text in ["", "shop.example:80", "127.0.0.1", "70000", "127.0.0.1:x"] {
        assert!(parse_listen(text).is_err(), "{text}");
    }
    assert_eq!(parse_storage("sled:/x").expect("sled"), StorageChoice::Sled("/x".into()));
    assert_eq!(parse_storage("memory").expect("memory"), StorageChoice::Memory);
    for url in ["", "sled:", "sled", "mysql://x", "postgres://u:hunter2@h/db"] {
        let error = parse_storage(url).expect_err(url);
        assert!(!format!("{:?}", error.error).contains("hunter2"), "passwords are not shown");
    }
}

#[test]
fn engines_elsewhere_are_addresses_without_passwords() {
    let server = |url: &str| Flags { server: Some(url.into()), ..Flags::default() };
    let variables = [("CARTWRIGHT_SERVER", "http://b.example:81"), ("CARTWRIGHT_TOKEN", "cwt_x")];
    let config = merge("", &variables, server("https://a.example")).expect("valid");
    assert_eq!(config.server.as_ref().map(Url::as_str), Some("https://a.example/"));
    assert!(config.token.is_some() && !format!("{config:?}").contains("cwt_x"), "a token is not shown");
    assert!(merge("", &[], Flags::default()).expect("valid").server.is_none());
    for url in ["a.example", "ftp://a.example", "https://a.example/x", "https://u:hunter2@a.example", "", "https://"] {
        let refused = merge("", &[], server(url)).map(|_| ()).expect_err(url);
        assert!(!format!("{:?}", refused.error).contains("hunter2"), "{url}");
    }
}

#[test]
fn trusted_authorities_are_named_by_flag_environment_or_file() {
    let file = "[http]\nextra_ca_certificates = \"/file.pem\"\n";
    let variables = [("CARTWRIGHT_EXTRA_CA_CERTIFICATES", "/env.pem")];
    let flags = || Flags { extra_ca_certificates: Some("/flag.pem".into()), ..Flags::default() };
    for (variables, flags, expect) in [
        (&variables[..0], Flags::default(), "/file.pem"),
        (&variables[..], Flags::default(), "/env.pem"),
        (&variables[..], flags(), "/flag.pem"),
    ] {
        let config = merge(file, variables, flags).expect("valid");
        assert_eq!(config.http.extra_ca_certificates.as_deref(), Some(Path::new(expect)));
    }
}

#[test]
fn stores_are_asked_as_fast_as_the_file_says_within_bounds() {
    let limits = |file: &str| {
        let stores = merge(file, &[], Flags::default())?.stores;
        Ok::<_, crate::failure::Failure>((
            stores.requests_per_second.get(),
            stores.burst.get(),
            stores.requests_at_once,
        ))
    };
    let usual = limits("").expect("the usual");
    assert_eq!(usual, (5, 5, 8));
    assert_eq!(limits("[stores]\nrequests_per_second = 2").expect("a rate"), (2, 2, 8));
    let all = "[stores]\nrequests_per_second = 20\nburst = 1\nconcurrency = 1000";
    assert_eq!(limits(all).expect("all"), (20, 1, 1000));
    for wrong in ["requests_per_second = 0", "burst = 1001", "concurrency = -1", "concurrency = \"5\"", "rate = 5"] {
        assert!(limits(&format!("[stores]\n{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn how_long_a_request_can_run_is_a_time_within_bounds() {
    let of = |file: &str| merge(file, &[], Flags::default()).map(|config| config.stores.request_can_run);
    assert_eq!(of("").expect("the usual"), std::time::Duration::from_secs(300));
    assert_eq!(of("[stores]\nrequest_can_run = \"1m30s\"").expect("a time"), std::time::Duration::from_secs(90));
    for wrong in ["\"999ms\"", "\"2d\"", "\"\"", "\"5\"", "5"] {
        assert!(of(&format!("[stores]\nrequest_can_run = {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn the_door_is_configured_and_misspelt_keys_are_errors() {
    let file: File =
        toml::from_str("[http]\nhosts = [\"cart.example\"]\nproxies = [\"10.0.0.0/8\"]\nbody_limit_bytes = 2048\n")
            .expect("valid");
    assert_eq!((file.http.hosts, file.http.body_limit_bytes), (vec!["cart.example".to_owned()], Some(2048)));
    for wrong in ["[http]\nhost = []", "[http]\nproxies = [\"x\"]", "[http]\nstore_requests_per_second = 0", "[htp]"] {
        assert!(toml::from_str::<File>(wrong).is_err(), "{wrong}");
    }
    let people = |url: &str| toml::from_str::<File>(&format!("[http]\npublic_url = \"{url}\""));
    let url = people("https://a.example:8443").expect("valid").http.public_url;
    assert_eq!(url.as_ref().map(Url::as_str), Some("https://a.example:8443/"));
    for wrong in ["", "a.example", "ftp://a.example", "https://a.example/x", "https://u:hunter2@a.example"] {
        assert!(people(wrong).is_err(), "{wrong}");
    }
}
