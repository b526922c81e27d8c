//! Formats of strings, as patterns. Each allows a part of what its standard does, and nothing else.

/// The names that are supported.
pub(super) const NAMES: &str = "date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid";

/// A day of a year, leap days in years that divide by 4 and do not end in 00.
/// Source: RFC 3339 §5.6.
macro_rules! date {
    () => {
        "(?:[1-9]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)\
         |02-(?:0[1-9]|1\\d|2[0-8]))|[1-9]\\d(?:0[48]|[2468][048]|[13579][26])-02-29)"
    };
}

/// A time of day with its offset; no leap seconds.
macro_rules! time {
    () => {
        "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
    };
}

/// Labels with dots between them. Source: RFC 1123 §2.1.
macro_rules! hostname {
    () => {
        "[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?){0,4}"
    };
}

/// The pattern of a format.
pub(super) fn pattern(name: &str) -> Option<&'static str> {
    Some(match name {
        "date" => concat!("^", date!(), "$"),
        "time" => concat!("^", time!(), "$"),
        "date-time" => concat!("^", date!(), "T", time!(), "$"),
        "duration" => "^P(?:\\d{1,4}[YMWD]|T\\d{1,4}[HMS]|\\d{1,4}DT\\d{1,4}[HMS])$",
        "email" => concat!("^[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+){0,4}@", hostname!(), "\\.[a-z]{2,10}$"),
        "hostname" => concat!("^", hostname!(), "$"),
        "ipv4" => {
            "^(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)$"
        }
        "ipv6" => "^(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
        "uri" => concat!("^https?://", hostname!(), "(?:/[A-Za-z0-9._~-]{1,100}){0,10}/?$"),
        "uuid" => "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        _ => return None,
    })
}
