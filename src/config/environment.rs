//! `${VAR}`, `${VAR:-default}`, `${VAR:?message}` in the file's values, by the shell's rules: with the colon, an
//! empty variable counts as not set. `$${` is a literal `${`; any other `$` stands for itself.

/// Looks a variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a value cannot be filled in, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfilled {
    pub what: String,
    pub suggestion: Option<String>,
}

/// Fills in every variable of `text`. What a variable holds is not looked into again.
pub fn fill(text: &str, environment: Environment<'_>) -> Result<String, Unfilled> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            filled.push_str(escaped);
            filled.push_str("${");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            return Err(Unfilled {
                what: "`${` without its `}`".to_owned(),
                suggestion: Some("a literal `${` is written `$${`".to_owned()),
            });
        };
        filled.push_str(&variable(inside, environment)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn variable(inside: &str, environment: Environment<'_>) -> Result<String, Unfilled> {
    let (name, otherwise) = match inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        Some(end) => inside.split_at(end),
        None => (inside, ""),
    };
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Unfilled {
            what: format!("`${{{inside}}}` names no environment variable"),
            suggestion: Some("letters, digits and _ make a name".to_owned()),
        });
    }
    let value = environment(name);
    let unset = |what| Unfilled {
        what,
        suggestion: Some(format!("set it, or write ${{{name}:-default}}")),
    };
    if otherwise.is_empty() {
        return value.ok_or_else(|| unset(format!("environment variable {name} is not set")));
    }
    let value = value.filter(|value| !value.is_empty());
    if let Some(default) = otherwise.strip_prefix(":-") {
        return Ok(value.unwrap_or_else(|| default.to_owned()));
    }
    if let Some(message) = otherwise.strip_prefix(":?") {
        let message = if message.is_empty() { "is not set" } else { message };
        return value.ok_or_else(|| unset(format!("environment variable {name}: {message}")));
    }
    Err(Unfilled {
        what: format!("`${{{inside}}}` is not understood"),
        suggestion: Some(format!(
            "write ${{{name}}}, ${{{name}:-default}} or ${{{name}:?message}}"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "HOST" => Some("kafka-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        };
        fill(text, &environment).map_err(|unfilled| unfilled.what)
    }

    #[test]
    fn variables_are_filled_in_wherever_they_stand() {
        assert_eq!(filled("${HOST}:${PORT:-9092}").unwrap(), "kafka-1:9092");
        assert_eq!(filled("a ${EMPTY}b").unwrap(), "a b");
        assert_eq!(filled("${EMPTY:-x}").unwrap(), "x");
        assert_eq!(
            filled("${NESTED}").unwrap(),
            "${HOST}",
            "a value is not looked into again"
        );
        assert_eq!(filled("${HOST:?needed}").unwrap(), "kafka-1");
    }

    #[test]
    fn a_dollar_alone_and_an_escaped_brace_stand_for_themselves() {
        assert_eq!(filled("/^orders$/").unwrap(), "/^orders$/");
        assert_eq!(filled("$HOST $${HOST}").unwrap(), "$HOST ${HOST}");
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        assert_eq!(filled("${NO}").unwrap_err(), "environment variable NO is not set");
        assert_eq!(
            filled("${NO:?give the password}").unwrap_err(),
            "environment variable NO: give the password"
        );
        assert_eq!(
            filled("${EMPTY:?}").unwrap_err(),
            "environment variable EMPTY: is not set"
        );
        assert!(filled("${HOST").unwrap_err().contains("without its"));
        assert!(filled("${}").unwrap_err().contains("names no"));
        assert!(filled("${1A}").unwrap_err().contains("names no"));
        assert!(filled("${HOST-x}").unwrap_err().contains("not understood"));
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[${}:?a-zA-Z\\-]{0,40}") {
            let _ = filled(&text);
        }
    }
}
