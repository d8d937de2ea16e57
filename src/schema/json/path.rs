//! Where in a payload a node is, as `$.items[3].sku`. Found afterwards from the tape, so that the walk need not
//! carry it.

use super::tape::{Node, kind};
use super::text::unescape;
use std::fmt::Write;

/// Longest path, and longest name in it, in characters; what is beyond is `…`.
const MAX_PATH: usize = 300;
const MAX_NAME: usize = 60;

/// The path to the node at `target`; to a property's name it is the path to its value.
pub fn path_to(target: u32, bytes: &[u8], nodes: &[Node]) -> String {
    let mut path = String::from("$");
    let mut at = 0;
    while at != target {
        let Some(node) = nodes.get(at as usize) else { break };
        let is_object = node.kind == kind::OBJECT;
        let mut child = at + 1;
        let mut index = 0usize;
        loop {
            let value = if is_object { child + 1 } else { child };
            let Some(after) = nodes.get(value as usize).map(|node| node.next) else {
                return path;
            };
            if child >= node.next {
                return path;
            }
            if target < after {
                if is_object {
                    if let Some(key) = nodes.get(child as usize) {
                        push_name(key, bytes, &mut path);
                    }
                } else {
                    let _ = write!(path, "[{index}]");
                }
                if path.len() > MAX_PATH {
                    path.push('…');
                    return path;
                }
                if target == child {
                    return path;
                }
                at = value;
                break;
            }
            child = after;
            index += 1;
        }
    }
    path
}

fn push_name(key: &Node, bytes: &[u8], path: &mut String) {
    let mut text = Vec::new();
    unescape(bytes.get(key.span()).unwrap_or_default(), &mut text);
    let name = String::from_utf8_lossy(&text);
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_');
    let shown: String = name.chars().take(MAX_NAME).collect();
    let cut = if shown.len() < name.len() { "…" } else { "" };
    if plain {
        let _ = write!(path, ".{shown}{cut}");
    } else {
        let _ = write!(path, "[\"{}{cut}\"]", shown.escape_debug());
    }
}
