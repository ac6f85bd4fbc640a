//! The tokens (`CALLER`, `DIR/`, `PORT_D` ...) that stand in scripts, configurations, auxiliary
//! files and zones for facts of the run.

use regex::bytes::{Regex, RegexBuilder};

use crate::facts::{self, Facts};

pub struct Substitution {
    rules: Vec<(Regex, String)>,
}

impl Substitution {
    /// `test` is the test's number; `dynamic` the port that is open for it, if any.
    pub fn new(facts: &Facts, test: &str, dynamic: Option<u16>) -> Substitution {
        let mut new = Substitution { rules: Vec::new() };
        let id = facts::CALLER_ID.to_string();
        new.word("CALLER", facts::CALLER);
        new.word("CALLERGROUP", facts::CALLER_GROUP);
        new.word("CALLER_UID", &id);
        new.word("CALLER_GID", &id);
        new.word("CLAMSOCKET", "<no ClamAV socket found>");
        new.rule(r"\bDIR/", format!("{}/", facts.top_str()));
        new.word("EXIMGROUP", &facts.exim_group);
        new.word("EXIMUSER", &facts.exim_user);
        new.word("HOSTIPV4", facts::IPV4);
        new.word("HOSTIPV6", facts::IPV6);
        new.word("HOSTNAME", &facts::fqdn());
        for (token, port) in facts::PORTS {
            match token {
                "PORT_D" => new.rule(r"(\b|_)PORT_D\b", format!("${{1}}{port}")),
                _ => new.word(token, &port.to_string()),
            }
        }
        new.word("TESTNUM", test);
        new.rule(r"(\b|_)V4NET([._])", "${1}224${2}".into());
        new.rule(r"\bV6NET:", "ff00:".into());
        if let Some(port) = dynamic {
            new.word("PORT_DYNAMIC", &port.to_string());
        }
        new.word("MAILGROUP", facts::MAIL_GROUP);
        new
    }

    fn word(&mut self, token: &str, value: &str) {
        self.rule(&format!(r"\b{token}\b"), value.replace('$', "$$"));
    }

    fn rule(&mut self, pattern: &str, value: String) {
        let pattern = RegexBuilder::new(pattern).unicode(false).build();
        self.rules.push((pattern.expect("a pattern of ours"), value));
    }

    /// Replace all the tokens of a line, or of a text: no token spans lines.
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for (pattern, value) in &self.rules {
            if pattern.is_match(&text) {
                text = pattern.replace_all(&text, value.as_bytes()).into_owned();
            }
        }
        text
    }

    pub fn apply_str(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(text: &str) -> String {
        let facts = Facts { root: "/srv".into(), exim_user: "exim".into(), ..Facts::default() };
        Substitution::new(&facts, "0042", Some(1024)).apply_str(text)
    }

    #[test]
    fn words_are_replaced_as_words() {
        assert_eq!(substituted("CALLER@HOSTNAME"), "oximtest@runner.oxim.internal");
        assert_eq!(substituted("CALLER_UID CALLER_NAME XCALLER"), "1042 CALLER_NAME XCALLER");
        assert_eq!(substituted("DIR/aux/TESTNUM.x DIR"), "/srv/test/aux/0042.x DIR");
        assert_eq!(substituted("u=EXIMUSER g=MAILGROUP"), "u=exim g=mail");
    }

    #[test]
    fn ports_and_networks() {
        assert_eq!(substituted("PORT_N PORT_S PORT_D PORT_D2 PORT_D4"), "1223 1224 1225 1226 1228");
        assert_eq!(substituted("X_PORT_D PORT_DYNAMIC XPORT_D"), "X_1225 1024 XPORT_D");
        assert_eq!(substituted("V4NET.0.0.1 a_V4NET_b V4NET:"), "224.0.0.1 a_224_b V4NET:");
        assert_eq!(substituted("V6NET:1 V6NET"), "ff00:1 V6NET");
    }
}
