//! The line that every table of figures is quoted with: date, processor, load.

use std::fs;
use std::process::Command;

pub fn line() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map_or_else(
        |_| String::new(),
        |date| String::from_utf8_lossy(&date.stdout).trim().to_owned(),
    );
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or("?", |(_, value)| value.trim())
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{date}, {} (family {}, model {}), {} cores, load {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::thread::available_parallelism().map_or(0, usize::from),
        load.split(' ').next().unwrap_or("?")
    )
}
