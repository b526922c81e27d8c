//! A browser without a window, and what it made of a page.
#![allow(dead_code, reason = "each test file uses a part of it")]

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Time of a page that passes before it is read, where files are waited for; it goes faster than the clock on the wall.
const VIRTUAL_MS: u32 = 10_000;

/// Chromium.
pub(crate) struct Chromium(PathBuf);

impl Chromium {
    /// The one on the path; says so if there is none.
    pub(crate) fn installed() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|it| it.is_file());
        if found.is_none() {
            println!("skipped: no chromium (`cargo xtask setup` installs it)");
        }
        found.map(Self)
    }

    /// A page as it is when it has loaded, as HTML.
    pub(crate) fn dump(&self, page: &Path) -> String {
        self.dump_with(page, None)
    }

    /// A page as it is when what it waits for has happened.
    pub(crate) fn dump_later(&self, page: &Path) -> String {
        self.dump_with(page, Some(format!("--virtual-time-budget={VIRTUAL_MS}")))
    }

    fn dump_with(&self, page: &Path, flag: Option<String>) -> String {
        let mut command = self.command(page);
        let output = command.arg("--dump-dom").args(flag).stderr(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "chromium: {}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its sandbox cannot start as root, and what it shows is ours.
    fn command(&self, page: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.arg(format!("--user-data-dir={}", page.with_extension("profile").display()));
        command.arg(format!("file://{}", page.display()));
        command
    }
}

/// The page with a script of the test's own, which its policy is changed to allow.
pub(crate) fn with_script(page: &str, script: &str) -> String {
    let digest = Base64::encode_string(&Sha256::digest(script));
    let page = page.replacen("script-src ", &format!("script-src 'sha256-{digest}' "), 1);
    page.replacen("</body>", &format!("<script>{script}</script></body>"), 1)
}

/// What stands in the element of that identity, as markup.
pub(crate) fn element<'a>(dom: &'a str, id: &str) -> &'a str {
    let (before, rest) = dom.split_once(&format!(" id=\"{id}\"")).unwrap();
    let tag = before.rsplit_once('<').unwrap().1;
    let tag = tag.split(' ').next().unwrap();
    let (_, inner) = rest.split_once('>').unwrap();
    inner.split_once(&format!("</{tag}>")).unwrap().0
}

/// The text of markup: what stands between tags.
pub(crate) fn text(markup: &str) -> String {
    let pieces = markup.split('<').enumerate();
    let pieces = pieces.map(|(at, piece)| if at == 0 { piece } else { piece.split_once('>').unwrap().1 });
    let text: String = pieces.collect();
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u{A0}"), ("&amp;", "&")];
    entities.into_iter().fold(text, |text, (entity, character)| text.replace(entity, character))
}
