//! A limit on a peer's memory, page cache with it, by the kernel's memory controller.

use anyhow::{Context as _, Result};
use std::fs::{create_dir, remove_dir, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A group of processes with so much memory. Goes when it is dropped, after its processes.
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// A new group; needs the right to make one.
    pub(super) fn new(bytes: u64) -> Result<Self> {
        // Version 2 has one tree, version 1 one for each controller.
        let (tree, limit) = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            ("/sys/fs/cgroup", "memory.max")
        } else {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        };
        let folder = Path::new(tree).join(format!("vial-bench-{}", std::process::id()));
        create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        let group = Self(folder);
        write(group.0.join(limit), bytes.to_string()).with_context(|| format!("write {limit}"))?;
        Ok(group)
    }

    /// The command, to be run in this group.
    pub(super) fn run(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(self.0.join("cgroup.procs"));
        inside.arg(command.get_program()).args(command.get_args());
        inside
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A group that still has a process stays; its number in the name tells whose it was.
        let _stays = remove_dir(&self.0);
    }
}

/// Lets the kernel forget files it has read, so that the next reader begins cold.
pub(super) fn forget_files() -> Result<()> {
    let drop_caches = "/proc/sys/vm/drop_caches";
    Command::new("sync").status().context("sync")?;
    write(drop_caches, "1").with_context(|| format!("write {drop_caches}"))
}

/// Lets the kernel read a file, so that the next reader finds it in memory that is on nobody's account.
pub(super) fn remember(file: &Path) -> Result<()> {
    let mut file = std::fs::File::open(file)?;
    std::io::copy(&mut file, &mut std::io::sink()).context("read ahead")?;
    Ok(())
}
