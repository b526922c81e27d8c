//! Twins that nobody has recorded: a processor's maker of our own signs reports with one thing wrong each.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::forge::{
    Hand, ISSUER_SERIAL, NOW, ROOT, VALID, certificate, endorsement, pem, report, revocation_list, roots,
    sign,
};
use common::{open_but, refusal};
use vial_attest::snp::{Product, RootError, Roots};
use vial_attest::{Assurance, Attached, PolicyFile, SEV_SNP, Statement, Trust, Verdict, appraise};

/// A verdict on a report under a certificate, by a policy.
fn under(product: Product, report: Vec<u8>, certificate: Vec<u8>, file: PolicyFile) -> Verdict {
    judged(product, report, certificate, &[], file)
}

/// The same by a policy that leaves all open.
fn verdict(product: Product, report: Vec<u8>, certificate: Vec<u8>, lists: &[Vec<u8>]) -> Verdict {
    judged(product, report, certificate, lists, open_but(&[]))
}

fn judged(
    product: Product,
    report: Vec<u8>,
    certificate: Vec<u8>,
    lists: &[Vec<u8>],
    file: PolicyFile,
) -> Verdict {
    let statement = Statement {
        tee: SEV_SNP.to_owned(),
        report,
        certificates: vec![certificate],
        attached: Attached::default(),
    };
    let amd = roots(product);
    let trust = Trust { now: NOW, amd: &amd, amd_revocation_lists: lists, intel: None };
    appraise(&statement, &file.complete().unwrap(), None, &trust)
}

fn of_report(product: Product, version: u8, change: impl FnOnce(&mut Vec<u8>)) -> Verdict {
    let mut bytes = report(product, version, false);
    change(&mut bytes);
    verdict(product, sign(bytes), certificate(&endorsement(product, false), Hand::Issuer), &[])
}

#[test]
fn every_product_version_and_signer_is_accepted() {
    for product in Product::ALL {
        for (version, is_cloud) in [(2, false), (3, false), (5, false), (3, true), (5, true)] {
            let report = sign(report(product, version, is_cloud));
            let verdict =
                verdict(product, report, certificate(&endorsement(product, is_cloud), Hand::Issuer), &[]);
            assert!(verdict.accepted, "{product} {version} {is_cloud}: {:?}", verdict.checks.last());
            assert_eq!(verdict.assurance, Some(Assurance::Hardware));
        }
    }
}

#[test]
fn signed_reports_of_another_form_are_refused_by_field() {
    // Versions, offset, what is put there, and the field.
    let twins: [(&[u8], usize, u8, &str); 21] = [
        (&[2, 3, 5], 0x00, 4, "version"),
        (&[2, 3, 5], 0x00, 6, "version"),
        (&[2, 3, 5], 0x01, 1, "version"),
        (&[2, 3, 5], 0x34, 0, "signature algorithm"),
        (&[2, 3, 5], 0x34, 2, "signature algorithm"),
        (&[2, 3, 5], 0x0A, 1, "policy's reserved bits"),
        (&[2, 3, 5], 0x0B, 4, "policy's reserved bits"),
        (&[2, 3, 5], 0x30, 4, "privilege level"),
        (&[2, 3, 5], 0x33, 0xFF, "privilege level"),
        (&[2, 3, 5], 0x41, 1, "platform's reserved bits"),
        (&[2, 3, 5], 0x48, 0x1C, "signing key"),
        (&[2, 3, 5], 0x48, 0x08, "signing key"),
        (&[2, 3, 5], 0x49, 1, "signing key"),
        (&[2, 3, 5], 0x4C, 1, "reserved bytes"),
        (&[2], 0x188, 1, "reserved bytes"),
        (&[2, 3, 5], 0x18B, 1, "reserved bytes"),
        (&[2, 3, 5], 0x1EB, 1, "reserved bytes"),
        (&[2, 3, 5], 0x1EF, 1, "reserved bytes"),
        (&[2, 3], 0x1F8, 1, "reserved bytes"),
        (&[2, 3], 0x207, 1, "reserved bytes"),
        (&[2, 3, 5], 0x29F, 1, "reserved bytes"),
    ];
    for (versions, at, value, field) in twins {
        for version in versions {
            let verdict = of_report(Product::Genoa, *version, |report| report[at] = value);
            let check = refusal(&verdict);
            assert_eq!(check.name, "report", "version {version}, {at:#x}");
            assert_eq!(
                check.found,
                format!("report {field}: not what the layout says"),
                "version {version}, {at:#x}"
            );
        }
    }
    // Version 5 has mitigations there.
    assert!(of_report(Product::Genoa, 5, |report| report[0x207] = 1).accepted);
}

#[test]
fn a_signature_with_more_digits_than_there_are_is_refused() {
    for at in [0x2A0 + 48, 0x2E8 + 71, 0x330, 0x49F] {
        let mut bytes = sign(report(Product::Milan, 2, false));
        bytes[at] = 1;
        let endorsement = certificate(&endorsement(Product::Milan, false), Hand::Issuer);
        let verdict = verdict(Product::Milan, bytes, endorsement, &[]);
        assert_eq!(refusal(&verdict).found, "report signature padding: not what the layout says");
    }
}

#[test]
fn what_report_and_certificate_say_of_the_platform_must_be_the_same() {
    for product in Product::ALL {
        let name =
            |version, change: &dyn Fn(&mut Vec<u8>)| refusal(&of_report(product, version, change)).name;
        assert_eq!(name(3, &|it| it[0x48] = 4), "signing key");
        assert_eq!(name(3, &|it| it[0x188] = 0x17), "product");
        assert_eq!(name(5, &|it| it[0x189] = 0x7F), "product");
        assert_eq!(name(2, &|it| it[0x1A0] ^= 1), "processor");
        assert_eq!(name(2, &|it| it[0x1A0..0x1E0].fill(0)), "processor", "masked, under the chip's own key");
        assert_eq!(name(2, &|it| it[0x1DF] ^= 1), "processor");
        for at in 0..8 {
            assert_eq!(name(2, &|it| it[0x180 + at] += 1), "platform version", "{product}, byte {at}");
        }
        assert_eq!(name(2, &|it| it[0x1E5] = 1), "report", "reserved bytes of the committed version");
        assert_eq!(name(2, &|it| it[0x1F5] = 1), "report", "reserved bytes of the version at launch");
    }
}

#[test]
fn versions_that_ran_at_the_launch_count_where_they_are_lower() {
    for (product, at, field) in [
        (Product::Milan, 6, "snp.tcb.milan.snp"),
        (Product::Genoa, 7, "snp.tcb.genoa.microcode"),
        (Product::Turin, 0, "snp.tcb.turin.fmc"),
        (Product::Turin, 1, "snp.tcb.turin.bootloader"),
        (Product::Turin, 2, "snp.tcb.turin.tee"),
    ] {
        let judged = |launched: u8| {
            let mut bytes = report(product, 3, false);
            let wanted = bytes[0x180 + at].to_string();
            bytes[0x1F0 + at] = launched;
            let certificate = certificate(&endorsement(product, false), Hand::Issuer);
            under(product, sign(bytes), certificate, open_but(&[(field, &wanted)]))
        };
        assert!(judged(255).accepted, "{field}");
        assert_eq!((refusal(&judged(0)).name, refusal(&judged(0)).found.as_str()), (field, "0"));
    }
}

#[test]
fn a_guest_below_somebody_elses_code_is_said_to_be_so() {
    for vmpl in 1..=3 {
        let verdict = of_report(Product::Genoa, 3, |report| report[0x30] = vmpl);
        assert_eq!((verdict.accepted, verdict.assurance), (true, Some(Assurance::Paravisor)));
    }
}

/// A verdict on a good report under a changed certificate.
fn of_certificate(product: Product, is_cloud: bool, certificate: Vec<u8>) -> Verdict {
    verdict(product, sign(report(product, 3, is_cloud)), certificate, &[])
}

#[test]
fn a_certificate_without_one_of_its_extensions_or_with_one_twice_is_refused() {
    for product in Product::ALL {
        for is_cloud in [false, true] {
            let whole = endorsement(product, is_cloud);
            for at in 0..whole.extensions.len() {
                for is_twice in [false, true] {
                    let mut content = endorsement(product, is_cloud);
                    let one = content.extensions.remove(at);
                    content.extensions.extend(is_twice.then(|| [one.clone(), one]).into_iter().flatten());
                    let verdict = of_certificate(product, is_cloud, certificate(&content, Hand::Issuer));
                    assert_eq!(
                        refusal(&verdict).name,
                        "certificate",
                        "{product}, {is_cloud}, extension {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_certificate_of_another_kind_issuer_time_or_key_is_refused() {
    let name = |change: &dyn Fn(&mut common::forge::Content<'static>), hand| {
        let mut content = endorsement(Product::Milan, false);
        change(&mut content);
        refusal(&of_certificate(Product::Milan, false, certificate(&content, hand))).name
    };
    let issuer = Hand::Issuer;
    assert_eq!(name(&|it| it.subject = "SEV-OTHER", issuer), "certificates of signing keys");
    assert_eq!(name(&|it| it.subject = "SEV-VLEK", issuer), "certificate", "no cloud is named");
    assert_eq!(name(&|it| it.issuer = ROOT, issuer), "certificate chain");
    assert_eq!(name(&|it| it.issuer = ROOT, Hand::Root), "certificate chain", "roots sign no chips");
    assert_eq!(name(&|_| (), Hand::Root), "certificate chain");
    assert_eq!(name(&|it| it.span = ("250701000000Z", VALID.1), issuer), "certificate validity");
    assert_eq!(name(&|it| it.span = (VALID.0, "250501000000Z"), issuer), "certificate validity");
    let other = endorsement(Product::Genoa, false).extensions.swap_remove(0);
    assert_eq!(
        name(&|it| it.extensions[0].clone_from(&other), issuer),
        "certificate chain",
        "no root of that product"
    );
    let key = |it: &mut common::forge::Content<'static>| *it.key.last_mut().unwrap() ^= 1;
    assert_eq!(name(&key, issuer), "certificate", "no point of the curve");
    let unknown = common::forge::extension(&[2], &common::forge::tlv(0x16, b"Rome-B0"));
    assert_eq!(name(&|it| it.extensions[0].clone_from(&unknown), issuer), "certificate");
    let long = common::forge::extension(&[3, 1], &common::forge::tlv(0x02, &[1, 4]));
    assert_eq!(
        name(&|it| it.extensions[1].clone_from(&long), issuer),
        "certificate",
        "versions have one byte"
    );
}

#[test]
fn revocation_lists_are_genuine_current_and_free_of_the_issuer_or_refused() {
    let next = Some("250701000000Z");
    let list = |serials: &[&[u8]]| revocation_list(ROOT, Hand::Root, "250501000000Z", next, serials);
    let under = |lists: &[Vec<u8>]| {
        let endorsement = certificate(&endorsement(Product::Milan, false), Hand::Issuer);
        verdict(Product::Milan, sign(report(Product::Milan, 2, false)), endorsement, lists)
    };
    let found = |lists: &[Vec<u8>]| {
        let verdict = under(lists);
        let check = verdict.checks.iter().find(|check| check.name == "snp.revocation");
        check.map(|check| check.found.clone()).unwrap_or_default()
    };
    assert_eq!(found(&[]), "no current list given");
    assert_eq!(found(&[list(&[])]), "checked");
    assert_eq!(found(&[list(&[&[9], &[1, 0, 2]])]), "checked");
    let others = revocation_list("ARK-Other", Hand::Root, "250501000000Z", next, &[ISSUER_SERIAL]);
    assert_eq!(found(core::slice::from_ref(&others)), "no current list given");
    assert_eq!(found(&[others, list(&[])]), "checked");
    let refused = |list: Vec<u8>| refusal(&under(&[list])).found.clone();
    assert_eq!(refused(list(&[&[9], ISSUER_SERIAL])), "revoked");
    let stale = "a list that is not current";
    assert_eq!(refused(revocation_list(ROOT, Hand::Root, "250601000001Z", next, &[])), stale);
    assert_eq!(
        refused(revocation_list(ROOT, Hand::Root, "250401000000Z", Some("250531235959Z"), &[])),
        stale
    );
    assert_eq!(refused(revocation_list(ROOT, Hand::Root, "250401000000Z", None, &[])), stale);
    let forged = "a list that the root did not sign";
    assert_eq!(refused(revocation_list(ROOT, Hand::Issuer, "250501000000Z", next, &[])), forged);
    let mut longer = list(&[]);
    longer.push(0);
    assert_eq!(refusal(&under(&[longer])).name, "revocation list");
}

#[test]
fn roots_are_one_that_signed_itself_and_what_it_signed() {
    let add = |text: &str| Roots::none().add(Product::Milan, text);
    let chain = common::forge::chain();
    let blocks: Vec<_> = chain.split_inclusive("-----END CERTIFICATE-----\n").collect();
    assert_eq!(add(&chain), Ok(()));
    assert_eq!(add(blocks[1]), Err(RootError::Root), "no root");
    assert_eq!(add(&[blocks[0], blocks[0]].concat()), Err(RootError::Root), "two roots");
    let stranger = pem(&certificate(&endorsement(Product::Milan, false), Hand::Issuer));
    assert_eq!(add(&[blocks[0], &stranger].concat()), Err(RootError::Issuer));
    assert_eq!(add(&chain.replace("MII", "MIX")), Err(RootError::Form));
}
