//! What the fuzz targets of this room call: answers of scanners, and MIME.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::{dcc, link, malware, mime, spam};
use crate::acl::Verdict;
use crate::config::Config;
use crate::context::message::BodySource;
use crate::context::{Context, Header, HeaderKind, Run};
use crate::expand::Template;
use crate::text::Text;

/// The MIME ACL: everything of each part is looked at and decoded.
const CONFIG: &[u8] = b"\
primary_hostname = host.ex
qualify_domain = host.ex
keep_environment =
spamd_address = /x
dccifd_address = /x
begin acl
mime:
  warn decode = default
  warn set acl_m0 = $mime_anomaly_level $mime_anomaly_text $mime_boundary $mime_charset $mime_content_description \
    $mime_content_disposition $mime_content_id $mime_content_size $mime_content_transfer_encoding $mime_content_type \
    $mime_decoded_filename $mime_filename $mime_is_coverletter $mime_is_multipart $mime_is_rfc822 $mime_part_count
  warn mime_regex = a+b
  warn regex = x+y
  accept
";

/// A message whose scan form lies in a directory of this process, below the working directory.
fn context() -> Context {
    thread_local!(static SITE: Arc<Config> = Arc::new(site()));
    let config = SITE.with(Arc::clone);
    let mut ctx = Context::for_tests(config, Arc::new(Run { log_testing: true, ..Run::default() }));
    ctx.message.id = "10HmaX-000000005vi-0000".into();
    ctx.message.sender = Some(Text::tainted("s@sender.ex"));
    ctx
}

fn site() -> Config {
    let spool = std::env::current_dir().unwrap_or_default().join(format!("spool{}", std::process::id()));
    let _ = std::fs::create_dir_all(&spool);
    let text = CONFIG.replacen("begin acl", format!("spool_directory = {}\nbegin acl", spool.display()), 1);
    crate::fuzzing::configured(&text)
}

/// What a scanner answers: the first byte says which it is.
pub fn scanner_reply(data: &[u8]) {
    let Some((which, answer)) = data.split_first() else { return };
    let mut ctx = context();
    ctx.message.headers.push(Header { kind: HeaderKind::Other, text: "Subject: x\n".into() });
    ctx.message.body = crate::sys::file::temporary(b"/tmp").ok().map(|f| BodySource::Open(Arc::new(f.into())));
    link::answer_with(answer);
    match usize::from(*which) % (malware::types().count() + 3) {
        0 => drop(spam::test(&mut ctx, &Text::clean("nobody"))),
        1 => drop(dcc::test(&mut ctx, &Text::clean("*"))),
        2 => spam::fuzz_rspamd(&mut ctx, answer),
        n => malware::fuzz(&mut ctx, n - 3),
    }
    link::answer_with(b"");
    super::finish(&mut ctx);
}

/// A whole message: header and body.
pub fn mime(data: &[u8]) {
    let mut ctx = context();
    ctx.message.headers.push(Header { kind: HeaderKind::Other, text: "Content-Type: x\n".into() });
    let Ok(path) = super::mbox::fuzz(&mut ctx, data) else { return };
    let result = mime::mime_acl(&mut ctx, &Template::new(b"mime"));
    assert!(matches!(result.verdict, Verdict::Ok | Verdict::Fail), "{path}: {:?}", result.verdict);
    super::finish(&mut ctx);
}

/// The header of one part: parameters, continuations, character sets (RFC 2047, RFC 2231).
pub fn rfc2231(data: &[u8]) {
    if let Some(header) = mime::fuzz_header(data) {
        let sizes = [&header.filename, &header.boundary, &header.charset].map(|t: &BString| t.len());
        // A character of one byte has at most four in UTF-8, and lines are cut at 8192.
        assert!(sizes.iter().all(|n| *n <= 4 * data.len().min(1 << 20) + 16), "{sizes:?}");
        assert!(!header.filename.contains(&0));
    }
}
