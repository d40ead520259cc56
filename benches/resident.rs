//! How much memory a benchmark takes. Only where the system tells, as Linux does.

/// The most memory that this process had, in MiB; 0 where the system does not say.
pub(crate) fn most() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}
