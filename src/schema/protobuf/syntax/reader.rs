//! Characters to words, numbers and strings. The parser of descriptors has read the text before: what it took, this
//! takes, and an error means that Confluent's registry refuses the text too.

/// A place in the text. White space and comments before what is read are passed over.
pub(super) struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

/// What was expected, with the line.
pub(super) type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    pub(super) fn error<T>(&self, expected: &str) -> Read<T> {
        let read = self.text.len() - self.rest.len();
        let line = self.text.get(..read).unwrap_or_default().matches('\n').count() + 1;
        Err(format!("line {line}: expected {expected}"))
    }

    /// The next character that is no white space or comment; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<char> {
        loop {
            self.rest = self
                .rest
                .trim_start_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}']);
            let after = |comment: &'a str, end: &str| comment.split_once(end).map_or("", |(_, after)| after);
            if let Some(comment) = self.rest.strip_prefix("//") {
                self.rest = after(comment, "\n");
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = after(comment, "*/");
            } else if self.rest.starts_with('#') {
                // In an option's value only; elsewhere the text was refused before.
                self.rest = after(self.rest, "\n");
            } else {
                return self.rest.chars().next();
            }
        }
    }

    /// Reads `wanted` if it is next.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = self.rest.get(wanted.len_utf8()..).unwrap_or_default();
        }
        found
    }

    pub(super) fn require(&mut self, wanted: char) -> Read<()> {
        if self.take(wanted) {
            return Ok(());
        }
        self.error(&format!("'{wanted}'"))
    }

    /// Letters, digits, `_`, `-` and `.`
    pub(super) fn word(&mut self) -> Read<&'a str> {
        self.peek();
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        if end == 0 {
            return self.error("a word");
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    /// Letters, digits and `_`
    pub(super) fn identifier(&mut self) -> Read<&'a str> {
        self.peek();
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        if end == 0 {
            return self.error("a name");
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    /// A name with dots, which may stand apart: `a . b`.
    pub(super) fn full_name(&mut self) -> Read<String> {
        let first = self.word()?;
        self.full_name_from(first)
    }

    /// The rest of a name that begins with `first`.
    pub(super) fn full_name_from(&mut self, first: &str) -> Read<String> {
        let mut name = first.to_owned();
        while name.ends_with('.') || self.peek() == Some('.') {
            name.push_str(self.word()?);
        }
        Ok(name)
    }

    /// A number, with its sign, which may stand apart.
    pub(super) fn number(&mut self) -> Read<String> {
        let mut number = String::new();
        if self.take('-') {
            number.push('-');
        } else {
            self.take('+');
        }
        number.push_str(self.word()?);
        // The exponent's plus is no part of a word.
        if number.ends_with(['e', 'E']) && !number.contains(['x', 'X']) && self.rest.starts_with('+') {
            self.rest = self.rest.get(1..).unwrap_or_default();
            number.push('+');
            number.push_str(self.word()?);
        }
        Ok(number)
    }

    /// A field's or an enum value's number.
    pub(super) fn integer(&mut self) -> Read<i32> {
        let number = self.number()?;
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.as_str()),
        };
        let magnitude = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))
        {
            i64::from_str_radix(digits, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(digits, 8)
        } else {
            digits.parse()
        };
        let value = magnitude.ok().map(|value| if negative { -value } else { value });
        match value.and_then(|value| i32::try_from(value).ok()) {
            Some(value) => Ok(value),
            None => self.error(&format!("an integer, not {number}")),
        }
    }

    /// Quoted strings side by side, as one.
    pub(super) fn string(&mut self) -> Read<String> {
        let mut text = String::new();
        let Some(mut quote @ ('"' | '\'')) = self.peek() else {
            return self.error("a string in quotes");
        };
        loop {
            self.rest = self.rest.get(1..).unwrap_or_default();
            self.quoted(quote, &mut text)?;
            match self.peek() {
                Some(next @ ('"' | '\'')) => quote = next,
                _ => return Ok(text),
            }
        }
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Read<()> {
        loop {
            let mut chars = self.rest.chars();
            let Some(c) = chars.next() else {
                return self.error("the end of a string");
            };
            self.rest = chars.as_str();
            match c {
                c if c == quote => return Ok(()),
                '\\' => text.push(self.escape()?),
                c => text.push(c),
            }
        }
    }

    /// An escape is one character, of which a number is the code: so Confluent's registry reads a byte beyond ASCII too,
    /// and what it does not know (`\u`) as the letter.
    fn escape(&mut self) -> Read<char> {
        let mut chars = self.rest.chars();
        let Some(c) = chars.next() else {
            return self.error("the end of a string");
        };
        let (radix, digits, most) = match c {
            'x' | 'X' => (16, chars.as_str(), 2),
            '0'..='7' => (8, self.rest, 3),
            _ => {
                self.rest = chars.as_str();
                return Ok(match c {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    c => c,
                });
            }
        };
        let mut code = 0;
        let mut read = 0;
        for digit in digits.chars().take(most).map_while(|c| c.to_digit(radix)) {
            code = code * radix + digit;
            read += 1;
        }
        if read == 0 {
            return self.error("a digit after \\x");
        }
        self.rest = digits.get(read..).unwrap_or_default();
        char::from_u32(code).map_or_else(|| self.error("an escape"), Ok)
    }
}

/// What the C-escaped bytes of a descriptor say: text if they are.
pub(super) fn unescape(text: &str) -> String {
    let mut reader = Reader::new(text);
    let mut out = String::new();
    loop {
        let mut chars = reader.rest.chars();
        let c = chars.next();
        reader.rest = chars.as_str();
        match c {
            None => break,
            Some('\\') => out.extend(reader.escape().ok()),
            Some(c) => out.push(c),
        }
    }
    let bytes: Option<Vec<u8>> = out.chars().map(|c| u8::try_from(c).ok()).collect();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(out)
}
