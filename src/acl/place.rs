//! Where an ACL runs, and sets of such places.

/// Where an ACL runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Where {
    Connect,
    Helo,
    Auth,
    StartTls,
    Mail,
    Mailauth,
    Rcpt,
    Predata,
    Data,
    Prdr,
    Mime,
    Dkim,
    Etrn,
    Atrn,
    Expn,
    Vrfy,
    Quit,
    Notquit,
    NotSmtp,
    NotSmtpMime,
    NotSmtpStart,
    Delivery,
    Wellknown,
    #[default]
    Unknown,
}

impl Where {
    /// As messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Where::Connect => "connection",
            Where::Helo => "EHLO or HELO",
            Where::Auth => "AUTH",
            Where::StartTls => "STARTTLS",
            Where::Mail => "MAIL",
            Where::Mailauth => "MAILAUTH",
            Where::Rcpt => "RCPT",
            Where::Predata => "PREDATA",
            Where::Data => "DATA",
            Where::Prdr => "PRDR",
            Where::Mime => "MIME",
            Where::Dkim => "DKIM",
            Where::Etrn => "ETRN",
            Where::Atrn => "ATRN",
            Where::Expn => "EXPN",
            Where::Vrfy => "VRFY",
            Where::Quit => "QUIT",
            Where::Notquit => "NOTQUIT",
            Where::NotSmtp => "non-SMTP",
            Where::NotSmtpMime => "non-SMTP-MIME",
            Where::NotSmtpStart => "non-SMTP-start",
            Where::Delivery => "delivery",
            Where::Wellknown => "WELLKNOWN",
            Where::Unknown => "unknown",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Is there a message that header lines can be added to?
    pub fn has_message(self) -> bool {
        Places::only(&[
            Where::Mail,
            Where::Rcpt,
            Where::Predata,
            Where::Mime,
            Where::Dkim,
            Where::Data,
            Where::Prdr,
            Where::NotSmtp,
            Where::NotSmtpMime,
        ])
        .has(self)
    }
}

/// A set of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u32);

impl Places {
    /// Everywhere.
    pub const ALL: Places = Places(u32::MAX);

    /// Nowhere else.
    pub const fn only(list: &[Where]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < list.len() {
            bits |= list[i].bit();
            i += 1;
        }
        Places(bits)
    }

    /// Everywhere but there.
    pub const fn except(list: &[Where]) -> Self {
        Places(!Places::only(list).0)
    }

    /// Is it in the set?
    pub const fn has(self, place: Where) -> bool {
        self.0 & place.bit() != 0
    }
}
