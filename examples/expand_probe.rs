//! A bare `-be` with a fixed configuration, for `testsuite/differential`: lines on stdin, results on stdout.

use std::collections::BTreeMap;
use std::io::{BufReader, stdin, stdout};
use std::sync::Arc;

use oxim::config::{Config, ListKind, NamedList};
use oxim::context::{Context, Run};
use oxim::expand::Template;
use oxim::text::Text;

fn main() {
    let mut config = Config::default();
    config.file = "/tmp/ex/conf".into();
    config.site.primary_hostname = "myhost.test.ex".into();
    config.site.qualify_domain = "myhost.test.ex".into();
    config.site.qualify_recipient = "myhost.test.ex".into();
    config.site.spool_directory = "/tmp/ex/spool".into();
    config.site.log_file_path = "/tmp/ex/%slog".into();
    // The test suite's own list, when its directory is given.
    let hlist = match std::env::var("AUX") {
        Ok(dir) => format!("10.11.12.13 : iplsearch;{dir}/aux-fixed/0002.iplsearch"),
        Err(_) => "10.11.12.13 : 1.2.3.0/24".to_string(),
    };
    let lists = [
        (ListKind::Domain, "dlist", "*.aa.bb : ^\\Nxxx(.*)"),
        (ListKind::Domain, "elist", "+dlist : ;;"),
        (ListKind::Domain, "flist", "<; a ; b;;c ; +elist ; 2001:630:212:8:204::b664 ;"),
        (ListKind::Host, "hlist", &hlist),
    ];
    for (id, (kind, name, text)) in lists.into_iter().enumerate() {
        let list = NamedList { text: Template::new(text.as_bytes()), hidden: false, id, cache: false };
        config.named_lists.entry(kind).or_insert_with(BTreeMap::new).insert(name.into(), Arc::new(list));
    }
    let config = Arc::new(config);
    let run = Run { initial_cwd: "/tmp/ex".into(), ..Run::default() };
    let mut ctx = Context::for_tests(config, Arc::new(run));
    ctx.message.sender = Some(Text::tainted("root@myhost.test.ex"));
    ctx.session.ident = Some(Text::tainted("root"));
    let mut input = BufReader::new(stdin().lock());
    if let Err(e) = oxim::cli::expand_test::run(&mut ctx, &[], &mut input, &mut stdout()) {
        eprintln!("{e}");
    }
}
