//! A bare `-be` with a fixed configuration, for `testsuite/differential`: lines on stdin, results on stdout.

use std::collections::BTreeMap;
use std::io::{BufReader, stdin, stdout};
use std::sync::Arc;

use oxim::config::{Config, ListKind, NamedList};
use oxim::context::{Context, Run, Services};
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
    let lists = [
        (ListKind::Domain, "dlist", "*.aa.bb : ^\\Nxxx(.*)"),
        (ListKind::Domain, "elist", "+dlist : ;;"),
        (ListKind::Domain, "flist", "<; a ; b;;c ; +elist ; 2001:630:212:8:204::b664 ;"),
        (ListKind::Host, "hlist", "10.11.12.13 : 1.2.3.0/24"),
    ];
    for (id, (kind, name, text)) in lists.into_iter().enumerate() {
        let list = NamedList { text: Template::new(text.as_bytes()), hidden: false, id };
        config.named_lists.entry(kind).or_insert_with(BTreeMap::new).insert(name.into(), Arc::new(list));
    }
    let config = Arc::new(config);
    let services = Services {
        log: Default::default(),
        dns: Default::default(),
        spool: Arc::new(oxim::spool::Spool::new(&config)),
        lookups: Default::default(),
        lists: Default::default(),
        random: Default::default(),
    };
    let run = Run { initial_cwd: "/tmp/ex".into(), ..Run::default() };
    let mut ctx = Context::new(config, Arc::new(run), services);
    ctx.message.sender = Some(Text::tainted("root@myhost.test.ex"));
    ctx.session.ident = Some(Text::tainted("root"));
    let mut input = BufReader::new(stdin().lock());
    if let Err(e) = oxim::cli::expand_test::run(&mut ctx, &[], &mut input, &mut stdout()) {
        eprintln!("{e}");
    }
}
