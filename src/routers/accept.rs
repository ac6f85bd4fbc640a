//! The `accept` router (manual chapter 16): takes every address that meets its preconditions.

use bstr::BString;

use super::options::RouterOptions;
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::options;
use crate::route::{Address, RoutePurpose, Routed, common};

options! {
    /// Private options of the `accept` driver: it has none.
    pub struct AcceptOptions {
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Accept {
    options: AcceptOptions,
}

impl Router for Accept {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn init(&mut self, _: &BString, generic: &mut RouterOptions, set: &[String], _: &Config) -> Result<(), String> {
        // Deliveries of this router are local ones unless it is said otherwise.
        if !set.iter().any(|s| s == "log_as_local") {
            generic.log_as_local = true;
        }
        Ok(())
    }
    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        match common::accept(ctx, router, addr, purpose) {
            Ok(()) => Routed::Accept,
            Err(message) => common::defer(addr, message),
        }
    }
}
