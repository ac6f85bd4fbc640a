//! Random numbers that are not secrets: sort keys of equal hosts, queue order.
//!
//! The test harness needs the same ones each time (testsuite-format.md, 14.4). Secrets come from OpenSSL.

/// A generator. In the test harness it is the linear one that starts from 42.
#[derive(Clone, Debug, Default)]
pub struct Random {
    test_harness: bool,
    state: u32,
    fake_load: i32,
}

impl Random {
    /// A generator; reproducible in the test harness.
    pub fn new(test_harness: bool) -> Self {
        Random { test_harness, state: 0, fake_load: 0 }
    }

    /// The load average that the test harness makes up: 10 more at each question.
    pub fn next_fake_load(&mut self) -> i32 {
        self.fake_load += 10;
        self.fake_load
    }

    /// A new identifier for a connection (`$connection_id`): a decimal number that does not come again soon.
    pub fn connection_id() -> bstr::BString {
        let mut b = [0u8; 8];
        if openssl::rand::rand_bytes(&mut b).is_err() {
            return bstr::BString::from(std::process::id().to_string());
        }
        bstr::BString::from((u64::from_ne_bytes(b) >> 1).to_string())
    }

    /// Begins again from `seed` (0: from the default at the next call).
    pub fn reseed(&mut self, seed: u32) {
        self.state = seed;
    }

    /// A number from 0 to `limit` - 1; 0 if `limit` is below 2.
    pub fn below(&mut self, limit: u32) -> u32 {
        if limit < 2 {
            return 0;
        }
        if !self.test_harness {
            let mut b = [0u8; 4];
            if openssl::rand::rand_bytes(&mut b).is_err() {
                return 0;
            }
            return u32::from_ne_bytes(b) % limit;
        }
        if self.state == 0 {
            self.state = 42;
        }
        self.state = self.state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (self.state >> 16) % limit
    }
}
