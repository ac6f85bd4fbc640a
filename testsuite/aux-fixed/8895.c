/* The local_scan() function of test 8895: it uses each variable and function of the manual's chapter. */
#define LOCAL_SCAN
#include "local_scan.h"

#define SAY(...) log_write(0, LOG_MAIN, __VA_ARGS__)
#define TEXT(s) ((s) ? CCS (s) : "NULL")

static void variables(void)
{
  int n = 0;
  for (header_line *h = header_list; h; h = h->next) if (h->type != '*' && h->slen == (int)strlen(CCS h->text)) n++;
  SAY("body %d lines, %d zeros; debug %u; charset %s; host checking %d", body_linecount, body_zerocount, debug_selector & D_local_scan, headers_charset, host_checking);
  SAY("%d header lines; last \"%.8s\" type '%c'", n, header_last->text, header_last->type);
  SAY("interface %s port %d; id of %d letters; protocol %s", TEXT(interface_address), interface_port > 0, (int)strlen(CCS message_id), received_protocol);
  SAY("recipient %d <%s> %d %s; sender <%s>", recipients_count, recipients_list[0].address, recipients_list[0].pno, TEXT(recipients_list[0].errors_to), sender_address);
  SAY("host %s name %s authenticated %s port %d; smtp %d batched %d; pool %d", TEXT(sender_host_address), TEXT(sender_host_name), TEXT(sender_host_authenticated),
    sender_host_port > 0, smtp_input, smtp_batched_input, store_pool == POOL_MAIN);
}

static void matches(void)
{
  SAY("domain %d %d %d", lss_match_domain(US"a.test.ex", US"*.test.ex"), lss_match_domain(US"b", US"a"), lss_match_domain(US"x", US"+mine"));
  SAY("local part %d %d", lss_match_local_part(US"User", US"user", TRUE), lss_match_local_part(US"User", US"user", FALSE));
  SAY("address %d %d %d", lss_match_address(US"A@b.ex", US"a@b.ex", TRUE), lss_match_address(US"A@b.ex", US"a@b.ex", FALSE), lss_match_address(US"A@b.ex", US"*@b.ex", FALSE));
  SAY("host %d %d %d %d %d", lss_match_host(sender_host_name, sender_host_address, US"127.0.0.1"), lss_match_host(NULL, US"10.9.8.7", US"10.9.8.0/24"),
    lss_match_host(US"h.test.ex", US"10.9.8.7", US"*.test.ex"), lss_match_host(US"h.test.ex", US"10.9.8.7", US"127.0.0.1"), lss_match_host(NULL, US"", US":"));
}

static void strings(void)
{
  uschar *error = NULL, *out = NULL;
  int length = 0;
  uschar *mine = store_get(8, FALSE), *kept = store_get_perm(8, FALSE);
  memcpy(mine, "mine", 5);
  memcpy(kept, "kept", 5);
  SAY("%s %s %s %s %s", mine, kept, string_copy(US"copy"), string_copyn(US"copyn", 3), string_sprintf("%d-%s", 7, "x"));
  SAY("expanded %s", TEXT(expand_string(US"${uc:abc} $sender_host_address")));
  out = expand_string(US"${nonsense");
  SAY("not expanded %s: %s", TEXT(out), TEXT(expand_string_message));
  out = rfc2047_decode(US"=?iso-8859-1?Q?=E4=20b?=", FALSE, US"utf-8", 0, &length, &error);
  SAY("decoded %s %d", TEXT(out), length);
  length = lss_b64decode(US"c29tZSB0ZXh0", &out);
  SAY("base64 %s %d %s", lss_b64encode(US"some text", 9), length, out);
  SAY("bad base64 %d", lss_b64decode(US"!", &out));
  debug_printf("debugging %d\n", 1);
}

static void children(void)
{
  int fd, in, out;
  pid_t pid;
  uschar *argv[] = { US"/bin/sh", US"-c", US"umask; exit 4", NULL };
  uschar *slow[] = { US"/bin/sleep", US"9", NULL };
  char text[32];
  ssize_t n;
  pid = child_open(argv, NULL, 027, &in, &out, FALSE);
  n = read(out, text, sizeof text - 1);
  text[n > 1 ? n - 1 : 0] = 0;
  close(in); close(out);
  SAY("child says %s, ends with %d", text, child_close(pid, 5));
  pid = child_open(slow, NULL, 0, &in, &out, TRUE);
  SAY("a slow child: %d", child_close(pid, 1));
  kill(pid, SIGKILL);
  SAY("then: %d", child_close(pid, 5));
  pid = child_open_exim2(&fd, US"robot@test.ex", US"robot");
  if (write(fd, "To: other@test.ex\nSubject: from inside\n\nx\n", 42) != 42) SAY("not written");
  close(fd);
  SAY("exim2: %d", child_close(pid, 20));
  pid = child_open_exim(&fd);
  if (write(fd, "To: other@test.ex\nSubject: from nobody\n\nx\n", 42) != 42) SAY("not written");
  close(fd);
  SAY("exim: %d", child_close(pid, 20));
}

int local_scan(int fd, uschar **return_text)
{
  uschar *subject = NULL;
  (void)fd;
  for (header_line *h = header_list; h; h = h->next) if (header_testname(h, US"subject", 7, TRUE)) subject = h->text;
  if (!subject || !strstr(CCS subject, "all of it")) return LOCAL_SCAN_ACCEPT;
  variables();
  matches();
  strings();
  children();
  header_add(' ', "X-Added: %s\n", "last");
  header_add_at_position(TRUE, US"Subject", FALSE, ' ', "X-After: %d\n", 1);
  header_add_at_position(FALSE, US"Subject", FALSE, ' ', "X-Before: %d\n", 2);
  header_add_at_position(TRUE, NULL, FALSE, ' ', "X-End: 3\n");
  header_add_at_position(FALSE, NULL, TRUE, ' ', "X-Begin: 4\n");
  header_add_at_position(TRUE, US"X-None", TRUE, ' ', "X-Top-Of-None: 5\n");
  header_add_at_position(TRUE, US"X-None", FALSE, ' ', "X-Bottom-Of-None: 6\n");
  header_remove(0, US"X-Gone");
  receive_add_recipient(US"added@test.ex", -1);
  SAY("removed %d", receive_remove_recipient(US"usery@test.ex"));
  SAY("removed %d", receive_remove_recipient(US"usery@test.ex"));
  smtp_printf("250-said by %s\r\n", TRUE, "local_scan");
  SAY("flushed %d; version %d.%d", smtp_fflush(), local_scan_version_major(), local_scan_version_minor());
  log_write(0, LOG_MAIN|LOG_REJECT, "both logs");
  *return_text = US"well done";
  return LOCAL_SCAN_ACCEPT;
}
