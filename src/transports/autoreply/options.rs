//! The private options of the `autoreply` driver. Only the table is here.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `autoreply` driver.
    pub struct AutoreplyOptions {
        /// Bcc recipients.
        bcc: Str = Str::unset(),
        /// Cc recipients.
        cc: Str = Str::unset(),
        /// File supplying reply body.
        file: Str = Str::unset(),
        /// Expand each body file line.
        file_expand: bool = false,
        /// Missing file is no error.
        file_optional: bool = false,
        /// From: content.
        from: Str = Str::unset(),
        /// Additional headers.
        headers: Str = Str::unset(),
        /// Log file recording replies.
        log: Str = Str::unset(),
        /// Mode for created log/once files.
        mode: Octal = Octal(0o600),
        /// Recipients dropped from replies.
        never_mail: Str = Str::unset(),
        /// Database file preventing repeat replies.
        once: Str = Str::unset(),
        /// Fixed-size text once file if nonzero.
        once_file_size: Size = Size(0),
        /// Interval allowing another reply.
        once_repeat: Str = Str::fixed("0s"),
        /// Reply-To: content.
        reply_to: Str = Str::unset(),
        /// Append original message.
        return_message: bool = false,
        /// Subject: content.
        subject: Str = Str::unset(),
        /// Reply body text.
        text: Str = Str::unset(),
        /// To: recipients.
        to: Str = Str::unset(),
    }
}
