//! Errors of the configuration, worded as the reference does.

use std::fmt;

/// What is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What follows "Exim configuration error": ` in line 3 of /etc/exim/configure`, ` for x router`, or nothing.
    pub place: String,
    /// What is wrong; may have several lines.
    pub text: String,
    /// It is not about the configuration's text (a file that cannot be opened, say): only `text` is logged.
    pub bare: bool,
    /// It is logged as something that does not end the program, although it does: the reference does so for macros.
    pub mild: bool,
}

impl ConfigError {
    /// With a place, as in ` in line 3 of f`.
    pub fn at(place: impl Into<String>, text: impl Into<String>) -> Self {
        ConfigError { place: place.into(), text: text.into(), bare: false, mild: false }
    }
    /// About the configuration as a whole.
    pub fn general(text: impl Into<String>) -> Self {
        ConfigError { place: String::new(), text: text.into(), bare: false, mild: false }
    }
    /// The same, about a macro.
    #[must_use]
    pub fn mild(self) -> Self {
        ConfigError { mild: true, ..self }
    }
    /// A message of its own.
    pub fn bare(text: impl Into<String>) -> Self {
        ConfigError { place: String::new(), text: text.into(), bare: true, mild: false }
    }
    /// What a driver's `init` said. A text that begins with `:` is about no driver by name, as some of the
    /// reference's messages are.
    pub fn driver(kind: &str, name: &dyn fmt::Display, text: String) -> Self {
        match text.strip_prefix(':') {
            Some(rest) => ConfigError::general(format!("{name} {kind}:\n  {}", rest.trim_start())),
            None => ConfigError::at(format!(" for {name} {kind}"), text),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare {
            return f.write_str(&self.text);
        }
        write!(f, "Exim configuration error{}:\n  {}", self.place, self.text)
    }
}
