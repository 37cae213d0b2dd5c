//! What the operating system says about this process and its disk. Linux says all of it; elsewhere some is not known,
//! and the page leaves it out.

use std::{fs, path::Path};

/// Clock ticks a second in `/proc`: the same on every Linux that Rust is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process at one moment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) threads: Option<f64>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) open_files: Option<f64>,
    pub(super) open_files_max: Option<f64>,
}

impl Process {
    pub(super) fn look() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        let (status, stat, limits) = (read("status"), read("stat"), read("limits"));
        let kilobytes = |name| status_field(&status, name).map(|kilobytes| kilobytes * 1024.0);
        Self {
            resident_bytes: kilobytes("VmRSS:"),
            virtual_bytes: kilobytes("VmSize:"),
            threads: status_field(&status, "Threads:"),
            cpu_seconds: cpu_seconds(&stat),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64),
            open_files_max: limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok()),
        }
    }
}

fn status_field(status: &str, name: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// The fields after the command's name, which is in parentheses and may hold anything: the 12th and 13th are the time in
/// user and in kernel mode.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// The disk that holds a folder: free bytes for us, and all bytes.
#[cfg(unix)]
pub(super) fn volume(folder: &Path) -> Option<(f64, f64)> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
    Some((bytes(stat.f_bavail), bytes(stat.f_blocks)))
}

#[cfg(not(unix))]
pub(super) fn volume(_: &Path) -> Option<(f64, f64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        assert_eq!(status_field("Name:\tx\nVmRSS:\t   1234 kB\n", "VmRSS:"), Some(1234.0));
        for bad in ["", "VmRSS:", "VmRSS: many kB"] {
            assert_eq!(status_field(bad, "VmRSS:"), None);
        }
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        for bad in ["", "7 (x) S 1 2", "7 x S 1 2 3 4 5 6 7 8 9 10 150 50", "7 (x) S 1 2 3 4 5 6 7 8 9 10 a b"] {
            assert_eq!(cpu_seconds(bad), None, "{bad}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen_whole() {
        let process = Process::look();
        assert!(process.resident_bytes > Some(1e5) && process.open_files > Some(2.0), "{process:?}");
        assert!(process.threads >= Some(1.0) && process.cpu_seconds.is_some(), "{process:?}");
        assert!(process.open_files_max.is_some(), "{process:?}");
        let (free, all) = volume(Path::new("/")).expect("a disk");
        assert!(free <= all && all > 0.0);
        assert_eq!(volume(Path::new("/nowhere/at/all")), None);
    }
}
