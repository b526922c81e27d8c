//! `vial unlock`: releases the key of encrypted weights to an appliance that verifies.

use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use vial_channel::unlock::{NoRelease, OFFER_BYTES, Offer, RELEASE_BYTES, Secret};
use vial_client::Connection;
use vial_weights::Manifest;
use vial_weights::cipher::{ImageKey, OwnerKey};
use vial_weights::tree::Hex;

use crate::failure::{Failure, REFUSED};
use crate::http::connect;
use crate::key::{self, unhex};
use crate::terminal::{Style, json, print, say};
use crate::verify::{Expected, Judge, Makers};

/// Longest wait for an answer: the model's header is read before the last comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer.
const ANSWER_MAX: u64 = 16 << 10;
/// Tries while somebody else's wrong keys close the appliance for a second each.
const TRIES: u32 = 10;

/// Verify an appliance whose weights are encrypted, and release their key to it
///
/// Verifies first, and releases over that very connection: nobody else opens what is sent, nor the appliance at another start. What it
/// gets is the key of its image alone. Exit code 0: unlocked; 1: refused, and nothing was released or it was the wrong key; 2: could
/// not.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The appliance's address: https://HOST:PORT
    url: String,
    /// The key that the image was built with (`vial build --encrypt`).
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    makers: Makers,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    unlocked: &'a str,
    model: &'a str,
    plaintext_root: String,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let owner = key::read_weights(&args.key)?;
    let judge = Judge::new(&args.expected, &args.makers)?;
    let mut connection = connect(&args.url, PATIENCE)?;
    let appraised = judge.judge(&args.url, &mut connection)?;
    if !args.json {
        appraised.screen().iter().for_each(|line| say(line));
    }
    let manifest = appraised.manifest();
    let hint = "nothing was released; `vial verify` shows every check";
    let manifest =
        manifest.ok_or_else(|| Failure::new("refused: it does not verify", hint).with_code(REFUSED))?;
    let (key, plaintext_root) = image_key(&owner, &manifest)?;
    for left in (0..TRIES).rev() {
        if unlock(&mut connection, &manifest, &key)? {
            break;
        }
        if left == 0 {
            return Err(Failure::new("somebody else tries wrong keys without end", "try again"));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    if args.json {
        print(&json(&Output { unlocked: &args.url, model: &manifest.model, plaintext_root }));
    } else {
        say(&format!("{} {} ({})", Style::Good.paint("unlocked"), args.url, manifest.model));
    }
    Ok(())
}

/// The owner's key for an image; one that the manifest does not know is told to nobody.
fn image_key(owner: &OwnerKey, manifest: &Manifest) -> Result<(ImageKey, String), Failure> {
    let none =
        || Failure::new("found weights in clear, expected encrypted ones", "there is nothing to unlock");
    let encryption = manifest.encryption.as_ref().ok_or_else(none)?;
    let key = owner.image_key(&encryption.image_id());
    if encryption.is_opened_by(&key) {
        return Ok((key, Hex(&encryption.plaintext_root).to_string()));
    }
    let text = "refused: the weights are encrypted with another key than the one given";
    Err(Failure::new(text, "nothing was released; name the key that the image was built with")
        .with_code(REFUSED))
}

#[derive(Deserialize)]
struct Offered {
    offer: String,
}

/// One try; `false` if it is to be made again.
fn unlock(connection: &mut Connection, manifest: &Manifest, key: &ImageKey) -> Result<bool, Failure> {
    let response = connection.ask("GET", "/v1/unlock", None, ANSWER_MAX)?;
    if response.status != 200 {
        return Err(told(response.status, &response.body));
    }
    let offered: Option<Offered> = serde_json::from_slice(&response.body).ok();
    let offer = offered.and_then(|it| unhex::<OFFER_BYTES>(&it.offer));
    let none = || Failure::new("found no offer, expected one", "is there an appliance behind this address?");
    let offer = Offer::decode(&offer.ok_or_else(none)?);
    let release = release(&offer, connection.key(), manifest, key)?;
    let body = format!(r#"{{"release":"{}"}}"#, Hex(&release));
    let response = connection.ask("POST", "/v1/unlock", Some(body.as_bytes()), ANSWER_MAX)?;
    match response.status {
        200 => Ok(true),
        429 => Ok(false),
        status => Err(told(status, &response.body)),
    }
}

fn release(
    offer: &Offer,
    channel_key: &[u8; 32],
    manifest: &Manifest,
    key: &ImageKey,
) -> Result<[u8; RELEASE_BYTES], Failure> {
    let secret = Secret::new(*key.bytes());
    let released =
        offer.release(channel_key, &manifest.digest(), &secret, |bytes| getrandom::fill(bytes).is_ok());
    released.map_err(|why| match why {
        NoRelease::Randomness => Failure::new(why.to_string(), "the system gives none"),
        NoRelease::Signature | NoRelease::Recipient => {
            Failure::new(format!("refused: {why}"), "nothing was released").with_code(REFUSED)
        }
    })
}

/// What the appliance said, in one line.
fn told(status: u16, body: &[u8]) -> Failure {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let why = body["error"]["message"].as_str().unwrap_or("it does not say why");
    let plain: String = why.chars().filter(|character| !character.is_control()).take(200).collect();
    let failure = Failure::new(format!("the appliance says {status}: {plain}"), "is it locked?");
    if status == 403 { failure.with_code(REFUSED) } else { failure }
}
