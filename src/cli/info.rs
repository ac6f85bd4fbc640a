//! `-bI:...`: lists of words that this build knows.

/// Prints the list; the exit status.
pub fn show(what: &[u8]) -> i32 {
    match what {
        b"help" => {
            print!("{HELP}");
            0
        }
        b"dscp" if crate::build_options::SUPPORT_DSCP => {
            for name in crate::smtp_out::dscp::names() {
                println!("{name}");
            }
            0
        }
        // There is nothing that could be loaded.
        b"modules" => 0,
        b"sieve" if !crate::build_options::DISABLE_SIEVE_FILTER => {
            for name in SIEVE {
                println!("{name}");
            }
            0
        }
        _ => {
            eprint!("{HELP}");
            1
        }
    }
}

const HELP: &str = "The -bI: flag takes a string indicating which information to provide.\n\
If the string is not recognised, you'll get this help (on stderr).\n\n  \
exim -bI:help    this information\n  \
exim -bI:dscp    list of known dscp value keywords\n  \
exim -bI:modules list of loadable modules\n  \
exim -bI:sieve   list of supported sieve extensions\n";

/// Extensions that `require` accepts.
const SIEVE: &[&str] =
    &["comparator-i;ascii-numeric", "copy", "encoded-character", "enotify", "envelope", "fileinto", "subaddress", "vacation"];
