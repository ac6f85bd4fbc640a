/* The interface for local_scan() functions (manual chapter 46).

   cc -shared -fPIC -I<this directory> -o my_scan.so my_scan.c

and local_scan_path = /path/my_scan.so in the configuration. The variables below are in the shared object itself: Exim finds
them there by name, sets them before local_scan() is called, and reads them afterwards. Functions that need Exim go through the
table local_scan_host; all others are here. The function runs in a process of its own, so nothing that it keeps in
memory outlives the message, and no crash harms Exim. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef OXIM_LOCAL_SCAN_H
#define OXIM_LOCAL_SCAN_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned char uschar;
typedef int BOOL;
#define FALSE 0
#define TRUE 1
#define TRUE_UNSET 2

#define CS (char *)
#define CCS (const char *)
#define CSS (char **)
#define US (unsigned char *)
#define CUS (const unsigned char *)
#define USS (unsigned char **)

#define LOCAL_SCAN_ABI_VERSION_MAJOR 6
#define LOCAL_SCAN_ABI_VERSION_MINOR 0
#define SPOOL_DATA_START_OFFSET 26

enum { LOCAL_SCAN_ACCEPT, LOCAL_SCAN_ACCEPT_FREEZE, LOCAL_SCAN_ACCEPT_QUEUE, LOCAL_SCAN_REJECT, LOCAL_SCAN_REJECT_NOLOGHDR,
       LOCAL_SCAN_TEMPREJECT, LOCAL_SCAN_TEMPREJECT_NOLOGHDR };
enum { OK, DEFER, FAIL, ERROR, FAIL_FORCED };
enum { POOL_MAIN, POOL_PERM };
#define D_v 1u
#define D_local_scan 2u
#define LOG_MAIN 1
#define LOG_REJECT 2
#define LOG_PANIC 4

typedef struct header_line {
  struct header_line *next;
  int type;
  int slen;
  uschar *text;
} header_line;

typedef struct recipient_item {
  uschar *address;
  int pno;
  uschar *errors_to;
} recipient_item;

/* What only Exim can do. Results are in memory that malloc() gave. */
struct local_scan_host {
  uschar *(*expand)(const uschar *string, uschar **error);
  int (*match)(int kind, const uschar *subject, const uschar *list, BOOL caseless);
  uschar *(*decode)(const uschar *string, BOOL lencheck, const uschar *target, int zeroval, int *length, uschar **error);
  void (*write)(int where, const uschar *text); /* 'L' main log, 'R' reject log, 'P' panic log, 'D' debug, 'S' SMTP */
};

#define LS_SHARED __attribute__((weak))
#define LS_UNUSED static __attribute__((unused))

LS_SHARED struct local_scan_host local_scan_host;
LS_SHARED int body_linecount, body_zerocount;
LS_SHARED unsigned int debug_selector;
LS_SHARED uschar *expand_string_message;
LS_SHARED header_line *header_list, *header_last;
LS_SHARED const uschar *headers_charset;
LS_SHARED BOOL host_checking;
LS_SHARED uschar *interface_address;
LS_SHARED int interface_port;
LS_SHARED uschar *message_id, *received_protocol;
LS_SHARED int recipients_count, local_scan_recipients_max;
LS_SHARED recipient_item *recipients_list;
LS_SHARED uschar *sender_address, *sender_host_address, *sender_host_authenticated, *sender_host_name;
LS_SHARED int sender_host_port;
LS_SHARED BOOL smtp_input, smtp_batched_input;
LS_SHARED int store_pool;
LS_SHARED uschar *local_scan_exim_path, *local_scan_exim_options; /* options: one on each line */

extern int local_scan(int fd, uschar **return_text);
LS_SHARED int local_scan_version_major(void) { return LOCAL_SCAN_ABI_VERSION_MAJOR; }
LS_SHARED int local_scan_version_minor(void) { return LOCAL_SCAN_ABI_VERSION_MINOR; }

/* ---- memory and strings ---- */

LS_UNUSED void *store_get(int size, BOOL tainted)
{
  void *p = malloc(size > 0 ? (size_t)size : 1);
  (void)tainted;
  if (!p) abort();
  return p;
}

LS_UNUSED void *store_get_perm(int size, BOOL tainted) { return store_get(size, tainted); }

LS_UNUSED uschar *string_copyn(const uschar *s, int length)
{
  size_t n = strnlen(CCS s, length > 0 ? (size_t)length : 0);
  uschar *p = store_get((int)n + 1, TRUE);
  memcpy(p, s, n);
  p[n] = 0;
  return p;
}

LS_UNUSED uschar *string_copy(const uschar *s) { return string_copyn(s, (int)strlen(CCS s)); }

LS_UNUSED uschar *ls_format(const char *format, va_list args)
{
  char *p = NULL;
  if (vasprintf(&p, format, args) < 0) abort();
  return US p;
}

#define LS_FORMAT(result, format) \
  do { va_list ls_args; va_start(ls_args, format); result = ls_format(format, ls_args); va_end(ls_args); } while (0)

LS_UNUSED uschar *string_sprintf(const char *format, ...)
{
  uschar *s;
  LS_FORMAT(s, format);
  return s;
}

/* ---- what Exim does ---- */

LS_UNUSED uschar *expand_string(uschar *string) { return local_scan_host.expand(string, &expand_string_message); }

LS_UNUSED void debug_printf(const char *format, ...)
{
  uschar *s;
  LS_FORMAT(s, format);
  if (debug_selector) local_scan_host.write('D', s);
}

LS_UNUSED void log_write(unsigned int selector, int which, const char *format, ...)
{
  uschar *s;
  (void)selector;
  LS_FORMAT(s, format);
  if (which & LOG_MAIN) local_scan_host.write('L', s);
  if (which & LOG_REJECT) local_scan_host.write('R', s);
  if (which & LOG_PANIC) local_scan_host.write('P', s);
}

LS_UNUSED void smtp_printf(const char *format, BOOL more, ...)
{
  va_list args;
  (void)more;
  va_start(args, more);
  local_scan_host.write('S', ls_format(format, args));
  va_end(args);
}

LS_UNUSED int smtp_fflush(void) { return 0; }

LS_UNUSED int lss_match_domain(uschar *domain, uschar *list) { return local_scan_host.match('d', domain, list, TRUE); }
LS_UNUSED int lss_match_local_part(uschar *part, uschar *list, BOOL caseless) { return local_scan_host.match('l', part, list, caseless); }
LS_UNUSED int lss_match_address(uschar *address, uschar *list, BOOL caseless) { return local_scan_host.match('a', address, list, caseless); }
LS_UNUSED int lss_match_host(uschar *name, uschar *address, uschar *list)
{
  uschar *host = string_sprintf("%s\n%s", address ? CCS address : "", name ? CCS name : "");
  int result = local_scan_host.match('h', host, list, TRUE);
  return result == DEFER ? ERROR : result;
}

LS_UNUSED uschar *rfc2047_decode(uschar *s, BOOL lencheck, const uschar *target, int zeroval, int *lenptr, uschar **error)
{
  return local_scan_host.decode(s, lencheck, target, zeroval, lenptr, error);
}

/* ---- base64 ---- */

LS_UNUSED uschar *lss_b64encode(uschar *clear, int length)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uschar *out = store_get((length + 2) / 3 * 4 + 1, TRUE), *p = out;
  for (int i = 0; i < length; i += 3) {
    unsigned n = clear[i] << 16 | (i + 1 < length ? clear[i + 1] << 8 : 0) | (i + 2 < length ? clear[i + 2] : 0);
    *p++ = digits[n >> 18];
    *p++ = digits[n >> 12 & 63];
    *p++ = i + 1 < length ? digits[n >> 6 & 63] : '=';
    *p++ = i + 2 < length ? digits[n & 63] : '=';
  }
  *p = 0;
  return out;
}

LS_UNUSED int lss_b64decode(uschar *code, uschar **clear)
{
  uschar *out = store_get((int)strlen(CCS code) + 1, TRUE), *p = out;
  unsigned bits = 0;
  int count = 0, pads = 0;
  for (; *code; code++) {
    int c = *code, v;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    if (c == '=') { if (++pads > 2) return -1; continue; }
    if (c >= 'A' && c <= 'Z') v = c - 'A';
    else if (c >= 'a' && c <= 'z') v = c - 'a' + 26;
    else if (c >= '0' && c <= '9') v = c - '0' + 52;
    else if (c == '+') v = 62;
    else if (c == '/') v = 63;
    else return -1;
    if (pads) return -1;
    bits = bits << 6 | (unsigned)v;
    if (++count % 4 != 1) *p++ = (uschar)(bits >> (6 - 2 * ((count - 1) % 4)));
  }
  if ((count + pads) % 4 != 0 || count % 4 == 1) return -1;
  *p = 0;
  *clear = out;
  return (int)(p - out);
}

/* ---- header lines ---- */

LS_UNUSED BOOL header_testname(header_line *h, const uschar *name, int length, BOOL notdel)
{
  uschar *p;
  if (notdel && h->type == '*') return FALSE;
  if (strncasecmp(CCS h->text, CCS name, (size_t)length) != 0) return FALSE;
  for (p = h->text + length; *p == ' ' || *p == '\t'; p++) ;
  return *p == ':';
}

LS_UNUSED void ls_insert(header_line *after, int type, uschar *text)
{
  header_line *h = store_get(sizeof *h, FALSE);
  h->type = type;
  h->text = text;
  h->slen = (int)strlen(CCS text);
  h->next = after ? after->next : header_list;
  if (after) after->next = h; else header_list = h;
  if (!h->next) header_last = h;
}

LS_UNUSED void header_add(int type, const char *format, ...)
{
  uschar *s;
  LS_FORMAT(s, format);
  ls_insert(header_last, type, s);
}

LS_UNUSED void header_add_at_position(BOOL after, uschar *name, BOOL topnot, int type, const char *format, ...)
{
  uschar *s;
  header_line *at = NULL, *before = NULL, *h;
  int length = name ? (int)strlen(CCS name) : 0;
  LS_FORMAT(s, format);
  for (h = name ? header_list : NULL; h && !header_testname(h, name, length, TRUE); h = h->next) before = h;
  if (h) {
    at = before;
    if (after) for (at = h; at->next && header_testname(at->next, name, length, FALSE); ) at = at->next;
  } else if (name ? !topnot : after) at = header_last;
  ls_insert(at, type, s);
}

LS_UNUSED void header_remove(int occurrence, const uschar *name)
{
  int n = 0, length = (int)strlen(CCS name);
  for (header_line *h = header_list; h; h = h->next)
    if (header_testname(h, name, length, TRUE) && (++n == occurrence || occurrence <= 0)) h->type = '*';
}

/* ---- recipients ---- */

LS_UNUSED void receive_add_recipient(uschar *address, int pno)
{
  if (recipients_count >= local_scan_recipients_max) {
    recipient_item *more = store_get((recipients_count * 2 + 10) * (int)sizeof *more, FALSE);
    if (recipients_count > 0) memcpy(more, recipients_list, (size_t)recipients_count * sizeof *more);
    local_scan_recipients_max = recipients_count * 2 + 10;
    recipients_list = more;
  }
  recipients_list[recipients_count].address = string_copy(address);
  recipients_list[recipients_count].pno = pno;
  recipients_list[recipients_count++].errors_to = NULL;
}

LS_UNUSED BOOL receive_remove_recipient(uschar *address)
{
  for (int i = 0; i < recipients_count; i++)
    if (strcmp(CCS recipients_list[i].address, CCS address) == 0) {
      memmove(recipients_list + i, recipients_list + i + 1, (size_t)(--recipients_count - i) * sizeof *recipients_list);
      return TRUE;
    }
  return FALSE;
}

/* ---- child processes ---- */

LS_UNUSED pid_t child_open(uschar **argv, uschar **envp, int newumask, int *infdptr, int *outfdptr, BOOL make_leader)
{
  static uschar *none[] = { NULL };
  int in[2], out[2];
  pid_t pid;
  if (pipe(in) != 0) return -1;
  if (pipe(out) != 0) { close(in[0]); close(in[1]); return -1; }
  if ((pid = fork()) == 0) {
    dup2(in[0], 0); dup2(out[1], 1); dup2(1, 2);
    for (int fd = 3; fd < 256; fd++) close(fd);
    umask((mode_t)newumask);
    if (make_leader) setpgid(0, 0);
    execve(CCS argv[0], CSS argv, CSS (envp ? envp : none));
    _exit(127);
  }
  close(in[0]); close(out[1]);
  if (pid < 0) { close(in[1]); close(out[0]); return -1; }
  *infdptr = in[1];
  *outfdptr = out[0];
  return pid;
}

LS_UNUSED pid_t child_open_exim2(int *fd, uschar *sender, uschar *authentication)
{
  uschar *argv[64], *copy = string_copy(local_scan_exim_options ? local_scan_exim_options : US"");
  char *rest = NULL;
  int n = 0;
  argv[n++] = local_scan_exim_path;
  for (char *p = strtok_r(CS copy, "\n", &rest); p && n < 50; p = strtok_r(NULL, "\n", &rest)) argv[n++] = US p;
  argv[n++] = US"-t"; argv[n++] = US"-oem"; argv[n++] = US"-oi"; argv[n++] = US"-f";
  argv[n++] = *sender ? sender : US"<>";
  if (authentication) { argv[n++] = US"-oMas"; argv[n++] = authentication; }
  argv[n] = NULL;
  int out;
  pid_t pid = child_open(argv, NULL, 077, fd, &out, FALSE);
  if (pid >= 0) close(out);
  return pid;
}

LS_UNUSED pid_t child_open_exim(int *fd) { return child_open_exim2(fd, US"", NULL); }

LS_UNUSED int child_close(pid_t pid, int timeout)
{
  for (int i = 0; ; i++) {
    int status;
    pid_t r = waitpid(pid, &status, timeout > 0 ? WNOHANG : 0);
    if (r == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (r < 0 && errno != EINTR) return -257;
    if (timeout > 0) {
      if (i >= timeout * 20) return -256;
      usleep(50000);
    }
  }
}

#endif
