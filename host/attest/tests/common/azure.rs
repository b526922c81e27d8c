//! Recorded machines of Azure.

use serde_json::Value;
use vial_attest::tpm::{PCRS, TpmQuote};
use vial_attest::{AZURE, Attached, Statement, unhex};

use super::{Recording, recorded};

/// 2024-10-01; the machines' certificates are from before.
const NOW: u64 = 1_727_740_800;
/// 2025-11-01.
const LATER: u64 = 1_761_955_200;

/// Those on SEV-SNP, whose chips' certificates are there.
pub(crate) fn all() -> Vec<Recording> {
    [milan(), milan_anew(), genoa()].into_iter().flatten().collect()
}

fn milan() -> Option<Recording> {
    let report = recorded("azure-vtpm/snp-hcl-report.bin")?;
    let quote = json("azure-vtpm/snp-tpm-quote-v1.json")?;
    let chain = String::from_utf8(recorded("azure-vtpm/snp-vcek-chain.pem")?).unwrap();
    let certificates = vial_attest::pem_documents(&chain).unwrap();
    Some(recording("azure, milan", report, certificates, &quote, NOW))
}

fn milan_anew() -> Option<Recording> {
    let evidence = json("azure-vtpm/snp-evidence-v2.json")?;
    let report = base64(evidence["hcl_report"].as_str().unwrap());
    let certificate = base64(evidence["vcek"].as_str().unwrap());
    Some(recording("azure, milan, anew", report, vec![certificate], &evidence["tpm_quote"], LATER))
}

fn genoa() -> Option<Recording> {
    let evidence = json("azure-vtpm/snp-evidence-genoa.json")?;
    let certificates = vial_attest::pem_documents(evidence["vcek"].as_str().unwrap()).unwrap();
    let report = bytes(&evidence["report"]);
    Some(recording("azure, genoa", report, certificates, &evidence["quote"], LATER))
}

fn recording(
    name: &'static str,
    report: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    quote: &Value,
    now: u64,
) -> Recording {
    let attached = Attached { tpm: Some(tpm(quote)), ..Attached::default() };
    let statement = Statement { tee: AZURE.to_owned(), report, certificates, attached };
    Recording { name, statement, collateral: None, now }
}

fn tpm(quote: &Value) -> TpmQuote {
    let mut pcrs = [[0; 32]; PCRS];
    for (to, from) in pcrs.iter_mut().zip(quote["pcrs"].as_array().unwrap()) {
        *to = bytes(from).try_into().unwrap();
    }
    TpmQuote { message: bytes(&quote["message"]), signature: bytes(&quote["signature"]), pcrs, key: None }
}

fn json(path: &str) -> Option<Value> {
    recorded(path).map(|text| serde_json::from_slice(&text).unwrap())
}

/// Hex, or a list of numbers.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(hex) => unhex(hex).unwrap(),
        list => {
            list.as_array().unwrap().iter().map(|byte| byte.as_u64().unwrap().try_into().unwrap()).collect()
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64ct::Encoding as _;
    base64ct::Base64UrlUnpadded::decode_vec(text.trim_end_matches('='))
        .or_else(|_| base64ct::Base64::decode_vec(text))
        .unwrap()
}
