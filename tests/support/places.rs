//! Where things are: what `tests/run` fetched, and free ports.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use tempfile::TempDir;

#[path = "../ports/mod.rs"]
mod ports;

pub use ports::free_ports;

/// One folder of what `tests/run` fetched: `kafka`, `clients`, `avro`, `venv`.
pub fn fetched(name: &str) -> PathBuf {
    let real = std::env::var_os("PORTCULLIS_REAL").map_or_else(|| project("target/real"), PathBuf::from);
    let folder = real.join(name);
    assert!(
        folder.join(".fetched").exists(),
        "no {}: run `bash tests/run --fetch` once",
        folder.display()
    );
    folder
}

/// What `tests/run` compiled: `classes/`, `messages/`.
pub fn built() -> PathBuf {
    let built = project("target/built");
    assert!(
        built.join("classes/.compiled").exists(),
        "nothing in {}: run `bash tests/run --fetch`",
        built.display()
    );
    built
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder under `target/tmp`, gone when it is dropped; what a `static` holds is never dropped, and goes when the next
/// test process starts.
pub fn scratch() -> TempDir {
    static HOUSEKEEPING: Once = Once::new();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    HOUSEKEEPING.call_once(|| {
        for entry in fs::read_dir(all).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.parse::<u32>().is_ok() && !Path::new("/proc").join(&name).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    });
    let own = all.join(std::process::id().to_string());
    fs::create_dir_all(&own).unwrap();
    tempfile::tempdir_in(own).unwrap()
}

pub fn free_port(host: &str) -> u16 {
    free_ports(host, 1)
}
