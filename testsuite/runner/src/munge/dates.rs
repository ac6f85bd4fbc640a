//! Dates, times and the times in dumps of hints data bases.

use super::rule::{Builder, Verdict, splice};

pub fn rules(b: &mut Builder) {
    b.call(r"^\s*(%DATE%)\s+(%DATE%)\s+(%DATE%)(?:\s+(\*))?\s*$", |found, line, _, _| {
        let (Some(second), Some(third)) = (seconds(&found[2]), seconds(&found[3])) else {
            return Verdict::Keep;
        };
        let next = match third - second + 1 {
            0 => 2,
            next => next,
        };
        // Down to an even number, towards zero.
        let next = next / 2 * 2;
        let star = if found.get(4).is_some() { " *" } else { "" };
        let text = format!("first failed = time last try = time2 next try = time2 + {next}{star}");
        *line = text.into_bytes();
        Verdict::Keep
    });
    b.first(r"T:(\S+)\s-22\s(\S+)\s", "T:${1} -22 xxxx ");
    b.port(r"T:[^\s:]+(?::(?:%IP4%|\[[^\]]*\]))?:%PORT_N%\s");
    b.port(r"T:(?:\[[^\]]*\]|[^\s:]+)(?::(?:%IP4%|\[[^\]]*\]))?:%PORT_S%\s");
    b.port(r"^helo/ehlo 127\.0\.0\.1:%PORT_D% clr");
    b.port(r"Transport:\s\S+\s\S+?:%PORT_S%\s");
    b.port(r"^macro .*(?:127\.0\.0\.1|localhost)::%PORT_N%");
    b.port(r"^macro 'SERVERS'.*PGSQL\.%PORT_N%");
    b.port(r"^set_process_info: .*\]:(?<port>1225|1224)\s");

    b.all(
        r"[A-Z][a-z]{2},(%SEP%)\d{1,2}(%SEP%)[A-Z][a-z]{2}(%SEP%)\d{4}(%SEP%)\d\d:\d\d:\d\d(%SEP%)[-+]\d{4}",
        "Tue,${1}2${2}Mar${3}1999${4}09:44:33${5}+0000",
    );
    b.all(r"\S{4},\s\d{1,2}\s[^,]+\s\d{4}\s\d\d:\d\d:\d\d\s[-+]\d{4}", b"dim., 10 f\xE9vr 2019 20:05:49 +0000");
    b.first(r"^%DATETIME%(?:\s[-+]\d{4})?\s", "1999-03-02 09:44:33 ");
    b.first(r"^%DATETIME%\.\d{3}(?:\s(?:[-+]\d{4}|[A-Z]{2}T))?\s", "2017-07-30 18:51:05.712 ");
    b.first(r#"^Logwrite\s"%DATETIME%"#, "Logwrite \"1999-03-02 09:44:33");
    b.first(r"^(SYSLOG:\s')%DATETIME%\s", "${1}2017-07-30 18:51:05 ");
    b.first(r"^(SYSLOG:\s')%DATETIME%\.\d{3}\s", "${1}2017-07-30 18:51:05.712 ");
    b.first(r"^(SYSLOG:\s')%DATETIME%\s[-+]\d{4}\s", "${1}2017-07-30 18:51:05 +9999 ");
    b.first(r"^(SYSLOG:\s')%DATETIME%\.\d{3}\s[-+]\d{4}\s", "${1}2017-07-30 18:51:05.712 +9999 ");
    b.all(r"(D=|RT=|QT=|DT=)\d+s", "${1}qqs");
    b.all(r"(D=|RT=|QT=|DT=)\d+\.\d{3}s", "${1}q.qqqs");
    b.all(
        r"[A-Z][a-z]{2}(%SEP%)[A-Z][a-z]{2}(%SEP%)\d\d(%SEP%)\d\d:\d\d:\d\d(%SEP%)\d{4}",
        "Tue${2}Mar${2}02${3}09:44:33${4}1999",
    );
    b.first(r"^\d{9,10}\s0$", "ddddddddd 0");
    b.first(r"%DATE%\s[-+]\d{4},", "06-Sep-1999 15:52:48 +0100,");
    b.call(r"^.*first failed=\d+ last try=(\d+) next try=(\d+) .*$", |found, line, _, _| {
        if let (Some(last), Some(next)) = (number(&found[1]), number(&found[2])) {
            let text = format!("first failed=dddd last try=dddd next try=+{}", next - last);
            splice(found, line, text.as_bytes());
        }
        Verdict::Keep
    });
    b.first(r"now=\d+ first_failed=\d+ next_try=\d+ expired=", "now=tttt first_failed=tttt next_try=tttt expired=");
    b.first(r"received_time=\d+ diff=\d+ timeout=(\d+)", "received_time=tttt diff=tttt timeout=${1}");
    b.first(r"(time to retry = )\S+", "${1}tttt");
    b.first(r"(retry record exists: age=)\S+", "${1}ttt");
    b.first(r"(failing_interval=)\S+( message_age=)\S+", "${1}ttt${2}ttt");
    b.all(r"\d\d-[A-Z][a-z]{2}-\d{4}\s\d\d:\d\d:\d\d", "07-Mar-2000 12:21:52");
    b.first("Exim statistics from %DATETIME% to %DATETIME%", "Exim statistics from <time> to <time>");
    b.first("(could not connect to .*: Connection) reset by peer$", "${1} refused");
}

pub fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The seconds of `dd-Mmm-yyyy hh:mm:ss`, for differences.
fn seconds(date: &[u8]) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = std::str::from_utf8(date).ok()?;
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let month = (MONTHS.find(text.get(3..6)?)? / 3 + 1) as i64;
    let (year, day) = (field(7, 11)?, field(0, 2)?);
    // Days by the civil calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
    Some(((days * 24 + field(12, 14)?) * 60 + field(15, 17)?) * 60 + field(18, 20)?)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn differences_of_dates() {
        let difference = |a: &str, b: &str| seconds(b.as_bytes()).unwrap() - seconds(a.as_bytes()).unwrap();
        assert_eq!(difference("31-Dec-2023 23:59:59", "01-Jan-2024 00:00:01"), 2);
        assert_eq!(difference("28-Feb-2024 00:00:00", "01-Mar-2024 00:00:00"), 2 * 86400);
        assert_eq!(seconds(b"no date"), None);
    }
}
