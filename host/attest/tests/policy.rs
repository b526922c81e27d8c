//! Policies: what people write, and what they forget.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use vial_attest::policy::{FIELDS, Field, Kind, Rule};
use vial_attest::{PolicyError, PolicyFile, Profile};

/// A file that states all that a profile leaves to be stated.
fn whole(profile: Profile) -> String {
    let unset = FIELDS.iter().filter(|field| field.default_of(profile).is_none());
    let stated = unset.map(|field| format!("{} = \"any\"\n", field.name)).collect::<String>();
    format!("profile = \"{}\"\n{stated}", profile.name())
}

#[test]
fn every_profile_with_what_it_leaves_open_states_every_field() {
    for profile in Profile::ALL {
        let policy = PolicyFile::parse(&whole(profile)).unwrap().complete().unwrap();
        assert_eq!(policy.profile(), profile);
        for field in FIELDS {
            let expected = Rule::of(field.default_of(profile).unwrap_or("any"));
            assert_eq!(policy.rule(field.name), Some(&expected), "{}", field.name);
        }
        assert_eq!(policy.rule("snp.colour"), None);
    }
}

#[test]
fn a_field_that_nothing_states_is_an_error_that_names_it() {
    for profile in Profile::ALL {
        for field in FIELDS.iter().filter(|field| field.default_of(profile).is_none()) {
            let text = whole(profile).replace(&format!("\n{} = \"any\"\n", field.name), "\n");
            let error = PolicyFile::parse(&text).unwrap().complete().unwrap_err();
            assert_eq!(error, PolicyError::Unset { profile, fields: vec![field.name] });
            assert!(error.to_string().contains(field.name) && error.to_string().contains(profile.name()));
        }
    }
}

#[test]
fn every_default_is_a_value_of_its_field_and_names_are_given_once() {
    for field in FIELDS {
        assert_eq!(FIELDS.iter().filter(|other| other.name == field.name).count(), 1, "{}", field.name);
        for value in Profile::ALL.into_iter().filter_map(|profile| field.default_of(profile)) {
            assert!(value == "any" || field.kind.fits(value), "{}: {value}", field.name);
        }
    }
}

/// What is wrong with a line below a profile.
fn error(line: &str) -> PolicyError {
    PolicyFile::parse(&format!("profile = \"own-host\"\n{line}\n")).unwrap_err()
}

#[test]
fn what_a_field_cannot_hold_is_refused_by_name_with_found_and_expected() {
    for field in FIELDS {
        let wrong: &[&str] = match field.kind {
            Kind::Flag => &["\"yes\"", "1", "[]", "{}"],
            Kind::Hex(_) | Kind::HexOrNone(_) => &["\"00\"", "\"ZZ\"", "true", "[1]", "[\"any\", \"00\"]"],
            Kind::Number | Kind::Floor => &["-1", "1.5", "\"many\"", "4294967296"],
            Kind::Word(_) | Kind::Level(_) => &["\"other\"", "7", "[\"any\", \"any\"]"],
        };
        for value in wrong {
            let PolicyError::Value { field: name, expected, .. } =
                error(&format!("{} = {value}", field.name))
            else {
                assert_eq!(*value, "{}", "a table in a field's place");
                continue;
            };
            assert_eq!((name.as_str(), expected), (field.name, field.kind.to_string()), "{value}");
        }
    }
    assert!(matches!(error("snp.tcb.milan.snp = [1, 2]"), PolicyError::Value { .. }), "one floor");
}

#[test]
fn keys_that_are_no_fields_are_refused_by_name() {
    for (line, name) in [
        ("snp.degub = false", "snp.degub"),
        ("colour = 1", "colour"),
        ("[snp.tcb.rome]\nsnp = 1", "snp.tcb.rome.snp"),
        ("snp.tcb.rome = \"any\"", "snp.tcb.rome"),
        ("sn = \"any\"", "sn"),
        ("snp = 7", "snp"),
    ] {
        assert_eq!(error(line), PolicyError::Unknown(name.to_owned()), "{line}");
    }
    assert!(matches!(error("snp.debug = "), PolicyError::Form(_)));
}

#[test]
fn a_profile_must_be_named_and_known() {
    for text in ["", "profile = 1", "profile = \"lax\"", "snp.debug = false"] {
        let PolicyError::Value { field, expected, .. } = PolicyFile::parse(text).unwrap_err() else {
            unreachable!("{text}")
        };
        assert_eq!(
            (field.as_str(), expected.as_str()),
            ("profile", "strict, own-host, cloud-vouched, development")
        );
    }
}

#[test]
fn any_opens_a_field_or_a_whole_table() {
    let text = whole(Profile::Development) + "snp.tcb = \"any\"\nsnp.debug = \"any\"\n";
    let policy = PolicyFile::parse(&text).unwrap().complete().unwrap();
    let below = FIELDS.iter().filter(|field| field.name.starts_with("snp.tcb."));
    assert!(below.map(|field| policy.rule(field.name)).all(|rule| rule == Some(&Rule::Any)));
}

#[test]
fn a_file_is_stronger_than_an_image_and_an_image_than_a_profile() {
    let mut file = PolicyFile::parse("profile = \"strict\"\nsnp.debug = \"any\"").unwrap();
    file.default_to("snp.debug", &["false".to_owned()], "a test").unwrap();
    file.default_to("snp.vmpl", &["2".to_owned(), "3".to_owned()], "a test").unwrap();
    for field in FIELDS.iter().filter(|field| field.default_of(Profile::Strict).is_none()) {
        file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
    }
    let policy = file.complete().unwrap();
    assert_eq!(policy.rule("snp.debug"), Some(&Rule::Any));
    assert_eq!(policy.rule("snp.vmpl"), Some(&Rule::OneOf(vec!["2".to_owned(), "3".to_owned()])));
    assert_eq!(policy.rule("snp.smt"), Some(&Rule::of("false")));
}

#[test]
fn rules_allow_values_floors_and_levels() {
    let level = Field::of("assurance").unwrap().kind;
    let rule = |value: &str| Rule::of(value);
    for (kind, value, allowed, refused) in [
        (Kind::Flag, "false", vec!["false"], vec!["true", ""]),
        (Kind::Floor, "22", vec!["22", "23", "255"], vec!["21", "3", "", "none"]),
        (level, "paravisor", vec!["paravisor", "hardware"], vec!["cloud-vouched", "simulated", "", "other"]),
        (Kind::Hex(1), "0a", vec!["0a"], vec!["0A", "a", ""]),
    ] {
        assert!(allowed.iter().all(|found| rule(value).allows(kind, found)), "{value}");
        assert!(!refused.iter().any(|found| rule(value).allows(kind, found)), "{value}");
    }
    // What asks for a level that there is not is satisfied by nothing.
    assert!(!rule("best").allows(level, "hardware"));
}
