//! Integers in expansions: numbers with K, M and G, and the expressions of `${eval:}` (manual 11.6).
//! Pure functions; overflow never panics.

use crate::parse::Space as _;
use bstr::ByteSlice;

/// Reads a number as the numeric conditions and integer options do: white space around it, a sign, K, M or G.
/// An empty string is 0. The error is the reference's message.
pub fn integer(text: &[u8], positive: bool) -> Result<i64, String> {
    let s = text.skip_space();
    let shown = s.as_bstr();
    if s.is_empty() {
        return Ok(0);
    }
    let (negative, digits) = match s {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, s),
    };
    let len = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    let too_large = || format!("absolute value of integer \"{shown}\" is too large (overflow)");
    if len == 0 {
        return Err(format!("integer expected but \"{shown}\" found"));
    }
    if negative && positive {
        return Err(format!("non-negative integer expected but \"{shown}\" found"));
    }
    let (number, rest) = digits.split_at(len);
    let mut n: i64 = 0;
    for d in number {
        n = n.checked_mul(10).and_then(|n| n.checked_add(i64::from(d - b'0'))).ok_or_else(too_large)?;
    }
    let (shift, rest) = match rest {
        [b'k' | b'K', rest @ ..] => (10, rest),
        [b'm' | b'M', rest @ ..] => (20, rest),
        [b'g' | b'G', rest @ ..] => (30, rest),
        _ => (0, rest),
    };
    if !rest.skip_space().is_empty() {
        return Err(format!("invalid integer \"{shown}\""));
    }
    let n = n.checked_mul(1 << shift).ok_or_else(too_large)?;
    Ok(if negative { -n } else { n })
}

/// As C's `strtol` in base 10, saturating: the number, and what follows it.
pub fn leading_number(s: &[u8]) -> (i64, &[u8]) {
    let t = s.skip_space();
    let (negative, digits) = match t {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, t),
    };
    let len = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    if len == 0 {
        return (0, s);
    }
    let (number, rest) = digits.split_at(len);
    let mut n: i64 = 0;
    for d in number {
        let d = i64::from(d - b'0');
        n = n.saturating_mul(10);
        n = if negative { n.saturating_sub(d) } else { n.saturating_add(d) };
    }
    (n, rest)
}

/// How deep parentheses and signs may be nested.
const MAX_DEPTH: u32 = 200;

/// Evaluates an expression. `decimal` is `eval10`. The error is the whole message.
pub fn eval(expression: &[u8], decimal: bool) -> Result<i64, String> {
    let mut e = Eval { src: expression, pos: 0, decimal, depth: 0 };
    let result = e.level(0).and_then(|n| {
        e.space();
        if e.pos < e.src.len() { Err("expecting operator") } else { Ok(n) }
    });
    result.map_err(|why| {
        let done = expression.get(..e.pos).unwrap_or_default().as_bstr();
        format!("error in expression evaluation: {why} (after processing \"{done}\")")
    })
}

struct Eval<'a> {
    src: &'a [u8],
    pos: usize,
    decimal: bool,
    depth: u32,
}

type Value = Result<i64, &'static str>;

/// Binary operators from the loosest to the tightest level.
const LEVELS: &[&[&[u8]]] = &[&[b"|"], &[b"^"], &[b"&"], &[b">>", b"<<"], &[b"+", b"-"], &[b"*", b"/", b"%"]];

impl Eval<'_> {
    fn peek(&self) -> u8 {
        self.src.get(self.pos).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while self.peek().is_ascii_whitespace() || self.peek() == 0x0b {
            self.pos += 1;
        }
    }

    fn level(&mut self, n: usize) -> Value {
        let Some(operators) = LEVELS.get(n) else { return self.unary() };
        let mut x = self.level(n + 1)?;
        loop {
            self.space();
            let rest = self.src.get(self.pos..).unwrap_or_default();
            let Some(op) = operators.iter().find(|op| rest.starts_with(op)) else { return Ok(x) };
            self.pos += op.len();
            let y = self.level(n + 1)?;
            x = binary(op, x, y)?;
        }
    }

    fn unary(&mut self) -> Value {
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH { Err("nested too deeply") } else { self.unary_inner() };
        self.depth -= 1;
        result
    }

    fn unary_inner(&mut self) -> Value {
        self.space();
        match self.peek() {
            b'+' => {
                self.pos += 1;
                self.unary()
            }
            b'-' => {
                self.pos += 1;
                Ok(self.unary()?.wrapping_neg())
            }
            b'~' => {
                self.pos += 1;
                Ok(!self.unary()?)
            }
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Value {
        self.space();
        let rest = self.src.get(self.pos..).unwrap_or_default();
        match rest.first() {
            Some(b'0'..=b'9') => {
                let (radix, start) = match rest {
                    _ if self.decimal => (10, 0),
                    [b'0', b'x' | b'X', ..] => (16, 2),
                    [b'0', ..] => (8, 0),
                    _ => (10, 0),
                };
                let digits = rest.iter().skip(start).take_while(|c| char::from(**c).is_digit(radix)).count();
                let mut n: i64 = 0;
                for c in rest.iter().skip(start).take(digits) {
                    let d = i64::from(char::from(*c).to_digit(radix).unwrap_or(0));
                    n = n.saturating_mul(i64::from(radix)).saturating_add(d);
                }
                self.pos += start + digits;
                let shift = match self.peek() {
                    b'k' | b'K' => 10,
                    b'm' | b'M' => 20,
                    b'g' | b'G' => 30,
                    _ => 0,
                };
                if shift > 0 {
                    self.pos += 1;
                    n = n.wrapping_mul(1 << shift);
                }
                Ok(n)
            }
            Some(b'(') => {
                self.pos += 1;
                let n = self.level(0)?;
                self.space();
                if self.peek() != b')' {
                    return Err("expecting closing parenthesis");
                }
                self.pos += 1;
                Ok(n)
            }
            _ => Err("expecting number or opening parenthesis"),
        }
    }
}

fn binary(op: &[u8], x: i64, y: i64) -> Value {
    Ok(match op {
        b"|" => x | y,
        b"^" => x ^ y,
        b"&" => x & y,
        // Only the low bits of the count matter, as on the usual processors.
        b">>" => x.wrapping_shr(y as u32),
        b"<<" => x.wrapping_shl(y as u32),
        b"+" => {
            if (x >= 0 && y >= 0 && i64::MAX - x <= y) || (x < 0 && y < 0 && x <= -i64::MAX - y) {
                return Err("overflow in sum");
            }
            x.wrapping_add(y)
        }
        b"-" => {
            if x >= 0 && y < 0 && x >= i64::MAX.wrapping_add(y) {
                return Err("overflow in difference");
            }
            x.wrapping_sub(y)
        }
        b"*" => x.wrapping_mul(y),
        b"/" if y == 0 => return Err("divide by zero"),
        b"%" if y == 0 => return Err("modulo by zero"),
        // The one quotient that cannot be represented.
        b"/" | b"%" if x == i64::MIN && y == -1 => i64::MAX,
        b"/" => x / y,
        _ => x % y,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let ok = |s: &str| eval(s.as_bytes(), false).unwrap();
        assert_eq!(ok("(2*(1+1))/2 + 40K"), 40962);
        assert_eq!(ok("-2 - -3"), 1);
        assert_eq!(ok("~255&0x1234"), 4608);
        assert_eq!(ok("1+2<<3-1"), 12);
        assert!(eval(b"1/0", false).is_err());
        assert!(eval("(".repeat(5000).as_bytes(), false).is_err());
        assert_eq!(eval(b"08", true), Ok(8));
        assert_eq!(
            eval(b"-2 - (-3", false),
            Err("error in expression evaluation: expecting closing parenthesis (after processing \"-2 - (-3\")".into())
        );
    }

    #[test]
    fn integers() {
        assert_eq!(integer(b" 3k ", false), Ok(3072));
        assert_eq!(integer(b"3z ", false), Err("invalid integer \"3z \"".into()));
        assert_eq!(integer(b"", false), Ok(0));
        assert!(integer(b"46116860184273879040", false).is_err());
    }
}
