//! Finds the schema files that a command line means, and reads them.

use super::connection::Stop;
use crate::cli::exit;
use crate::config::manifest::MANIFEST;
use crate::schema::SchemaType;
use crate::schema::place::{Place, Position};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Folders below folders; a loop of links is never followed, a mount of itself ends here.
const DEPTH_MAX: usize = 64;
const FILES_MAX: usize = 100_000;
/// The largest file that is read: more than any schema language of ours takes.
const BYTES_MAX: u64 = 8 << 20;

/// A folder of schemas with one manifest, or none.
#[derive(Debug)]
pub struct Root {
    pub folder: PathBuf,
    pub manifest: Option<PathBuf>,
    /// Relative to the folder, in order.
    pub files: BTreeSet<PathBuf>,
    /// Those that the command is about.
    pub selected: BTreeSet<PathBuf>,
}

pub fn type_of(file: &Path) -> Option<SchemaType> {
    match file.extension()?.to_str()? {
        "avsc" => Some(SchemaType::Avro),
        "proto" => Some(SchemaType::Protobuf),
        "json" => Some(SchemaType::Json),
        _ => None,
    }
}

fn no_input(path: &Path, why: &dyn std::fmt::Display) -> Stop {
    Stop {
        code: exit::NO_INPUT,
        why: format!("{} cannot be read: {why}", path.display()),
    }
}

/// The folders of schemas that `paths` lie in: each path belongs to the nearest folder above it with a manifest, up to the
/// top of its repository.
pub fn roots(paths: &[PathBuf]) -> Result<Vec<Root>, Stop> {
    let mut roots: BTreeMap<PathBuf, Root> = BTreeMap::new();
    for path in paths {
        let is_folder = fs::metadata(path).map(|found| found.is_dir());
        // A link that leads nowhere is still a file that somebody committed: it is reported as one.
        let is_folder = match is_folder {
            Ok(is_folder) => is_folder,
            Err(_) if path.symlink_metadata().is_ok() => false,
            Err(error) => return Err(no_input(path, &error)),
        };
        let is_manifest = !is_folder && path.file_name().is_some_and(|name| name == MANIFEST);
        if !is_folder && !is_manifest && type_of(path).is_none() {
            return Err(Stop::usage(format!(
                "{} is no schema file: their names end in .avsc, .proto or .json",
                path.display()
            )));
        }
        let place = whole(path, is_folder).map_err(|error| no_input(path, &error))?;
        let start = if is_folder {
            Some(place.as_path())
        } else {
            place.parent()
        };
        let start = start.unwrap_or(Path::new("/"));
        let governed = above(start);
        let folder = governed.clone().unwrap_or_else(|| start.to_owned());
        if !roots.contains_key(&folder) {
            let mut files = BTreeSet::new();
            if governed.is_some() || is_folder {
                walk(&folder, &mut files)?;
            }
            let root = Root {
                manifest: governed.map(|folder| folder.join(MANIFEST)),
                folder: folder.clone(),
                files,
                selected: BTreeSet::new(),
            };
            roots.insert(folder.clone(), root);
        }
        let Some(root) = roots.get_mut(&folder) else {
            continue;
        };
        if is_manifest {
            root.selected.clone_from(&root.files);
            continue;
        }
        let relative = place.strip_prefix(&folder).unwrap_or(&place).to_owned();
        if is_folder {
            if root.files.is_empty() {
                walk(&folder, &mut root.files)?;
            }
            let below = root.files.iter().filter(|file| file.starts_with(&relative));
            root.selected.extend(below.cloned());
        } else {
            root.files.insert(relative.clone());
            root.selected.insert(relative);
        }
    }
    Ok(roots.into_values().collect())
}

/// A path without links in its folders. The file itself may be one: its own name counts.
fn whole(path: &Path, is_folder: bool) -> io::Result<PathBuf> {
    if is_folder {
        return path.canonicalize();
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize()?;
    Ok(parent.join(path.file_name().unwrap_or_default()))
}

fn above(start: &Path) -> Option<PathBuf> {
    for folder in start.ancestors() {
        if folder.join(MANIFEST).is_file() {
            return Some(folder.to_owned());
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// All schema files below a folder. Links to folders are not followed; what begins with a dot is not looked at.
fn walk(root: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), Stop> {
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| no_input(&folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| no_input(&folder, &error))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry
                .file_type()
                .map_err(|error| no_input(&entry.path(), &error))?;
            if kind.is_dir() {
                if depth + 1 >= DEPTH_MAX {
                    return Err(no_input(
                        &entry.path(),
                        &format!("it lies more than {DEPTH_MAX} folders deep"),
                    ));
                }
                folders.push((entry.path(), depth + 1));
            } else if type_of(&entry.path()).is_some() && !leads_to_folder(&entry.path(), kind) {
                if files.len() >= FILES_MAX {
                    return Err(no_input(
                        root,
                        &format!("it holds more than {FILES_MAX} schema files"),
                    ));
                }
                let path = entry.path();
                files.insert(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    Ok(())
}

fn leads_to_folder(path: &Path, kind: fs::FileType) -> bool {
    kind.is_symlink() && fs::metadata(path).is_ok_and(|found| found.is_dir())
}

/// Why a file is no text.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub why: String,
    pub position: Option<Position>,
}

pub fn read(path: &Path) -> Result<String, Unreadable> {
    let plain = |why: String| Unreadable { why, position: None };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| {
            // A named pipe would never end.
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            file.take(BYTES_MAX + 1).read_to_end(&mut bytes)
        })
        .map_err(|error| plain(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(plain(format!(
            "has more than {BYTES_MAX} bytes, which no schema has"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        Unreadable {
            why: format!("is not UTF-8: byte {at} begins no character"),
            position: Place::Byte(at).position(&before),
        }
    })
}

/// A path as people call it: from the working directory where it lies below that.
pub fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    match here.as_deref().map(|here| path.strip_prefix(here)) {
        Ok(Ok(below)) if !below.as_os_str().is_empty() => below.to_owned(),
        _ => path.to_owned(),
    }
}
