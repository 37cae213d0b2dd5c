//! What the kernel says about a process: `/proc/<pid>/stat` and `status`.

use std::{fs, time::Duration};

/// The kernel's clock ticks a second as user space sees them; fixed at 100 on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time used so far, user and system.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // Fields are counted after the command's name, which may hold spaces; utime and stime are the 12th and 13th there.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// Resident memory now, in megabytes.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kilobytes / 1024.0
}
