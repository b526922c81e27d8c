//! Quotes of TPMs, event logs, and Azure's machines.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::forge::{Hand, NOW, public, roots};
use common::forge_tpm::{
    ALL, EVENTS, NONCE, azure, hcl, log, log_event, log_head, message, quote, registers, runtime, tpm,
};
use common::{open_but, other_than, recorded, refusal};
use sha2::{Digest as _, Sha256};
use vial_attest::policy::Field;
use vial_attest::snp::Product;
use vial_attest::tpm::TpmQuote;
use vial_attest::tpm::event_log::{Bank, Log};
use vial_attest::{Assurance, PolicyFile, Statement, Trust, Verdict, appraise};

fn verdict(statement: &Statement, file: PolicyFile, report_data: Option<&[u8]>) -> Verdict {
    let amd = roots(Product::Genoa);
    let trust = Trust { now: NOW, amd: &amd, amd_revocation_lists: &[], intel: None };
    appraise(statement, &file.complete().unwrap(), report_data, &trust)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A policy that vouches for our TPM's key, and states this.
fn vouched(stated: &[(&str, &str)]) -> PolicyFile {
    let key = hex(&Sha256::digest(public(Hand::Root)));
    open_but(&[&[("tpm.key", key.as_str())], stated].concat())
}

fn changed(statement: Statement, change: impl FnOnce(&mut Statement)) -> Statement {
    let mut statement = statement;
    change(&mut statement);
    statement
}

#[test]
fn a_tpm_is_accepted_for_its_registers_where_the_policy_vouches_for_its_key() {
    let accepted = verdict(&tpm(), vouched(&[]), Some(NONCE));
    assert_eq!(
        (accepted.accepted, accepted.assurance),
        (true, Some(Assurance::MeasuredBoot)),
        "{:?}",
        accepted.checks
    );
    assert_eq!(refusal(&verdict(&tpm(), open_but(&[]), None)).name, "who vouches for the TPM's key");
    let other = open_but(&[("tpm.key", "00".repeat(32).as_str())]);
    assert_eq!(refusal(&verdict(&tpm(), other, None)).name, "tpm.key");
    assert_eq!(refusal(&verdict(&tpm(), vouched(&[]), Some(b"another nonce"))).name, "report data");
}

#[test]
fn evidence_of_another_kind_does_not_pass_by_fields_that_it_has_not() {
    // A policy for machines of Azure's, by their registers, against a guest of somebody's own.
    let registers = registers(&EVENTS);
    let pinned = hex(&registers[4]);
    let policy = || open_but(&[("tee", "azure-vtpm"), ("tpm.pcr4", &pinned)]);
    assert!(verdict(&azure(), policy(), None).accepted);
    let own = changed(azure(), |it| {
        it.tee = "sev-snp".to_owned();
        it.attached = vial_attest::Attached::default();
        it.report = it.report[32..32 + 1184].to_vec();
    });
    assert!(verdict(&own, open_but(&[]), None).accepted);
    assert_eq!(refusal(&verdict(&own, policy(), None)).name, "tee");
    assert_eq!(refusal(&verdict(&tpm(), policy(), None)).name, "tee");
    // What was measured at launch is asked of whatever evidence there is.
    let launched = verdict(&tpm(), vouched(&[("appliance.measurement", &"0".repeat(96))]), None);
    assert_eq!(
        (refusal(&launched).name, refusal(&launched).found.as_str()),
        ("appliance.measurement", "no launch measurement")
    );
}

#[test]
fn each_register_that_a_policy_states_has_a_refusing_twin() {
    for (at, pcr) in registers(&EVENTS).iter().take(16).enumerate() {
        let (name, value) = (format!("tpm.pcr{at}"), hex(pcr));
        let field = Field::of(&name).unwrap();
        assert!(verdict(&tpm(), vouched(&[(field.name, &value)]), None).accepted, "{name}");
        let other = other_than(field.kind, &value).unwrap();
        assert_eq!(refusal(&verdict(&tpm(), vouched(&[(field.name, &other)]), None)).name, field.name);
    }
}

#[test]
fn quotes_of_another_form_selection_key_or_bank_are_refused() {
    let pcrs = registers(&EVENTS);
    let name = |statement: Statement| refusal(&verdict(&statement, vouched(&[]), None)).name;
    let with =
        |message: Vec<u8>| changed(tpm(), |it| it.attached.tpm = Some(quote(message, pcrs, Hand::Root)));
    for at in [0, 3, 4, 5] {
        let mut message = message(ALL, &pcrs);
        message[at] ^= 1;
        assert_eq!(name(with(message)), "TPM quote", "byte {at}");
    }
    assert_eq!(name(with([message(ALL, &pcrs), vec![0]].concat())), "TPM quote");
    let whole = message(ALL, &pcrs);
    assert_eq!(name(with(whole[..whole.len() - 1].to_vec())), "TPM quote");
    let selections: [&[u8]; 4] = [
        &[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0xFF, 0xFE],
        &[0, 0, 0, 1, 0, 0x0C, 3, 0xFF, 0xFF, 0xFF],
        &[0, 0, 0, 0],
        &[0, 0, 0, 2, 0, 0x0B, 3, 0xFF, 0xFF, 0xFF, 0, 0x0C, 3, 1, 0, 0],
    ];
    for selection in selections {
        assert_eq!(name(with(message(selection, &pcrs))), "quoted registers", "{selection:?}");
    }
    let mut swapped = pcrs;
    swapped.swap(0, 4);
    assert_eq!(name(with(message(ALL, &swapped))), "register values");
    let unsigned = changed(tpm(), |it| it.attached.tpm.as_mut().unwrap().signature[9] ^= 1);
    assert_eq!(name(unsigned), "TPM quote signature");
    let other = quote(message(ALL, &pcrs), pcrs, Hand::Issuer);
    let other = changed(tpm(), |it| it.attached.tpm.as_mut().unwrap().signature.clone_from(&other.signature));
    assert_eq!(name(other), "TPM quote signature");
    assert_eq!(name(changed(tpm(), |it| it.attached.tpm.as_mut().unwrap().key = None)), "attestation key");
    assert_eq!(
        name(changed(tpm(), |it| it.attached.tpm.as_mut().unwrap().key = Some(vec![1]))),
        "attestation key"
    );
    assert_eq!(name(changed(tpm(), |it| it.attached.tpm = None)), "TPM quote");
}

#[test]
fn a_log_that_does_not_lead_to_the_signed_registers_is_refused() {
    let with = |events: &[_]| changed(tpm(), |it| it.attached.event_log = Some(log(events)));
    let name = |events: &[_]| refusal(&verdict(&with(events), vouched(&[]), None)).name;
    assert_eq!(name(&EVENTS[..2]), "event log", "one is missing");
    assert_eq!(name(&[EVENTS[0], EVENTS[2], EVENTS[1], EVENTS[3]]), "event log", "another order");
    assert_eq!(name(&[EVENTS[0], EVENTS[1], EVENTS[2], (11, 13, b"kernel2")]), "event log");
    assert_eq!(name(&[&EVENTS[..], &[(99, 13, b"no such register")]].concat()), "event log");
    // What is told and not measured changes nothing.
    assert!(verdict(&with(&[&EVENTS[..], &[(7, 3, b"told")]].concat()), vouched(&[]), None).accepted);
    assert!(verdict(&changed(tpm(), |it| it.attached.event_log = None), vouched(&[]), None).accepted);
}

#[test]
fn logs_that_are_cut_or_changed_are_refused_by_field() {
    let whole = log(&EVENTS);
    let ends = EVENTS.iter().scan(log_head().len(), |end, event| {
        *end += log_event(*event).len();
        Some(*end)
    });
    let ends: Vec<_> = core::iter::once(log_head().len()).chain(ends).collect();
    for len in 0..whole.len() {
        let begun = ends.iter().rfind(|end| **end <= len).map_or(&whole[..len], |end| &whole[*end..len]);
        // The zeros that an event begins with could be padding.
        let is_right = len >= ends[0] && begun.iter().all(|&byte| byte == 0);
        assert_eq!(Log::parse(&whole[..len]).is_ok(), is_right, "{len}");
    }
    let field = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        Log::parse(&bytes).unwrap_err().field
    };
    assert_eq!(field(0, 2), "first event");
    assert_eq!(field(4, 4), "first event");
    assert_eq!(field(9, 1), "first event");
    assert_eq!(field(32, b'X'), "signature");
    assert_eq!(field(60, 0x0C), "algorithms", "twice the same");
    let first = log_head().len();
    assert_eq!(field(first + 8, 3), "number of digests");
    assert_eq!(field(first + 12, 0x04), "algorithm");
    assert_eq!(field(first + 12 + 34 + 50 + 3, 0xFF), "length");
    for (padding, is_right) in [(0, true), (0xFF, true), (7, false)] {
        assert_eq!(Log::parse(&[whole.clone(), vec![padding; 64]].concat()).is_ok(), is_right);
    }
    let mixed = [whole, vec![0; 8], vec![0xFF; 8]].concat();
    assert_eq!(Log::parse(&mixed).unwrap_err().field, "number of digests");
}

#[test]
fn a_replay_needs_digests_of_its_bank_and_starts_where_the_tpm_did() {
    let log = Log::parse(&log(&EVENTS)).unwrap();
    let replayed = log.replay(Bank::Sha256).unwrap();
    let expected = registers(&EVENTS);
    assert_eq!(replayed.keys().copied().collect::<Vec<_>>(), [0, 4, 11]);
    assert!(replayed.iter().all(|(register, value)| expected[*register as usize] == value[..]));
    let mut without = log.clone();
    without.events[1].digests.remove(0);
    assert_eq!(without.replay(Bank::Sha256).unwrap_err().field, "digests");
    assert_eq!(without.replay(Bank::Sha384).unwrap().len(), 3);
    let mut started = log;
    started.events.insert(
        0,
        vial_attest::tpm::event_log::Event {
            register: 0,
            kind: 3,
            digests: Vec::new(),
            data: b"StartupLocality\0\x03".to_vec(),
        },
    );
    let mut start = [0; 32];
    start[31] = 3;
    let first = Sha256::new().chain_update(start).chain_update(Sha256::digest(EVENTS[0].2)).finalize();
    assert_eq!(started.replay(Bank::Sha256).unwrap()[&0], first.to_vec());
}

#[test]
fn the_recorded_log_of_tdx_leads_to_the_registers_that_intel_signed() {
    let (Some(log), Some(quote)) = (
        recorded("tdx/gcp-cos113-ccel/ccel_data.dat"),
        recorded("tdx/gcp-cos113-ccel/cos-113-tdx-quote.dat"),
    ) else {
        return;
    };
    let replayed = Log::parse(&log).unwrap().replay(Bank::Sha384).unwrap();
    // RTMR 0 to 3 of a quote of version 4.
    for register in 0..4 {
        let at = 48 + 328 + 48 * register;
        let found =
            replayed.get(&(u32::try_from(register).unwrap() + 1)).cloned().unwrap_or_else(|| vec![0; 48]);
        assert_eq!(hex(&found), hex(&quote[at..at + 48]), "RTMR{register}");
    }
}

#[test]
fn recorded_logs_of_tpms_have_the_digests_of_what_they_say() {
    for path in ["tpm-eventlog/ubuntu-2404-amd-sevsnp.bin", "tpm-eventlog/cos-101-amd-sev.bin"] {
        let Some(bytes) = recorded(path) else { continue };
        let log = Log::parse(&bytes).unwrap();
        assert!(log.events.len() > 20 && log.replay(Bank::Sha256).is_ok());
        // Separators and actions are measured as they stand.
        let plain = log.events.iter().filter(|event| matches!(event.kind, 4 | 0x8000_0007));
        let mut seen = 0;
        for event in plain {
            let (_, digest) = event.digests.iter().find(|(algorithm, _)| *algorithm == 0x0B).unwrap();
            assert_eq!(hex(digest), hex(&Sha256::digest(&event.data)), "{path}");
            seen += 1;
        }
        assert!(seen > 5, "{path}: {seen}");
    }
}

#[test]
fn a_machine_of_azures_rests_on_the_processor_the_paravisor_and_its_tpm() {
    let accepted = verdict(&azure(), open_but(&[]), Some(NONCE));
    assert_eq!(
        (accepted.accepted, accepted.assurance),
        (true, Some(Assurance::Paravisor)),
        "{:?}",
        accepted.checks
    );
    for (name, value, other) in [("azure.secure_boot", "true", "false"), ("azure.console", "false", "true")] {
        assert!(verdict(&azure(), open_but(&[(name, value)]), None).accepted);
        assert_eq!(refusal(&verdict(&azure(), open_but(&[(name, other)]), None)).name, name);
    }
    let name = |statement: Statement| refusal(&verdict(&statement, open_but(&[]), None)).name;
    assert_eq!(name(changed(azure(), |it| it.attached.tpm = None)), "TPM quote");
    let pcrs = registers(&EVENTS);
    let other = quote(message(ALL, &pcrs), pcrs, Hand::Issuer);
    assert_eq!(name(changed(azure(), |it| it.attached.tpm = Some(other))), "TPM quote signature");
}

#[test]
fn what_the_paravisor_says_is_bound_by_the_processor_or_refused() {
    let with = |runtime: &str, bound: &[u8]| changed(azure(), |it| it.report = hcl(runtime, bound));
    let found = |statement: Statement| {
        let verdict = verdict(&statement, open_but(&[]), None);
        let check = refusal(&verdict);
        (check.name, check.found.clone())
    };
    let whole = runtime(Hand::Root);
    let digest = Sha256::digest(&whole);
    assert_eq!(found(with(&runtime(Hand::Issuer), &digest)).0, "paravisor's words");
    assert_eq!(found(with(&whole, &[&digest[..], &[1]].concat())).0, "paravisor's words", "more is bound");
    let own = |text: &str| found(with(text, &Sha256::digest(text)));
    let malformed = |field: &str| ("HCL report", format!("HCL report {field}: not what the layout says"));
    assert_eq!(own(&whole.replace("HCLAkPub", "HCLEkPub")), malformed("attestation key"));
    assert_eq!(own(&whole.replace("\"RSA\"", "\"EC\"")), malformed("attestation key"));
    assert_eq!(own(&whole.replace("\"n\":\"", "\"n\":\"*")), malformed("attestation key"));
    let twice = whole.replace(
        "\"keys\":[",
        "\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"},",
    );
    assert_eq!(own(&twice), malformed("attestation key"));
    assert_eq!(own(&whole.replace("vm-configuration", "vm")), malformed("runtime data"));
    assert_eq!(own("{"), malformed("runtime data"));
}

#[test]
fn headers_of_azures_report_are_refused_by_field() {
    let found = |at: usize, value: u8| {
        let statement = changed(azure(), |it| it.report[at] = value);
        refusal(&verdict(&statement, open_but(&[]), None)).found.clone()
    };
    let runtime_at = 32 + 1184;
    for (at, value, field) in [
        (0, b'X', "magic"),
        (4, 3, "version"),
        (8, 0, "size"),
        (12, 1, "request type"),
        (16, 1, "reserved bytes"),
        (31, 1, "reserved bytes"),
        (runtime_at, 0, "size"),
        (runtime_at + 4, 2, "runtime data version"),
        (runtime_at + 8, 3, "report type"),
        (runtime_at + 12, 2, "hash"),
        (runtime_at + 18, 1, "size"),
        (2599, 1, "padding"),
    ] {
        assert_eq!(found(at, value), format!("HCL report {field}: not what the layout says"), "byte {at}");
    }
    assert_eq!(found(runtime_at + 8, 4), "none", "TDX, and no quote");
}

#[test]
fn a_quote_is_read_from_json_and_each_bad_field_is_named() {
    let whole = tpm().attached.tpm.unwrap();
    let pcrs = whole.pcrs.iter().map(|pcr| format!("\"{}\"", hex(pcr))).collect::<Vec<_>>().join(",");
    let key = hex(whole.key.as_ref().unwrap());
    let (message, signature) = (hex(&whole.message), hex(&whole.signature));
    let json = |message: &str, signature: &str, pcrs: &str, key: &str| {
        format!(r#"{{"message":"{message}","signature":"{signature}","pcrs":[{pcrs}],"key":"{key}"}}"#)
    };
    let parse = |json: String| TpmQuote::parse(json.as_bytes()).map_err(|error| error.field);
    assert_eq!(parse(json(&message, &signature, &pcrs, &key)), Ok(whole.clone()));
    assert_eq!(parse(json("0", &signature, &pcrs, &key)), Err("message"));
    assert_eq!(parse(json(&message, "zz", &pcrs, &key)), Err("signature"));
    assert_eq!(parse(json(&message, &signature, &pcrs[67..], &key)), Err("pcrs"), "one too few");
    assert_eq!(parse(json(&message, &signature, &format!("\"00\",{pcrs}"), &key)), Err("pcrs"));
    assert_eq!(parse(json(&message, &signature, &pcrs, "AA")), Err("key"));
    assert_eq!(parse(json(&message, &signature, &pcrs, &key).replace("key", "keys")), Err("JSON"));
    let none = json(&message, &signature, &pcrs, &key).replace(&format!(",\"key\":\"{key}\""), "");
    assert_eq!(parse(none), Ok(TpmQuote { key: None, ..whole }));
}
