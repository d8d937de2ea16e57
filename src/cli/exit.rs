//! Exit codes, as `sysexits.h` has them.

use std::io;
use std::process::ExitCode;

/// A schema is incompatible or invalid.
pub const INCOMPATIBLE: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// What was given is not what it should be: a broken export, a registry that refuses it.
pub const DATA: u8 = 65;
/// What was named is not there.
pub const NO_INPUT: u8 = 66;
/// Something that is needed is not to be had: a port that somebody else holds.
pub const UNAVAILABLE: u8 = 69;
/// The operating system refused.
pub const OS_ERROR: u8 = 71;
/// A file cannot be made or written.
pub const CANNOT_CREATE: u8 = 73;
/// Nothing is wrong, it was only ended too early.
pub const TRY_AGAIN: u8 = 75;
/// Not permitted: a port below 1024, a file of somebody else.
pub const NO_PERMISSION: u8 = 77;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// The code for a part that did not start.
pub fn of_start_error(error: &io::Error) -> ExitCode {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, InvalidData, InvalidInput, NotFound, PermissionDenied};
    ExitCode::from(match error.kind() {
        AddrInUse | AddrNotAvailable => UNAVAILABLE,
        PermissionDenied => NO_PERMISSION,
        // A certificate, a key, a folder: named in the configuration, and not what it says.
        InvalidData | InvalidInput | NotFound => CONFIG,
        _ => OS_ERROR,
    })
}
