//! What processes use: the server's, by its id, and this one.

use std::{fs, io, path::PathBuf, time::Duration};

use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

/// The server's process, as `/proc` shows it.
pub(crate) struct Process {
    directory: PathBuf,
}

impl Process {
    /// Fails if there is no such process, or no `/proc`.
    pub(crate) fn new(pid: u32) -> Result<Self, String> {
        let process = Self { directory: format!("/proc/{pid}").into() };
        let readable = process.cpu_time().and_then(|_| process.rss_kib());
        readable.map_err(|error| format!("`--pid {pid}`: {error} (this needs Linux)"))?;
        Ok(process)
    }

    /// Processor time of all threads that run now. What threads used that have ended is not in it,
    /// which matters for a server that makes and ends threads while it is measured.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(self.directory.join("task"))? {
            let task = task?.path();
            // To the nanosecond, where the kernel keeps it; else to the tick.
            let time = match fs::read_to_string(task.join("schedstat")) {
                Ok(text) => schedstat_time(&text),
                Err(_) => match fs::read_to_string(task.join("stat")) {
                    Ok(text) => stat_time(&text),
                    // The thread has ended since the directory was read.
                    Err(_) => continue,
                },
            };
            sum += time.ok_or_else(|| unreadable("processor time"))?;
        }
        Ok(sum)
    }

    /// Resident memory.
    pub(crate) fn rss_kib(&self) -> io::Result<u64> {
        // The sum over all pages; what `status` says lags behind, as each thread counts for itself.
        // Only the same user may see it.
        let exact = fs::read_to_string(self.directory.join("smaps_rollup"));
        let text = match &exact {
            Ok(text) if text.contains("Rss:") => text,
            _ => &fs::read_to_string(self.directory.join("status"))?.replace("VmRSS:", "Rss:"),
        };
        rss_in(text).ok_or_else(|| unreadable("memory"))
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot read its {what}"))
}

/// Processor time of this process.
pub(crate) fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// `3141592 2718 42`: nanoseconds on a processor, nanoseconds waiting, time slices.
fn schedstat_time(text: &str) -> Option<Duration> {
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// `7 (a name) S 1 …`, with user and system time in ticks as the 14th and 15th field.
fn stat_time(text: &str) -> Option<Duration> {
    // The name may contain anything, but what follows contains no parenthesis.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) as f64 / clock_ticks_per_second() as f64))
}

/// `Rss:      1234 kB`, on a line of its own.
fn rss_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_from_either_file() {
        assert_eq!(schedstat_time("3141592 2718 42\n"), Some(Duration::from_nanos(3_141_592)));
        let ticks = clock_ticks_per_second();
        let stat = format!("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 {ticks} {ticks} 0 0 20");
        assert_eq!(stat_time(&stat), Some(Duration::from_secs(2)));
        assert_eq!(stat_time("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_one_line_of_many() {
        let text = "00400000-7ffe [rollup]\nRss:            5120 kB\nPss:   10 kB\n";
        assert_eq!(rss_in(text), Some(5120));
        assert_eq!(rss_in("Name: x\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_can_be_read() {
        let process = Process::new(std::process::id()).unwrap();
        assert!(process.rss_kib().unwrap() > 0);
        assert!(process.cpu_time().unwrap() > Duration::ZERO);
        assert!(own_cpu_time() > Duration::ZERO);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process::new(u32::MAX).is_err());
    }
}
