//! Routers: the registry of drivers, and instances of the configuration. One file per driver.

pub mod accept;
pub mod dnslookup;
pub mod ipliteral;
pub mod iplookup;
pub mod manualroute;
pub mod options;
pub mod queryprogram;
pub mod redirect;

use std::fmt;

use bstr::BString;

use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::route::{Address, RoutePurpose, Routed};
use options::RouterOptions;

/// A configured router.
#[derive(Debug)]
pub struct RouterInstance {
    /// Its name in the configuration.
    pub name: BString,
    /// The driver's name.
    pub driver_name: &'static str,
    /// Options that all routers have.
    pub generic: RouterOptions,
    /// Names of all options that were set explicitly (both kinds), and those that were hidden.
    pub set_options: Vec<String>,
    /// See above.
    pub hidden: Vec<String>,
    /// File and line of its first line, for messages.
    pub place: String,
    /// The driver with its private options.
    pub driver: Box<dyn Router>,
}

/// A router driver with its private options.
pub trait Router: fmt::Debug + Send + Sync {
    /// The private options.
    fn options(&self) -> &dyn OptionSet;
    /// The same, while the configuration is read.
    fn options_mut(&mut self) -> &mut dyn OptionSet;
    /// Checks and completes the options after reading; may change generic ones. The error follows `<name> router:\n  `.
    fn init(&mut self, name: &BString, generic: &mut RouterOptions, set: &[String], config: &Config) -> Result<(), String>;
    /// May it handle an address that an ancestor of which it has handled before? (`repeat_use` of redirect.)
    fn repeat_use(&self) -> bool {
        true
    }
    /// May other addresses of the domain be routed alike without being looked at (`same_domain_copy_routing`)?
    fn same_for_domain(&self) -> bool {
        false
    }
    /// Routes one address whose preconditions hold; `ctx.address` has its variables.
    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed;
}

/// One entry of the registry.
pub struct RouterType {
    /// `driver = name`.
    pub name: &'static str,
    /// Makes one with default options.
    pub make: fn() -> Box<dyn Router>,
    /// Is it in this build?
    built: bool,
}

const fn own(name: &'static str, make: fn() -> Box<dyn Router>) -> RouterType {
    RouterType { name, make, built: true }
}

/// All router drivers of this build, in the order of `-bV`.
pub fn drivers() -> impl Iterator<Item = &'static RouterType> {
    DRIVERS.iter().filter(|d| d.built)
}

static DRIVERS: &[RouterType] = &[
    own("accept", || Box::<accept::Accept>::default()),
    own("dnslookup", || Box::<dnslookup::Dnslookup>::default()),
    own("ipliteral", || Box::<ipliteral::Ipliteral>::default()),
    RouterType { name: "iplookup", make: || Box::<iplookup::Iplookup>::default(), built: crate::build_options::ROUTER_IPLOOKUP },
    own("manualroute", || Box::<manualroute::Manualroute>::default()),
    own("queryprogram", || Box::<queryprogram::Queryprogram>::default()),
    own("redirect", || Box::<redirect::Redirect>::default()),
];
