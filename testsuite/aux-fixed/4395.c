/* The local_scan() function of test 4395: the Subject: line says what it does. */
#define LOCAL_SCAN
#include "local_scan.h"

static int is(header_line *subject, const char *word)
{
  return subject && strstr(CCS subject->text, word) != NULL;
}

int local_scan(int fd, uschar **return_text)
{
  header_line *h, *subject = NULL;
  char body[32];
  ssize_t n = read(fd, body, sizeof body - 1);

  body[n > 5 ? 4 : 0] = 0;
  if (!*sender_address) return LOCAL_SCAN_ACCEPT; /* our own bounces */
  for (h = header_list; h; h = h->next) if (header_testname(h, US"Subject", 7, TRUE)) subject = h;
  log_write(0, LOG_MAIN, "scan: <%s> %d recipients, %d lines, host %s, smtp %d, body begins \"%s\"", sender_address,
    recipients_count, body_linecount, sender_host_address ? CCS sender_host_address : "none", smtp_input, body);

  if (is(subject, "change")) {
    uschar *plain;
    header_add(' ', "X-End: %d%s\n", 1, "st");
    header_add_at_position(TRUE, US"Received", TRUE, ' ', "X-After-Received: %s\n", expand_string(US"${uc:$primary_hostname}"));
    header_add_at_position(FALSE, NULL, FALSE, ' ', "X-Top: yes\n");
    header_remove(2, US"X-Old");
    if (!receive_remove_recipient(US"gone@test.ex")) log_write(0, LOG_MAIN, "gone@test.ex is not there");
    receive_add_recipient(US"added", -1);
    recipients_list[recipients_count - 1].errors_to = US"errors@test.ex";
    log_write(0, LOG_MAIN, "base64 %s %d %d", lss_b64encode(US"a\0bc", 4), lss_b64decode(US"YQBiYw==", &plain), lss_b64decode(US"YQ=", &plain));
    log_write(0, LOG_MAIN, "match %d %d %d", lss_match_domain(US"x.test.ex", US"*.test.ex"), lss_match_domain(US"y", US"x"),
      lss_match_local_part(US"A", US"a", TRUE));
    if (!expand_string(US"${bad")) log_write(0, LOG_MAIN, "bad: %s", expand_string_message);
    log_write(0, LOG_MAIN, "decoded %s", rfc2047_decode(US"=?utf-8?Q?a=20b?=", FALSE, US"utf-8", '?', NULL, &plain));
    *return_text = US"two\nlines";
  }
  if (is(subject, "reject")) {
    *return_text = US"not this\nand not that";
    return is(subject, "quiet") ? LOCAL_SCAN_REJECT_NOLOGHDR : LOCAL_SCAN_REJECT;
  }
  if (is(subject, "defer")) return LOCAL_SCAN_TEMPREJECT;
  if (is(subject, "extra")) {
    smtp_printf("550-this is %s\r\n", TRUE, "extra");
    return LOCAL_SCAN_REJECT;
  }
  if (is(subject, "freeze")) return LOCAL_SCAN_ACCEPT_FREEZE;
  if (is(subject, "queue")) return LOCAL_SCAN_ACCEPT_QUEUE;
  if (is(subject, "nobody")) recipients_count = 0;
  if (is(subject, "crash")) *(volatile int *)(long)fd = 1;
  if (is(subject, "exit")) exit(0);
  if (is(subject, "endless")) for (;;) pause();
  if (is(subject, "strange")) return 77;
  if (is(subject, "child")) {
    uschar *argv[] = { US"/bin/sh", US"-c", US"read x; echo heard $x; exit 3", NULL };
    int in, out;
    pid_t pid = child_open(argv, NULL, 022, &in, &out, FALSE);
    if (write(in, "this\n", 5) != 5) return LOCAL_SCAN_TEMPREJECT;
    close(in);
    n = read(out, body, sizeof body - 1);
    body[n > 1 ? n - 1 : 0] = 0;
    log_write(0, LOG_MAIN, "child: %s, %d", body, child_close(pid, 5));
  }
  return LOCAL_SCAN_ACCEPT;
}
