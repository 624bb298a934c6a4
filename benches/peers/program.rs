//! A program that is measured from outside: its CPU time, memory and descriptors.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;
use serde_json::Value;
use tempfile::TempDir;

use super::screen::Screen;

/// The kernel's unit of CPU time, as `/proc` tells it.
const TICKS_PER_SECOND: f64 = 100.0;

/// A program at work, with a folder of its own.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) screen: Option<Screen>,
    folder: TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// User and system time of all its threads, in seconds.
    pub(crate) cpu_s: f64,
    /// `summary.json`, where it wrote one.
    pub(crate) summary: Value,
    /// What it wrote to its folder; gone when dropped.
    pub(crate) folder: TempDir,
}

impl Program {
    /// Starts it; `{out}` in an argument becomes a folder for what it writes.
    pub(crate) fn start(args: &[String], screen: Option<Screen>) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("run").display().to_string();
        let args: Vec<String> = args.iter().map(|it| it.replace("{out}", &out)).collect();
        let (name, rest) =
            args.split_first().ok_or_else(|| io::Error::other("no program to start"))?;
        let mut command = if let Some(screen) = &screen {
            screen.command(&args)?
        } else {
            let mut command = Command::new(name);
            command.args(rest);
            command
        };
        command.env("XDG_STATE_HOME", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child: command.spawn()?, screen, folder })
    }

    /// Resident memory in bytes; `None` once it has ended.
    pub(crate) fn rss(&self) -> Option<u64> {
        let status = fs::read_to_string(self.proc("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    }

    /// How many descriptors it holds.
    pub(crate) fn n_descriptors(&self) -> Option<usize> {
        Some(fs::read_dir(self.proc("fd")).ok()?.count())
    }

    /// CPU time so far by thread, in seconds.
    pub(crate) fn cpu_by_thread(&self) -> Vec<(String, f64)> {
        let Ok(threads) = fs::read_dir(self.proc("task")) else { return Vec::new() };
        threads.filter_map(|thread| cpu(&thread.ok()?.path().join("stat"))).collect()
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        matches!(
            rustix::process::waitid(WaitId::Pid(Pid::from_child(&self.child)), options),
            Ok(Some(_))
        )
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> io::Result<Ended> {
        while !self.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
        // What has ended and was not waited for still tells what it took.
        let cpu_s = cpu(&self.proc("stat")).map_or(0.0, |(_, cpu_s)| cpu_s);
        self.child.wait()?;
        let summary = self.folder.path().join("run/summary.json");
        let summary = fs::read(summary).ok().and_then(|it| serde_json::from_slice(&it).ok());
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        Ok(Ended { cpu_s, summary: summary.unwrap_or_default(), folder })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended cannot be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name and the CPU time of a process or a thread.
fn cpu(stat: &Path) -> Option<(String, f64)> {
    let stat = fs::read_to_string(stat).ok()?;
    // The name may hold spaces; behind its closing parenthesis begins field 3.
    let (head, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some((head.split_once('(')?.1.to_owned(), ticks / TICKS_PER_SECOND))
}
