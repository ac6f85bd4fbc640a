"""Command lines of `utilities`: name -> (words, standard input)."""

CASES = {}


def add(*lines, stdin=""):
    for words in lines:
        CASES[words if isinstance(words, str) else " ".join(words)] = (words, stdin)


LOG = "{in}/main"
add(*(f"exigrep {o} {LOG}" for o in ("ann", "-l ann", "--literal a.n", "a.n", "-I ANN", "-I Bob", "--sensitive Bob", "bob", "-v ann", "--invert one", "-t 60 ex", "--queue-time 10 ex", "-t60 ex",
                                     "-M ann", "--related carl", "rejected", "Start", "-v .", "nosuch", "--no-pager dora", "-l |/bin", "Unrouteable", "-M blackhole", "-lI Ann")))
add("exigrep ann {in}/main.gz", "exigrep ann {in}/syslog", "exigrep ann {in}/millisec", "exigrep ann {in}/zoned", "exigrep ann {in}/main {in}/second", "exigrep ann {in}/empty",
    "exigrep ann {in}/nosuch", "exigrep x {in}/none", "exigrep", "exigrep --nosuch x", "exigrep -h", "exigrep ( {in}/main")
add(["exigrep", "sender verify", LOG], ["exigrep", "^2026-03-01 0[0-4]", LOG])

STATS = ["", "-txt", "-h0", "-h1", "-h2", "-h3", "-h4", "-h5", "-h10", "-h60", "-h7", "-ne", "-nr", "-nr/one/", "-nt", "-nt/mail/", "-nvr", "-q0", "-q", "-q60,600", "-q5*60,2*3600", "-t0", "-t3", "-t5", "-tnl", "-t_remote_users",
         "-include_original_destination", "-show_dt1,2,4", "-show_rt1,2,4", "-show_dt", "-show_rt", "-byhost", "-bydomain", "-byemail", "-byemaildomain", "-byedomain", "-byhost -bydomain", "-byhost -bydomain -byemail -byedomain",
         "-emptyok", "-h0 -ne -nr -nt -q0 -t0", "-nvr -h0 -t2 -q0", "-nosuch", "-html", "-html -h0 -t2", "-html -bydomain -nr -q0", "-txt=OUT.txt", "-html=OUT.html -txt=OUT.txt -t1 -h0"]
# Rounded volumes give the reference averages that are wrong in the third digit: numbers are compared as they are.
add(*(" ".join(["eximstats", "-nvr", *o.split(), "{in}/clean"]) for o in STATS))
add(f"eximstats -t0 {LOG}", f"eximstats {LOG}")
add("eximstats -nvr {in}/clean {in}/cleaner", "eximstats -nvr {in}/clean.gz", "eximstats {in}/empty", "eximstats -emptyok {in}/empty", "eximstats {in}/nosuch", "eximstats {in}/none")
add(["eximstats", "-h0", "-t0", "-nr", "-ne", "-nvr", "-pattern", "Refused connections", "/refused/", "-pattern", "subjects", "/subject [0-9]+/", "{in}/clean"], ["eximstats", "-pattern", "one"])

# Reports that the reference has made, `-merge`d.
REPORTS = {"report": "{in}/clean", "later": "{in}/cleaner", "by": "-byemail -bydomain -h4 {in}/cleaner", "times": "-q60,900,7200 -show_dt1,2 -show_rt1,5 {in}/clean", "few": "-t2 -h0 -q0 -nr -nt -ne {in}/clean", "page": "-html {in}/clean",
           "counted": "-h0 -t3 -pattern some /subject/ {in}/clean"}
MERGED = ["report", "report later", "report page", "report later few", "-h2 report", "-h0 -q0 -nr -t2 report later", "-byemail by", "-bydomain -byemail -h4 by", "-h4 -t5 by by", "-q60,900,7200 -show_dt1,2 -show_rt1,5 times", "-q100,20000 -t3 report",
          "page", "page later", "-ne -nt report", "-tnl report later", "counted", "-html report", "nosuch", "-emptyok nosuch"]
add(*(" ".join(["eximstats -merge -nvr", *(f"{{in}}/{w}" if w.isalpha() else w for w in m.split())]) for m in MERGED))
add("eximstats -merge {in}/clean", "eximstats -merge {in}/none", "eximstats -merge {in}/report {in}/none")
CASES["eximstats -merge of standard input"] = ("eximstats -nvr -merge", "Exim statistics from 2026-03-01 00:16:30 to 2026-03-01 22:13:38\n\nGrand total summary\n-------------------\n  TOTAL               Volume   Messages Addresses     Hosts      Delayed       Failed\n"
                                                  "  Received             285MB         60                   5       1  0.0%      2  0.0%\n  Delivered            444MB         86       118         3\n")

add("exiqsumm -h", "exiqsumm -nosuch")
BP = " 5m  1.2K 1xV1NN-0004j2-1y <a@b.ex>\n          x@y.ex\n        D z@y.ex\n          q@Other.ex\n\n25h   300 1xV1NN-0004j3-1y <> *** frozen ***\n          z@y.ex\n\n 4d   15M 1xV1NN-0004j4-1y <l@m.ex>\n          +a@third.ex\n\n12h  999K 1xV1NN-0004j5-1y <c@d.ex> (joe)\n          one@third.ex\n          two@y.ex\n\n"
add("exiqsumm", "exiqsumm -a", "exiqsumm -c", "exiqsumm -s", "exiqsumm -b", "exiqsumm -ac", stdin=BP)
CASES["exiqsumm of nothing"] = ("exiqsumm", "")
CASES["exiqsumm of rubbish"] = ("exiqsumm", "hello\n  world\n")

Q = "-E {exim} -C {conf}"
add(*(f"exiqgrep {Q} {o}" for o in ("-f box.ex", "-f ^<>$", "-r far", "-r box.ex$", "-r ^x@", "-s ^2", "-y 3600", "-o 3600", "-o 86400 -i", "-z", "-x", "-z -i", "-x -b", "-c", "-c -f box", "-c -z", "-l", "-i", "-b", "-R -i", "-a", "-a -i", "-a -r y@far", "-r y@far",
                                    "-f BOX", "-r mixed -b", "-f friend -r dead -i", "-G nosuch -i", "-h", "-nosuch", "", "-f ( -i", "-y x -i")))

P = "--spool {spool}"
FORMATS = ("-bp", "-l", "-bpa", "-bpc", "-bpr", "-bpra", "-bpru", "-bpu", "-b", "-c", "-i", "--flatq", "--size", "-i --size", "-bpc --size", "-b --size", "--flatq --size", "--reverse -i", "-R -i", "--unsorted -c", "-x -i", "-z -i", "-z -b")
add(*(f"exipick {P} {o}" for o in FORMATS))
add(*(f"exipick {P} -i {o}" for o in ("-f box", "-f Box", "-r far", "-r FAR", "-s 1.2K", "-o 3600", "-y 3600", "--not -z", "-f box -r box", "--or -f friend -z", "--input-dir input", "--input-dir Finput", "--finput", "--queue nosuch", "--queue=", "--caseful -f box")))
add(*(f"exipick {P} --show-vars {v} {o}" for o in ("-i", "-bp", "-b", "--flatq") for v in ("message_size", "sender_address,recipients_count", "^sender_", "nosuch")))
add(*(f"exipick {P} -i --sort {v}" for v in ("message_size", "sender_address", "message_age", "recipients_count,message_size", "sender_address_domain", "message_exim_id", "nosuch", "-message_size")))
VARIABLES = """acl_c1 acl_m0 acl_m_name authenticated_id authenticated_sender bh_subject bheader_x-multi bmi_verdicts body_linecount body_zerocount data_path deliver_freeze
deliver_frozen_at dont_deliver each_recipients each_recipients_del each_recipients_undel first_delivery h_subject header_subject header_path host_lookup_deferred host_lookup_failed local_error_message
local_scan_data manually_thawed max_received_linelength message_age message_body message_body_missing message_body_size message_exim_id message_id message_headers message_headers_raw message_linecount
message_size originator_gid originator_login originator_uid received_ip_address interface_address received_port interface_port received_count received_protocol received_time recipients recipients_count
recipients_del recipients_del_count recipients_undel recipients_undel_count reply_address rh_subject rheader_subject sender_address sender_address_domain sender_address_local_part sender_helo_name
sender_host_address sender_host_authenticated sender_host_name sender_host_port sender_ident sender_local sender_set_untrusted shown_message_size smtp_active_hostname spam_score spam_score_int
tls_certificate_verified tls_cipher tls_peerdn tls_sni warning_count h_X-Multi h_to rh_from spooled""".split()
add(*(f"exipick {P} -i --show-vars {v}" for v in VARIABLES))
CRITERIA = ["$message_size > 1K", "$message_size >= 15K", "$message_age < 1h", "$message_age > 1d", "$message_age <= 3d", "$recipients_count == 2", "$recipients_count != 2", "$deliver_freeze", "!$deliver_freeze", "$sender_address eq sender@box.ex",
            "$sender_address eq Sender@Box.ex", "$sender_address ne <>", "$sender_address = box", "$sender_address =~ /box/", "$sender_address =~ /BOX/", "$sender_address =~ /BOX/i", "$sender_address !~ /box/", "!$sender_address = box", "$each_recipients = far.ex",
            "$each_recipients =~ /@far.ex$/", "$each_recipients ne x@far.ex", "$recipients_del = y@far.ex", "$each_recipients_del = y@far.ex", "$recipients_undel_count == 2", "$received_port == 587", "$received_protocol eq local", "$h_subject: = first", "$h_subject = first",
            "$acl_m0 eq zero", "$acl_m_name = value", "$nosuch", "$nosuch eq x", "x eq 1", "$message_size", "$message_size > x", "$message_size ?? 1", "$message_body = long", "$sender_local", "!$sender_local", "$first_delivery", "$warning_count == 0", "$shown_message_size eq 15K",
            "$message_exim_id =~ /-/", "$message_size > 0.1K", "$message_age > 1M", "$message_age > 2B"]
add(*(["exipick", "--spool", "{spool}", "-i", c] for c in CRITERIA))
add(["exipick", "--spool", "{spool}", "-i", "--or", "$message_size > 1K", "$deliver_freeze"], ["exipick", "--spool", "{spool}", "-i", "--not", "$message_size > 1K", "$deliver_freeze"], ["exipick", "--spool", "{spool}", "-i", "--or", "--not", "$message_size > 1K", "$deliver_freeze"],
    ["exipick", "--spool", "{spool}", "-i", "--caseful", "$sender_address = box"], ["exipick", "--spool", "{spool}", "-i", "--or", "$each_recipients = x@far"], ["exipick", "--spool", "{spool}", "--show-rules", "-i", "$message_size > 1K"],
    ["exipick", "--spool", "{spool}", "--show-tests", "-i", "$message_size > 1K"], ["exipick", "-C", "{conf}", "-i"], ["exipick", "--nosuch"], ["exipick", "--spool", "/nonexistent", "-i"])

add(*(["exipick", "--spool", "{spool}", "--freeze", "{out}/c", *o.split(), "--show-vars", "message_size,sender_address"] for o in ("-i", "-z -i", "-bp", "-c", "-f nosuch -i")))
# What is thawed is what the same program has frozen: `thaw` is given to both after the other.
add(*(["exipick", "--thaw", "{side}/frozen", *o.split()] for o in ("-i", "-bp", "-b", "--flatq", "-bpc", "-c --size", "-z -i", "-f box -i", "-i --show-vars message_size,recipients_del,received_protocol,rh_subject", "-R -i", "--sort message_size -i", "-bpa")))
add("exipick --thaw {in}/nosuch", "exipick --thaw {in}/main", f"exipick {P} --freeze /nonexistent/x -i")
add(*(f"exipick {P} --charset {c} -i --show-vars bh_subject" for c in ("UTF-8", "iso-8859-1", "nosuch")))

for db in ("retry", "wait-smtp", "misc", "callout", "ratelimit", "tls", "seen", "nosuch"):
    add(*(f"exim_dumpdb {o}{{ownspool}} {db}" for o in ("", "-z ", "-k ")), f"exim_tidydb -t 30d {{ownspool}} {db}")
add("exim_dumpdb", "exim_dumpdb -x a b", "exim_dumpdb /nonexistent retry", "exim_tidydb", "exim_tidydb -t x {ownspool} retry", "exim_tidydb -x", "exim_tidydb -f {ownspool} retry", "exim_fixdb", "exim_fixdb {ownspool} nosuch")
for text in ("", "\n", "R:nosuch\n", "q\n", "R:full@box.ex\n\n", "R:full@box.ex\nx\n", "R:full@box.ex\n9 1\n", "T:full@box.ex\n", "T:full@box.ex\n4 260101:0102\nq\n", "T:full@box.ex\n1 5\n2 7\n3 words\n", "T:full@box.ex\n4 bad\nd\n"):
    CASES[f"exim_fixdb retry {text!r}"] = ("exim_fixdb {ownspool} retry", text)
add("exim_dumpdb {ownspool} retry ", "exinext -C {own} full@box.ex", "exinext -C {own} far.ex", "exinext -C {own} x@far.ex", "exinext -C {own} nobody@nosuch.ex", "exinext -C {own} full", "exinext")

D = "exim_dbmbuild"
add(f"{D} {{in}}/aliases {{out}}/a.db", f"{D} -nolc {{in}}/aliases {{out}}/a.db", f"{D} -nozero {{in}}/aliases {{out}}/a.db", f"{D} {{in}}/twice {{out}}/a.db", f"{D} -noduperr {{in}}/twice {{out}}/a.db", f"{D} -nowarn {{in}}/twice {{out}}/a.db",
    f"{D} -lastdup {{in}}/twice {{out}}/a.db", f"{D} {{in}}/nosuch {{out}}/a.db", f"{D} {{in}}/aliases /nonexistent/a.db", D, f"{D} -nosuch {{in}}/aliases {{out}}/a.db", f"{D} {{in}}/empty {{out}}/a.db", f"{D} {{in}}/aliases {{in}}/aliases")
CASES[f"{D} from standard input"] = (f"{D} - {{out}}/a.db", "a: b\nc: d\n")

add(*(["exim_lock", *o.split(), "{in}/box", "echo run; cat {in}/box"] for o in ("", "-q", "-v", "-fcntl", "-flock", "-lockfile", "-mbx", "-mbx -flock", "-fcntl -flock", "-v -fcntl -timeout 2", "-retries 1 -interval 1", "-restore-times", "-restore_times", "-nosuch", "-retries x")))
add("exim_lock", ["exim_lock", "-q", "{in}/nosuch", "true"], ["exim_lock", "-q", "{in}/box", "exit 3"], ["exim_lock", "-v", "-lockfile", "/nonexistent/x", "true"])
CASES["exim_lock shell"] = ("exim_lock -q {in}/box", "echo in the shell\n")

A = "exim_checkaccess"
add(f"{A} 192.0.2.1 a@test.ex -C {{own}}", f"{A} 192.0.2.1 a@refused.ex -C {{own}}", f"{A} 192.0.2.1 a@later.ex -C {{own}}", f"{A} 192.0.2.1 a@else.ex -C {{own}}", f"{A} 192.0.2.1 a@test.ex -C {{own}} -f x@y.ex", A, f"{A} 192.0.2.1", f"{A} nonsense a@test.ex -C {{own}}",
    f"{A} 192.0.2.1 unqualified -C {{own}}")
add("exicyclog", "exicyclog -nosuch", "exicyclog -k", "exicyclog -k x")

# (pattern of a case's name, why they may differ)
DIFFERENT = [
    ("-h$|^exim_(dumpdb|fixdb|tidydb|lock|dbmbuild)$|nosuch x$", "the usage lines are our own words"),
    ("exipick.*(x eq 1|h_X-Multi|-C {conf} -i)", "what is no criterion is a mistake; header lines come as Exim has them; the reference takes its own spool, whatever -C says"),
    ("eximstats.*(-nvr -q {|-emptyok|nosuch|-t0 {in}/clean|{in}/cleaner|-nvr -nt {)", "mistakes; what is between empty parts; volumes of ten digits; times on the queue do not go with transports"),
    ("eximstats.*-by(host -by|e?domain|emaildomain)", "hosts that give just a name of themselves are no domain; local deliveries have one"),
    ("eximstats (-t0 )?{in}/main", "volumes and averages; a message with a failed address is no rejected one"),
    ("eximstats -merge.*-q100,20000", "what took up to 3h is not under 100 s, nor over all: it goes to the next longer time"),
    ("eximstats -merge.*(report|page) {in}/later|eximstats -merge.*{in}/by {in}/by", "volumes of ten digits"),
    ("eximstats -merge.* {in}/by$", "the parts of an hour that a report has are added up; the reference takes the last"),
    ("eximstats -merge.*(few|counted|standard)", "no tables of nothing; patterns that a report has are there without being asked for"),
    ("eximstats -merge.*-html", "our page"), ("eximstats -merge.*(nosuch|none|clean$)", "other words for what is no report"),
    ("eximstats.*(-txt=|-charts)", "files that both write are compared by the same words without"),
    ("exipick --thaw.* -R", "the reference does not reverse what was frozen"),
    ("exipick.*(-thaw {in}|--freeze /non)", "other words"), ("exipick.*freeze {out}/c", "the form of the file is each program's own"),
    ("eximstats.*-nt/", "what is not shown counts in the total"),
    ("eximstats -html|-html", "our page has its charts and no frames of tables"),
    ("-nosuch|-xyz|exigrep$|exigrep -lI|exigrep -t60|-restore_times|-retries x|exicyclog -k|exim_fixdb.*nosuch|-h7|exipick.*\\?\\?|size > x|--nosuch|exigrep \\(|exiqgrep.*-f \\(|exinext$|-y x|eximstats -q |-G nosuch|-pattern one", "mistakes in command lines: other words, and an error where the reference stumbles on"),
    ("exigrep .*/nosuch", "other words"),
    ("exigrep (-v|--invert)", "messages that are not complete are looked at, too: the reference shows them all"),
    ("exiqgrep.*-[yo] ", "the reference does not know minutes from hours and days"),
    ("^exim_dumpdb.*(misc|callout|ratelimit|tls|seen|nosuch|/nonexistent)|exim_tidydb.*(misc|callout|ratelimit|tls|seen|nosuch)", "hints are kept otherwise: no lock file"),
    ("exim_dumpdb.* (retry|wait-smtp)", "hosts that are addresses are in brackets since 4.98; records in the order of their keys; no space at the end"),
    ("exinext -C.*far.ex", "hosts that are addresses are in brackets since 4.98"), ("exinext -C", "no remark on hosts that there are not"),
    ("exim_dumpdb -x|exim_tidydb (-x|-t x|-f)", "usage in our own words; -f is not told of in the manual"),
    ("exim_fixdb", "records that are not there have other words, and an empty line is none"),
    ("exim_lock", "what is said before the command runs comes before what it prints"),
    ("exipick.*(-input-dir|-finput|--queue|bheader_x-multi|/nonexistent)", "the reference does not find directories that the manual page has; header lines of one name come as Exim has them"),
    ("exipick.*(h_|header_)subject", "UTF-8"),
    ("exipick.*each_recipients", "as the manual page has it; the reference finds nothing"),
    ("exipick.*show-(rules|tests)", "rules are Perl there"),
    ("exipick.*(deliver_frozen_at|message_age|received_time|message_headers|host_lookup\\w+|tls_certificate\\w+|message_linecount)$", "seconds; no decoding of header lines; 0 for what is not set"),
    ("exiqsumm (of|-ac)", "0000d is no age; the first letter counts"),
    ("exim_dbmbuild .*/nonexistent", "the status that the manual has"),
]
